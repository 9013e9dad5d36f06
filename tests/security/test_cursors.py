"""Where a page begins is the client's word: forged, cut, another account's, another list's. It is refused with what is
wrong with it, or leads to one's own rows; never to a fault of ours, and never to another's."""

import base64
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sample import Sample
from security.attack import refused, rows
from security.matrix import Asked, document_of, operations_of
from stage import Service, until

PREFIXES = ("vid", "whe", "evt", "req", "file", "key", "")
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
CLIP = {"model": "seedance-1.0-pro-fast", "prompt": "[sandbox:stall] x", "duration": 2, "resolution": "480p"}
HOOK = {"url": "https://example.com/events", "event_types": ["video.canceled"]}


class Lists(NamedTuple):
    """An account's lists, and every id that is in them and in another's."""

    client: httpx.Client
    operations: dict[str, Asked]
    endpoint: str
    own: frozenset[str]
    others: frozenset[str]

    def page(self, operation: str, after: str) -> httpx.Response:
        return self.client.get(self.operations[operation].at({"endpoint_id": self.endpoint}), params={"after": after})


def _furnish(service: Service, client: httpx.Client) -> tuple[str, set[str]]:
    """Some of everything that is listed; its endpoint, and all of the ids."""
    hook = client.post("/v1/webhook_endpoints", json=HOOK).json()["id"]
    client.post("/v1/webhook_endpoints", json=HOOK)
    for _ in range(2):
        client.post(f"/v1/videos/{client.post('/v1/videos', json=CLIP).json()['id']}/cancel")
    until(lambda: len(client.get("/v1/events", params={"type": "video.canceled"}).json()["data"]) == 2)
    last = client.get("/v1/models").headers["x-request-id"]
    until(lambda: rows(service.database_url, "SELECT id FROM request_log WHERE id = $1", last))
    ids = {last, hook}
    for path in ("/v1/videos", "/v1/webhook_endpoints", "/v1/events", "/v1/requests"):
        ids |= {one["id"] for one in client.get(path).json()["data"]}
    return hook, ids


@pytest.fixture(scope="module")
def lists(service: Service) -> Iterator[Lists]:
    keys = [service.new_key(email=service.new_account()["email"]) for _ in range(2)]
    operations = {one.id: one for one in operations_of(document_of(service))}
    with service.client(keys[0]) as client, service.client(keys[1]) as other:
        endpoint, own = _furnish(service, client)
        _, others = _furnish(service, other)
        yield Lists(client, operations, endpoint, frozenset(own), frozenset(others))


LISTS = {
    "listVideos": "id", "listWebhookEndpoints": "id", "listWebhookDeliveries": "event_id", "listEvents": "id",
    "listRequests": "id",
}  # fmt: skip
"""Lists by id, and the field of an entry that is its place."""


def test_these_are_all_the_lists(lists: Lists) -> None:
    paged = {
        one.id
        for one in lists.operations.values()
        for place in one.places
        if (place.where, place.name) == ("query", "after")
    }
    assert paged == {*LISTS, "listUsage"}


def _forged(lists: Lists) -> st.SearchStrategy[str]:
    """Cursors of every kind: ids of one's own, of others and of nobody, from any time that an id can have; what is
    left of them when they are cut; and whatever else a client may send."""
    real = st.sampled_from(sorted(lists.own | lists.others))
    tails = st.one_of(
        st.sampled_from(["0" * 26, "z" * 26, "7" + "z" * 25, "0" * 25 + "1"]),
        st.text(ALPHABET, min_size=26, max_size=26),
    )
    ids = st.builds(lambda prefix, tail: f"{prefix}_{tail}", st.sampled_from(PREFIXES), tails)
    cut = st.builds(lambda text, at: text[:at], real, st.integers(0, 30))
    bent = st.builds(
        lambda text, at, letter: text[:at] + letter + text[at + 1 :], real, st.integers(0, 29), st.characters()
    )
    return st.one_of(real, ids, cut, bent, st.text(max_size=60), st.builds(lambda text: text.upper(), real))


@pytest.mark.parametrize("operation", LISTS)
def test_a_page_begins_nowhere_but_in_its_own_list(lists: Lists, operation: str, sample: Sample) -> None:
    @settings(max_examples=sample.rounds(2000, 60))
    @given(_forged(lists))
    def holds(after: str) -> None:
        if not _can_be_sent(after):
            return
        answer = lists.page(operation, after)
        if answer.status_code == 400:
            _says_so(answer)
            return
        assert answer.status_code == 200, (after, answer.text)
        page = answer.json()
        assert set(re.findall(r"(?:vid|whe|evt)_[0-9a-z]{26}", answer.text)) <= lists.own, after
        assert not [one for one in lists.others if one in answer.text], after
        found = [one[LISTS[operation]] for one in page["data"]]
        assert found == sorted(found, reverse=operation != "listEvents")
        assert all((one > after) == (operation == "listEvents") for one in found), (after, found)

    holds()


def _can_be_sent(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _says_so(answer: httpx.Response) -> None:
    error = refused(answer, 400, code="invalid_request")
    assert (error["param"], [one["path"] for one in error["errors"]]) == ("after", ["after"])
    assert "`after` must be" in error["message"]
    assert "previous page" in error["message"]


def test_a_page_of_usage_begins_where_it_can_be_read(lists: Lists, sample: Sample) -> None:
    """Its cursor is a group, in JSON and base64: whatever else is in there is refused."""
    values = st.one_of(
        st.none(), st.text(max_size=30), st.integers(), st.sampled_from(["2026-11-30", "0001-01-01", "9999-12-31"])
    )
    groups = st.dictionaries(st.sampled_from(["day", "model", "key_id", "other"]), values)
    texts = st.one_of(groups.map(json.dumps), st.text(max_size=60), st.just("[" * 5000))
    coded = texts.map(lambda text: base64.urlsafe_b64encode(text.encode(errors="surrogatepass")).decode().rstrip("="))

    @settings(max_examples=sample.rounds(2000, 100))
    @given(st.one_of(coded, st.text(max_size=60), _forged(lists)))
    def holds(after: str) -> None:
        if not _can_be_sent(after):
            return
        answer = lists.page("listUsage", after)
        if answer.status_code == 400:
            _says_so(answer)
        else:
            assert answer.status_code == 200, (after, answer.text)
            assert answer.json()["data"] == [], "nothing was charged"

    holds()


def test_where_a_replay_goes_on_is_read_as_a_page_is(lists: Lists, sample: Sample) -> None:
    @settings(max_examples=sample.rounds(2000, 40))
    @given(_forged(lists))
    def holds(after: str) -> None:
        if not _can_be_sent(after):
            return
        path = lists.operations["replayWebhooks"].at({"endpoint_id": lists.endpoint})
        answer = lists.client.post(path, json={"since": 4_000_000_000, "after": after})
        if answer.status_code == 400:
            assert refused(answer, 400, code="invalid_request")["param"] == "after"
        else:
            assert (answer.status_code, answer.json()["count"]) == (200, 0), after

    holds()
