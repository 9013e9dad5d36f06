"""Endpoints and events, for both clients."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime

import pytest
from fake_service import Fault
from fake_webhooks import SECRET, TYPES, event

from seedance import NotFound, UnexpectedAnswer

URL = "https://example.com/seedance"


def test_an_endpoint_from_its_making_to_its_end(client, service):
    made = client.webhooks.create(URL, ["video.completed"], name="mine", signatures=["v1"], description=None)
    assert (made.id, made.url, made.event_types, made.signing_secret) == ("whe_1", URL, ("video.completed",), SECRET)
    [request] = service.seen("POST", "/v1/webhook_endpoints")
    assert request.json == {"url": URL, "event_types": ["video.completed"], "name": "mine", "signatures": ["v1"]}
    assert request.headers["Idempotency-Key"]
    assert made.extra == {"new": 7}
    assert client.webhooks.retrieve(made).signing_secret is None
    changed = client.webhooks.update(made.id, enabled=False, event_types=["video.failed"], url=None)
    assert (changed.enabled, changed.disabled_reason, changed.event_types) == (False, "owner", ("video.failed",))
    assert service.seen("POST", ".*/whe_1")[0].json == {"enabled": False, "event_types": ["video.failed"]}
    assert client.webhooks.delete(made).deleted
    with pytest.raises(NotFound):
        client.webhooks.retrieve(made)


def test_an_endpoint_is_told_of_everything_unless_asked_otherwise(client, service):
    assert client.webhooks.create(URL).event_types == tuple(TYPES)
    assert service.seen("POST", "/v1/webhook_endpoints")[0].json == {"url": URL, "event_types": ["*"]}
    with pytest.raises(TypeError, match="list"):
        client.webhooks.create(URL, "video.completed")
    with pytest.raises(TypeError, match="list"):
        client.webhooks.update("whe_1", signatures="v1")


def test_a_secret_is_not_printed(client):
    made = client.webhooks.create(URL)
    account = client.webhooks.secret()
    assert SECRET not in repr(made) + str(account) + f"{[made]}"
    assert "signing_secret='***'" in repr(made)
    assert "signing_secret=None" in repr(client.webhooks.retrieve(made))


def test_endpoints_go_over_pages(client, service):
    for _ in range(5):
        client.webhooks.create(URL)
    page = client.webhooks.list(limit=2)
    assert [one.id for one in page.data] == ["whe_5", "whe_4"]
    assert [one.id for one in page] == ["whe_5", "whe_4", "whe_3", "whe_2", "whe_1"]
    assert [one.id for one in page.next_page().data] == ["whe_3", "whe_2"]


def test_secrets_rotate(client, service):
    made = client.webhooks.create(URL)
    assert client.webhooks.rotate_secret(made, keep_old=True).previous_secret_until == 1795610443
    assert client.webhooks.rotate_secret(made.id).signing_secret == SECRET
    assert [r.json for r in service.seen("POST", ".*/rotate_secret")] == [
        {"keep_old_secret_active_for_24_hours": True},
        {"keep_old_secret_active_for_24_hours": False},
    ]
    told = client.webhooks.secret()
    assert (told.signing_secret, told.signing_secret_hint, told.rotated_at) == (None, "whsec_…tzc3", None)
    turned = client.webhooks.rotate_account_secret(keep_old=True)
    assert (turned.signing_secret, turned.previous_secret_until) == (SECRET, 1795610443)
    assert service.seen("POST", "/v1/webhook_secret/rotate")[0].json == {"keep_old_secret_active_for_24_hours": True}


def test_a_test_says_what_came_back(client):
    good, dead = client.webhooks.create(URL), client.webhooks.create(URL, name="dead")
    tried = client.webhooks.test(good, "balance.low")
    assert (tried.success, tried.status_code, tried.outcome, tried.event_type) == (
        True,
        204,
        "delivered",
        "balance.low",
    )
    tried = client.webhooks.test(dead)
    assert (tried.success, tried.status_code, tried.outcome, tried.event_type) == (
        False, None, "unreachable", "video.completed",
    )  # fmt: skip


def test_deliveries_tell_each_try(client, service):
    made = client.webhooks.create(URL)
    found = list(client.webhooks.deliveries(made, limit=2))
    assert [one.event_id for one in found] == ["evt_5", "evt_4", "evt_3", "evt_2", "evt_1"]
    pending = found[1]
    assert (pending.state, pending.tries, pending.next_attempt_at) == ("pending", 2, 1795524349)
    assert [(one.outcome, one.status) for one in pending.attempts] == [("status", 500), ("unreachable", None)]
    assert [one.event_id for one in client.webhooks.deliveries(made, state="pending")] == ["evt_4", "evt_2"]
    assert service.seen("GET", ".*/deliveries")[1].query == {"limit": "2", "after": "evt_4"}


def test_a_replay_goes_on_until_all_is_in_line(client, service):
    made = client.webhooks.create(URL)
    assert client.webhooks.replay(made, "evt_1").count == 1
    done = client.webhooks.replay(made, since=datetime(2026, 11, 24, tzinfo=UTC), until=1795600000, only_failed=True)
    assert (done.count, done.has_more) == (2007, False)
    asked = {"since": 1795478400, "until": 1795600000, "only_failed": True}
    requests = service.seen("POST", ".*/replay")
    assert [r.json for r in requests] == [
        {"event_id": "evt_1"}, asked, asked | {"after": "evt_2"}, asked | {"after": "evt_1"},
    ]  # fmt: skip
    assert len({r.headers["Idempotency-Key"] for r in requests}) == 4


def test_a_replay_that_does_not_advance_ends(client, service):
    made = client.webhooks.create(URL)
    stuck = {"count": 1, "last_id": "evt_1", "has_more": True}
    service.fail("POST", ".*/replay", *[Fault(status=200, body=stuck)] * 9)
    with pytest.raises(UnexpectedAnswer, match="advance"):
        client.webhooks.replay(made, since=1)
    assert len(service.seen("POST", ".*/replay")) == 2


def test_the_types_of_events(client, service):
    assert client.webhooks.event_types() == TYPES
    service.fail("GET", "/v1/webhook_event_types", Fault(status=200, body={"data": [1]}))
    with pytest.raises(UnexpectedAnswer):
        client.webhooks.event_types()


def test_events_are_read_in_order_over_pages(client, service):
    found = list(client.events.list(after="evt_1", limit=2))
    assert [one.id for one in found] == ["evt_2", "evt_3", "evt_4", "evt_5"]
    assert (found[0].type, found[0].data["id"], found[0].extra) == ("video.queued", "vid_2", {"new": 7})
    assert [r.query for r in service.seen("GET", "/v1/events")] == [
        {"limit": "2", "after": "evt_1"},
        {"limit": "2", "after": "evt_3"},
    ]
    assert [one.id for one in client.events.list(type="video.completed")] == ["evt_1", "evt_3", "evt_5"]
    assert client.events.retrieve("evt_4").id == "evt_4"
    assert client.events.retrieve(found[0]) == found[0]
    assert list(client.events.list(after="evt_5")) == []


def test_events_are_followed(client, service):
    service.webhooks.events = []
    service.fail("GET", "/v1/events", Fault(status=503), Fault(drop="before"))
    following = iter(client.events.follow(every=0.01))
    service.webhooks.events = [event(number) for number in range(1, 45)]
    assert [one.id for one in itertools.islice(following, 44)] == [f"evt_{number}" for number in range(1, 45)]
    service.webhooks.events.append(event(45))
    assert next(following).id == "evt_45"
    threading.Timer(0.3, lambda: service.webhooks.events.append(event(46))).start()
    assert next(following).id == "evt_46"
    queries = [r.query for r in service.seen("GET", "/v1/events")]
    assert queries[-2:] == [{"after": "evt_45"}] * 2


def test_a_list_that_is_none_is_no_list(client, service):
    for body in ({"data": None}, {"data": [{"no": "id"}]}, {}):
        service.fail("GET", "/v1/events", Fault(status=200, body=body))
        with pytest.raises(UnexpectedAnswer, match="no list of Event"):
            client.events.list()
