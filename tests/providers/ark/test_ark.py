"""The provider over a fake Ark: each promise under the vendor's bad days."""

import asyncio
import io
import itertools
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore
from PIL import Image

from fakes.ark.run import FakeArk
from providers.ark.kit import (
    CUSTOMER,
    commission,
    finished,
    model_of,
    order,
    provider,
    replaced,
    search,
)
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.order import Kind, Mode, Role
from seedance_api.catalog.request import Media
from seedance_api.providers.ark import fetch, wire
from seedance_api.providers.ark.ark import Ark
from seedance_api.providers.ark.wire import GETS_A_SECOND
from seedance_api.providers.ark.write import expires_after
from seedance_api.providers.provider import (
    Busy,
    Done,
    Failed,
    Fetched,
    Input,
    Lost,
    NotMade,
    NotSent,
    Pending,
    Refused,
    Started,
    Unclear,
    Unfetched,
    Unseen,
)

MINI = "dreamina-seedance-2-0-mini-260615"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeArk]:
    with FakeArk(speed=200, enforce_budgets=False, fetch=False, concurrency=0, rpm=0) as fake:
        yield fake


@pytest.fixture
def fake(running: FakeArk) -> FakeArk:
    running.reset()
    running.clear_faults()
    return running


def creates(fake: FakeArk) -> list:
    return fake.calls("create")["calls"]


def run(fake: FakeArk, story, **options):
    """Play a story with a provider over the fake."""

    async def play():
        async with provider(fake, **options) as ark:
            return await story(ark)

    return asyncio.run(play())


async def made(ark: Ark, attempt_id="att_1", **changes) -> dict:
    started = await ark.start(commission(attempt_id, **changes))
    assert isinstance(started, Started), started
    return started.operation


# --- start ---

PICTURE = io.BytesIO()
Image.new("RGB", (320, 320), (200, 90, 40)).save(PICTURE, "PNG")
INPUTS = {
    Mode.TEXT: (),
    Mode.FIRST_FRAME: (Role.FIRST_FRAME,),
    Mode.FIRST_LAST: (Role.FIRST_FRAME, Role.LAST_FRAME),
    Mode.REFERENCE: (Role.REFERENCE, Role.REFERENCE),
}


def test_the_vendor_takes_every_model_in_every_mode(fake):
    """With every parameter that the catalogue lets through: what it does not take, it refuses."""
    store = MemoryStore()
    store.put("in/1", PICTURE.getvalue())

    async def story(ark):
        for number, (model, mode) in enumerate(itertools.product(MODELS, INPUTS)):
            rules = model.rules(mode)
            if rules is None:
                continue
            roles = INPUTS[mode]
            media = [Media(kind=Kind.IMAGE, role=role, path=f"images[{at}]") for at, role in enumerate(roles)]
            asked = {"seed": 3, "watermark": True, "return_last_frame": True}
            for tier, camera in itertools.product(model.capabilities.service_tiers, (rules.camera_fixed, False)):
                fields = asked | {"service_tier": tier} | ({"camera_fixed": True} if camera else {})
                of = order(model=model.name, images=media, resolution=rules.resolutions[-1], **fields)
                inputs = tuple(
                    Input(kind=Kind.IMAGE, role=role, object_key="in/1", media_type="image/png") for role in roles
                )
                work = commission(f"att_{number}_{tier}_{camera}", of=of, inputs=inputs)
                assert isinstance(outcome := await ark.start(work), Started), (model.name, mode, tier, outcome)

    run(fake, story, store=store)
    assert len(creates(fake)) > 40
    assert {call["status"] for call in creates(fake)} == {200}


@pytest.mark.parametrize("name", [model.name for model in MODELS if model.capabilities.draft])
def test_a_draft_and_its_final_take(fake, name):
    async def story(ark):
        draft = commission(of=order(model=name, draft=True))
        operation = await made(ark, of=draft.order)
        final = order_of_final(draft.order)
        assert isinstance(await finished(ark, operation), Done)
        second = await made(ark, "att_2", of=final, draft=operation, prompt="")
        gone = await ark.start(commission("att_3", of=final, draft={"id": "cgt-20260101000000-aaaaa"}))
        assert isinstance(gone, Refused)
        assert gone.code == "input_unreadable"
        return second

    run(fake, story)
    body = creates(fake)[1]["body"]
    assert [item["type"] for item in body["content"]] == ["draft_task"]


def order_of_final(draft):
    model = model_of(draft.model)
    assert model.capabilities.draft is not None
    resolution = model.capabilities.draft.final_default_resolution
    return replaced(draft, mode=Mode.FINAL, draft=False, resolution=resolution)


def test_the_body_names_the_customer_and_the_attempt(fake):
    async def story(ark):
        await made(ark, callback_url="https://api.example/c/1")

    run(fake, story)
    (call,) = creates(fake)
    assert call["client_request_id"] == "att_1"
    assert call["body"]["safety_identifier"] == CUSTOMER
    assert call["body"]["execution_expires_after"] == expires_after(17, 21_600)
    assert call["body"]["callback_url"] == "https://api.example/c/1"

    fake.reset()
    run(fake, story, callbacks=False)
    assert "callback_url" not in creates(fake)[0]["body"]


HTML = {"status": 200, "body": "<html>Bad Gateway</html>", "headers": {"Content-Type": "text/html"}}


@pytest.mark.parametrize("was_made", [True, False])
@pytest.mark.parametrize(
    "do",
    [
        {"reset": True},
        {"status": 500},
        {"status": 502, "body": "<html>"},
        {"status": 503, "body": {"error": {"code": "InternalServiceError", "message": "m"}}},
        {"status": 504},
        HTML,
        {"status": 200, "body": {"id": 7}},
        {"status": 200, "body": {"id": None}},
        {"status": 200, "body": [1]},
        {"status": 200, "body": {}},
        {"status": 408},
    ],
    ids=lambda do: json.dumps(do)[:40],
)
def test_no_clear_answer_is_never_repeated_and_found_out_later(fake, do, was_made):
    fake.faults({"on": "create", "do": do | {"made": was_made}, "times": 1})

    async def story(ark):
        work = commission()
        assert isinstance(await ark.start(work), Unclear)
        return await ark.find(search(work)), await ark.find(search(work, seconds_since=10))

    later, soon = run(fake, story)
    assert len(creates(fake)) == 1
    assert len(fake.tasks()) == was_made
    if was_made:
        assert isinstance(later, Started)
        assert later == soon
        assert later.operation["id"] == fake.tasks()[0]["id"]
    else:
        assert later == NotMade(certain=False)
        assert isinstance(soon, Unclear)  # too early to say that there is none


@pytest.mark.parametrize("do", [{"drop": 30}, {"drop": 5}, {"delay": 3.0}, {"content_length": 9999, "drop": 200}])
def test_an_answer_that_is_cut_or_late(fake, do, monkeypatch):
    monkeypatch.setattr(wire, "CREATE_SECONDS", 0.5)
    fake.faults({"on": "create", "do": do, "times": 1})

    async def story(ark):
        work = commission()
        assert isinstance(await ark.start(work), Unclear)
        return await ark.find(search(work))

    assert isinstance(run(fake, story), Started)
    assert len(creates(fake)) == 1


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (429, "RateLimitExceeded.EndpointRPMExceeded", Busy),
        (429, "ServerOverloaded", Busy),
        (401, "AuthenticationError", Busy),
        (403, "AccountOverdueError", Busy),
        (404, "ModelNotOpen", Busy),
        (400, "InputTextSensitiveContentDetected", Refused),
    ],
)
def test_a_definite_no_is_asked_once(fake, status, code, outcome):
    body = {"error": {"code": code, "message": "no. Request id: 0217aaaa", "param": "", "type": "x"}}
    do = {"status": status, "body": body, "headers": {"Retry-After": "7", "Content-Type": "application/json"}}
    fake.faults({"on": "create", "do": do})

    async def story(ark):
        return await ark.start(commission())

    got = run(fake, story)
    assert isinstance(got, outcome)
    assert len(creates(fake)) == 1
    assert got.original.request_id == "0217aaaa"
    if isinstance(got, Busy):
        assert got.wait_seconds == 7.0


def test_a_wrong_key_is_the_operators_matter(fake):
    async def story(ark):
        operation = {"id": "cgt-20260101000000-aaaaa", "tier": "default", "model": MINI, "at": None}
        return (
            await ark.start(commission()),
            await ark.check_many([operation]),
            await ark.known_since(datetime.now(UTC)),
        )

    started, checks, known = run(fake, story, key="wrong")
    assert isinstance(started, Busy)
    assert started.operator
    assert isinstance(checks[0], Unseen)
    assert known is None


def test_a_vendor_that_is_not_there():
    async def story(ark):
        operation = {"id": "cgt-20260101000000-aaaaa", "tier": "default", "model": MINI, "at": None}
        assert isinstance(await ark.start(commission()), NotSent)
        assert isinstance(await ark.find(search(commission())), Unclear)
        assert isinstance((await ark.check_many([operation]))[0], Unseen)
        assert await ark.cancel(operation) is False
        await ark.forget(operation)
        assert await ark.known_since(datetime.now(UTC)) is None

    with FakeArk() as fake:
        fake.kill()
        run(fake, story)


def test_a_model_that_is_not_offered(fake):
    async def story(ark):
        return await ark.start(commission())

    got = run(fake, story, models={})
    assert isinstance(got, Busy)
    assert (got.model_only, got.operator) == (True, True)
    assert creates(fake) == []


# --- find ---


def body_of(work, **changes) -> dict:
    return {
        "model": MINI,
        "safety_identifier": work.customer,
        "execution_expires_after": expires_after(work.nonce, work.seconds_left),
    } | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"safety_identifier": "d" * 64},
        {"execution_expires_after": 5000},
        {"model": "dreamina-seedance-2-0-260128"},
    ],
)
def test_anothers_task_is_not_ours(fake, changes):
    work = commission()
    fake.make(3, body=body_of(work, **changes))
    assert run(fake, lambda ark: ark.find(search(work))) == NotMade(certain=False)


def test_of_two_unanswered_attempts_none_takes_the_other_s_video(fake):
    """By their ids, which older versions went by, these two cannot be told apart; one was made, and one was not."""
    made, lost = commission("att_6", nonce=1), commission("att_8", nonce=2)

    async def story(ark):
        started = await ark.start(made)
        return started, await ark.find(search(lost)), await ark.find(search(made))

    started, of_lost, of_made = run(fake, story)
    assert of_lost == NotMade(certain=False)
    assert of_made.operation["id"] == started.operation["id"]


def test_an_old_task_is_not_ours(fake):
    work = commission()
    fake.make(body=body_of(work), age=330)  # it was sent 200 seconds ago
    assert run(fake, lambda ark: ark.find(search(work))) == NotMade(certain=False)
    fake.make(body=body_of(work), age=310)
    assert isinstance(run(fake, lambda ark: ark.find(search(work))), Started)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_the_clocks_may_be_far_apart(fake, skew):
    """Ours is the database's, and the vendor's is read from its answers."""
    work = commission()
    fake.make(body=body_of(work), age=200 - skew)
    vendors = format_datetime(datetime.now(UTC) + timedelta(seconds=skew), usegmt=True)
    assert run(fake, lambda ark: ark.find(search(work))) == NotMade(certain=False)
    fake.faults({"on": "list", "do": {"headers": {"Date": vendors}}})
    assert isinstance(run(fake, lambda ark: ark.find(search(work))), Started)


def test_work_of_a_model_that_has_ended_is_found(fake):
    work = commission()
    (task_id,) = fake.make(body=body_of(work))
    found = run(fake, lambda ark: ark.find(search(work)), models={})
    assert isinstance(found, Started)
    assert found.operation["id"] == task_id
    assert isinstance(run(fake, lambda ark: ark.check_many([found.operation]), models={})[0], Pending | Done)


def test_two_that_look_alike_are_not_guessed_at(fake):
    work = commission()
    ids = fake.make(2, body=body_of(work))
    assert isinstance(run(fake, lambda ark: ark.find(search(work))), Unclear)
    found = run(fake, lambda ark: ark.find(search(work, others=frozenset({ids[0]}))))
    assert isinstance(found, Started)
    assert found.operation["id"] == ids[1]


@pytest.mark.parametrize("field", ["safety_identifier", "execution_expires_after", "model", "created_at"])
def test_a_task_that_says_too_little_is_not_adopted_and_not_denied(fake, field):
    work = commission()
    (task_id,) = fake.make(body=body_of(work))
    fake.alter(task_id, unset=[field])
    assert isinstance(run(fake, lambda ark: ark.find(search(work))), Unclear)


def test_what_the_list_leaves_out_is_asked_by_id(fake):
    work = commission()
    (task_id,) = fake.make(body=body_of(work))
    fake.faults({"on": "list", "do": {"unset": ["safety_identifier", "execution_expires_after"]}})
    found = run(fake, lambda ark: ark.find(search(work)))
    assert isinstance(found, Started)
    assert found.operation["id"] == task_id


def test_a_task_that_a_callback_told_of(fake):
    """The list may be late; the callback came to the attempt's own address."""
    work = commission()
    (task_id,) = fake.make(body=body_of(work))
    fake.faults({"on": "list", "do": {"hide": True}})
    found = run(fake, lambda ark: ark.find(search(work, told=task_id, seconds_since=1)))
    assert isinstance(found, Started)
    assert found.operation["id"] == task_id


def test_a_task_that_was_told_of_must_be_ours(fake):
    work = commission()
    (foreign,) = fake.make(body=body_of(work, safety_identifier="d" * 64))
    (ours,) = fake.make(body=body_of(work))
    for told in (foreign, ours, "cgt-20260101000000-aaaaa", "../../x", ""):
        found = run(fake, lambda ark, told=told: ark.find(search(work, told=told)))
        assert isinstance(found, Started), told
        assert found.operation["id"] == ours
    taken = search(work, told=ours, others=frozenset({ours}))
    assert run(fake, lambda ark: ark.find(taken)) == NotMade(certain=False)


def test_a_flex_task_is_found_in_its_own_list(fake):
    work = commission(of=order(model="seedance-1.0-pro", service_tier="flex", resolution="480p"))

    async def story(ark):
        started = await ark.start(work)
        assert isinstance(started, Started)
        return started, await ark.find(search(work)), await ark.check_many([started.operation])

    started, found, checks = run(fake, story)
    assert found.operation["id"] == started.operation["id"]
    assert found.operation["tier"] == "flex"
    assert isinstance(checks[0], Pending)


@pytest.mark.parametrize(
    "do", [{"status": 429}, {"status": 500}, {"reset": True}, HTML, {"status": 200, "body": {"items": [{"x": 1}]}}]
)
def test_a_list_in_trouble_proves_nothing(fake, do):
    fake.faults({"on": "list", "do": do})
    assert isinstance(run(fake, lambda ark: ark.find(search(commission()))), Unclear)


def test_a_search_reads_as_many_pages_as_it_needs(fake):
    work = commission()
    (task_id,) = fake.make(body=body_of(work), age=60)
    fake.make(1100, body=body_of(work, safety_identifier="d" * 64), status="succeeded")
    found = run(fake, lambda ark: ark.find(search(work)))
    assert isinstance(found, Started)
    assert found.operation["id"] == task_id
    assert fake.calls()["counts"]["list"] == 3


def test_records_older_than_a_week_prove_nothing(fake):
    old = search(commission(), seconds_since=7 * 86_400.0, sent_at=datetime.now(UTC) - timedelta(days=7))
    assert isinstance(run(fake, lambda ark: ark.find(old)), Unclear)


# --- check_many ---


def note(task_id, tier="default", model=MINI, at=None) -> dict:
    return {"id": task_id, "tier": tier, "model": model, "at": at}


def test_five_hundred_are_checked_in_one_call(fake):
    ids = fake.make(500, body={"model": MINI}, status="running")
    fake.alter(ids[7], status="succeeded")
    fake.alter(ids[400], status="failed")
    checks = run(fake, lambda ark: ark.check_many([note(one) for one in ids]))
    assert len(checks) == 500
    assert [at for at, check in enumerate(checks) if isinstance(check, Done)] == [7]
    assert [at for at, check in enumerate(checks) if isinstance(check, Failed)] == [400]
    counts = fake.calls()["counts"]
    assert (counts["list"], counts.get("get", 0)) == (1, 0)


def test_what_the_list_lacks_is_asked_by_id_and_what_is_gone_is_lost(fake):
    ids = fake.make(30, body={"model": MINI}, status="running")
    fake.faults(*[{"on": "list", "match": {"task_id": one}, "do": {"hide": True}} for one in ids[:10]])
    fake.alter(ids[0], vanish=True)
    foreign = [note("cgt-20260101000000-aaaaa"), note("nonsense"), {"attempt_id": "att_1"}, {}, note("../x")]
    checks = run(fake, lambda ark: ark.check_many([*foreign, *(note(one) for one in ids)]))
    assert checks[:6] == [Lost()] * 6
    assert checks[6:] == [Pending()] * 29
    assert fake.calls()["counts"]["get"] == 12


def test_a_task_that_was_just_made_is_not_lost(fake):
    now = int(datetime.now(UTC).timestamp())
    young, old = note("cgt-20260101000000-aaaaa", at=now), note("cgt-20260101000000-bbbbb", at=now - 200)
    checks = run(fake, lambda ark: ark.check_many([young, old]))
    assert isinstance(checks[0], Unseen)
    assert checks[1] == Lost()


@pytest.mark.parametrize("do", [{"status": 429}, {"status": 500}, {"reset": True}, HTML, {"status": 401}, {"drop": 90}])
def test_a_list_in_trouble_leaves_everything_unseen(fake, do):
    ids = fake.make(5, body={"model": MINI}, status="running")
    fake.faults({"on": "list", "do": do})
    checks = run(fake, lambda ark: ark.check_many([note(one) for one in ids]))
    assert all(isinstance(check, Unseen) for check in checks)
    assert fake.calls()["counts"].get("get", 0) == 0


def test_too_long_an_address_is_made_shorter(fake):
    ids = fake.make(200, body={"model": MINI}, status="running")
    fake.faults({"on": "list", "do": {"status": 414}, "times": 1})

    async def story(ark):
        return await ark.check_many([note(one) for one in ids]), await ark.check_many([note(one) for one in ids])

    first, second = run(fake, story)
    assert first == second == [Pending()] * 200
    assert fake.calls()["counts"]["list"] == 5  # 200, then 100 + 100 twice


def test_a_key_for_single_models_names_them(fake):
    others = "dreamina-seedance-2-0-260128"
    ids = [*fake.make(3, body={"model": MINI}, status="running"), *fake.make(3, body={"model": others})]
    notes = [note(one, model=MINI if at < 3 else others) for at, one in enumerate(ids)]
    denied = {"error": {"code": "AccessDenied", "message": "name a model", "param": "filter.model", "type": "x"}}
    fake.faults({"on": "list", "match": {"nth": 1}, "do": {"status": 403, "body": denied}})

    async def story(ark):
        return await ark.check_many(notes), await ark.check_many(notes)

    first, second = run(fake, story)
    assert all(isinstance(check, Pending) for check in [*first, *second])
    counts = fake.calls()["counts"]
    assert (counts["get"], counts["list"]) == (6, 3)


def test_terminal_states_and_nonsense(fake):
    ids = fake.make(6, body={"model": MINI}, status="running")
    states = ("succeeded", "expired", "cancelled", "paused", 7, None)
    for one, status in zip(ids, states, strict=True):
        fake.alter(one, set={"status": status, "usage": {"completion_tokens": -5}, "content": "gone", "seed": "x"})
    checks = run(fake, lambda ark: ark.check_many([note(one) for one in ids]))
    assert isinstance(checks[0], Done)
    assert checks[0].output.tokens is None
    assert [getattr(check, "code", None) for check in checks[1:3]] == ["deadline_exceeded", "canceled"]
    assert all(isinstance(check, Unseen) for check in checks[3:])


# --- cancel and forget ---


@pytest.mark.parametrize(
    ("status", "stopped", "left"),
    [("queued", True, "cancelled"), ("running", False, "running"), ("succeeded", False, "succeeded")],
)
def test_only_a_waiting_task_is_canceled_and_no_record_is_lost(fake, status, stopped, left):
    flex = {"model": "seedance-1-0-pro-250528", "service_tier": "flex"}  # waits for seconds, even here
    (task_id,) = fake.make(body=flex, status=None if status == "queued" else status)

    async def story(ark):
        return await ark.cancel(note(task_id)), await ark.cancel(note(task_id))

    first, again = run(fake, story)
    assert (first, again) == (stopped, stopped)
    assert fake.tasks()[0]["status"] == left


def test_a_task_that_began_meanwhile_runs_on(fake):
    (task_id,) = fake.make(body={"model": MINI}, status="running")
    fake.faults({"on": "get", "do": {"set": {"status": "queued"}}})
    assert run(fake, lambda ark: ark.cancel(note(task_id))) is False
    assert fake.calls()["statuses"]["delete"] == {"409": 1}


@pytest.mark.parametrize("do", [{"status": 500}, {"reset": True}, HTML, {"status": 429}])
def test_trouble_with_a_cancel_or_a_forget_is_no_answer(fake, do):
    (task_id,) = fake.make(body={"model": MINI})
    fake.faults({"on": "delete", "do": do}, {"on": "get", "do": do})

    async def story(ark):
        await ark.forget(note(task_id))
        return await ark.cancel(note(task_id))

    assert run(fake, story) is False


def test_forgetting_deletes_the_record_and_may_be_repeated(fake):
    (task_id,) = fake.make(body={"model": MINI}, status="succeeded")

    async def story(ark):
        for _ in range(2):
            await ark.forget(note(task_id))
        await ark.forget({"attempt_id": "foreign"})
        return await ark.check_many([note(task_id)])

    assert run(fake, story) == [Lost()]
    assert fake.tasks() == []


# --- fetch ---


@pytest.fixture
def done(fake) -> dict:
    body = {"model": MINI, "resolution": "480p", "duration": 4, "return_last_frame": True}
    (task_id,) = fake.make(body=body, status="succeeded")
    return note(task_id)


def test_a_download_that_is_cut_goes_on(fake, done, tmp_path, monkeypatch):
    monkeypatch.setattr("seedance_api.foundation.outbound.RESUME_SECONDS", 0.01)

    async def story(ark):
        whole = await ark.fetch(done, "video", tmp_path / "whole.mp4")
        fake.faults(
            {"on": "download", "do": {"cut": 0.99}, "times": 1}, {"on": "download", "do": {"cut": 0.5}, "times": 2}
        )
        return whole, await ark.fetch(done, "video", tmp_path / "cut.mp4")

    whole, cut = run(fake, story)
    assert isinstance(whole, Fetched)
    assert whole == cut
    assert (tmp_path / "whole.mp4").read_bytes() == (tmp_path / "cut.mp4").read_bytes()


@pytest.mark.parametrize(
    "do",
    [
        {"status": 200, "body": "<html>", "content_type": "text/html"},
        {"empty": True},
        {"status": 403},
        {"status": 500},
        {"reset": True},
        {"cut": 0.5},
        {"content_length": 10**12},
        {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}},
    ],
    ids=lambda do: json.dumps(do)[:40],
)
def test_a_bad_download_is_no_file_and_can_be_tried_again(fake, done, tmp_path, monkeypatch, do):
    monkeypatch.setattr("seedance_api.foundation.outbound.RESUME_SECONDS", 0.01)
    monkeypatch.setattr(fetch, "RESUMES", 2)
    fake.faults({"on": "download", "do": do})
    outcome = run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "v.mp4"))
    assert isinstance(outcome, Unfetched)
    assert outcome.gone is (do == {"content_length": 10**12})
    assert not (tmp_path / "v.mp4").exists()
    fake.clear_faults()
    assert isinstance(run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "v.mp4")), Fetched)


def test_ten_gigabytes_and_a_trickle_are_ended(fake, done, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "MAX_BYTES", 5_000_000)
    fake.faults({"on": "download", "do": {"endless": True}})
    outcome = run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "v.mp4"))
    assert outcome == Unfetched("the file is larger than a video may be", gone=True)
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 1.0)
    fake.clear_faults()
    fake.faults({"on": "download", "do": {"drip": 10}})
    outcome = run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "v.mp4"))
    assert outcome == Unfetched("the file came too slowly")


def test_a_stale_link_is_asked_for_anew_once(fake, done, tmp_path):
    fake.faults({"on": "download", "do": {"status": 403}, "times": 1})
    assert isinstance(run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "v.mp4")), Fetched)
    fake.alter(done["id"], lose_media=True)
    outcome = run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "w.mp4"))
    assert outcome == Unfetched("the file's host answered with status 403", wrong=True)
    day = int(datetime.now(UTC).timestamp()) - 90_000
    fake.alter(done["id"], set={"updated_at": day})
    outcome = run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "w.mp4"))
    assert outcome == Unfetched("the file's host answered with status 403", gone=True, wrong=True)


@pytest.mark.parametrize(
    ("changes", "variant", "gone"),
    [
        ({"unset": ["content"]}, "video", False),
        ({"set": {"content": {"video_url": 7}}}, "video", False),
        ({"unset": ["content.last_frame_url"]}, "last_frame", True),
        ({}, "soundtrack", True),
        ({"set": {"status": "running"}}, "video", False),
        ({"set": {"status": "failed"}}, "video", True),
        ({"set": {"content.video_url": "file:///etc/passwd"}}, "video", False),
        ({"set": {"content.video_url": "http://127.0.0.2:80/x"}}, "video", False),
        ({"set": {"content.video_url": "http://169.254.169.254/latest"}}, "video", False),
        ({"vanish": True}, "video", True),
    ],
    ids=str,
)
def test_where_there_is_nothing_to_fetch(fake, done, tmp_path, changes, variant, gone):
    fake.alter(done["id"], **changes)
    outcome = run(fake, lambda ark: ark.fetch(done, variant, tmp_path / "v.mp4"))
    assert isinstance(outcome, Unfetched)
    assert outcome.gone is gone
    assert list(tmp_path.iterdir()) == []


def test_results_come_from_the_operators_hosts_only(fake, done, tmp_path):
    outcome = run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "v.mp4"), result_hosts=["volces.com"])
    assert isinstance(outcome, Unfetched)
    assert isinstance(
        run(fake, lambda ark: ark.fetch(done, "video", tmp_path / "v.mp4"), result_hosts=["127.0.0.1"]), Fetched
    )


# --- known_since ---


def test_everything_is_known_in_both_tiers(fake):
    fake.make(600, body={"model": MINI, "safety_identifier": "d" * 64}, status="succeeded")
    flex = {"model": "seedance-1-0-pro-250528", "service_tier": "flex"}
    fake.make(2, body=flex)
    fake.make(5, body={"model": MINI}, age=7200)
    known = run(fake, lambda ark: ark.known_since(datetime.now(UTC) - timedelta(hours=1)))
    assert known is not None
    assert len(known.tasks) == 602
    assert {one.customer for one in known.tasks} == {"d" * 64, None}
    assert {one.operation["tier"] for one in known.tasks} == {"default", "flex"}
    assert len({one.operation["id"] for one in known.tasks}) == 602


def test_what_cannot_be_listed_is_not_known(fake):
    fake.faults({"on": "list", "match": {"nth": 2}, "do": {"status": 500}})
    assert run(fake, lambda ark: ark.known_since(datetime.now(UTC))) is None


# --- nonsense ---

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=20)
    | st.sampled_from(["succeeded", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
task_like = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["id", "model", "status", "error", "created_at", "content", "usage", "items", "total"], anything
    ),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=anything | task_like, status=st.sampled_from([200, 200, 201, 400, 404, 429, 500]))
def test_nonsense_is_never_taken_for_a_video(fake, tmp_path, body, status):
    fake.clear_faults()
    do = {"status": status, "body": json.dumps(body), "headers": {"Content-Type": "application/json"}}
    fake.faults(*[{"on": on, "do": do} for on in ("create", "get", "list", "delete")])

    async def story(ark):
        operation = note("cgt-20260101000000-aaaaa")
        started = await ark.start(commission())
        found = await ark.find(search(commission(), told="cgt-20260101000000-aaaaa"))
        checks = await ark.check_many([operation])
        await ark.forget(operation)
        return (
            started,
            found,
            checks[0],
            await ark.cancel(operation),
            await ark.fetch(operation, "video", tmp_path / "v"),
        )

    started, found, check, canceled, fetched = run(fake, story)
    assert isinstance(started, Unclear | Busy | Refused | Started)
    if isinstance(started, Started):
        assert isinstance(body, dict)
        assert body.get("id") == started.operation["id"]
    assert not isinstance(found, Started)
    assert isinstance(check, Unseen | Lost)
    assert canceled is False or status in (400, 404)
    assert isinstance(fetched, Unfetched)


# --- budgets and secrets ---


def test_the_vendors_budgets_are_kept():
    async def story(ark):
        await asyncio.gather(*(ark.check_many([note("cgt-20260101000000-aaaaa")]) for _ in range(3)))
        notes = [{"id": f"cgt-20260101000000-{number:05}", "tier": "default"} for number in range(30)]
        return await ark.check_many(notes)

    with FakeArk(fetch=False) as fake:
        checks = run(fake, story, list_a_second=1.0, gets_a_second=GETS_A_SECOND)
        report = fake.calls("list")
    assert all(check == Lost() for check in checks)
    assert report["over_budget"] == {}
    assert all(later - earlier >= 0.99 for earlier, later in itertools.pairwise(report["times"]))


def test_no_prompt_key_or_link_in_a_log(fake, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    fake.faults({"on": "create", "match": {"nth": 2}, "do": {"reset": True}}, {"on": "download", "do": {"status": 403}})

    async def story(ark):
        operation = await made(ark, prompt="canary prompt")
        unclear = await ark.start(commission("att_2", prompt="canary prompt"))
        assert isinstance(await finished(ark, operation), Done)
        return unclear, await ark.fetch(operation, "video", tmp_path / "v")

    outcomes = run(fake, story)
    for word in ("canary", fake.key, "X-Tos", CUSTOMER):
        assert word not in caplog.text
        assert word not in repr(outcomes)
