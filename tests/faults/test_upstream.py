"""F08–F19: whatever an upstream does to a create, to its answers and its callbacks, a video is made once and paid once,
or not at all."""

import time
from itertools import pairwise
from typing import Any

import pytest

from faults.behind import Long
from faults.kit import do
from faults.outcome import paid, unpaid
from faults.upstream import HTML, Live
from security.attack import log, rows
from stage import until


def test_F09_a_create_that_is_reset_is_made_once(live: Live) -> None:
    made = live.fault("create", {"reset": True, "made": True}, times=1)
    lost = live.fault("create", {"reset": True}, times=1)
    videos = live.create(made), live.create(lost)
    live.completed(videos[0], made, hurried=True)
    # nothing in the list says that it was made: it is not sent again before the list would show it for sure
    live.attempt(videos[1], "unknown")
    for _ in range(5):
        live.hurry(videos[1])
        time.sleep(0.1)
    assert len(live.creates(lost)) == 1
    live.age(videos[1])
    found = live.completed(videos[1], lost, creates=2, hurried=True)
    assert found.states == ["lost", "succeeded"]


def test_F09_without_a_callback_the_list_tells_of_it(live: Live) -> None:
    prompt = live.fault("create", {"reset": True, "made": True}, times=1)
    live.fakes[0].faults({"on": "callback", "match": {"prompt": prompt}, "do": {"none": True}})
    found = live.completed(live.create(prompt), prompt, hurried=True)
    assert found.states == ["succeeded"]
    assert found.attempts[0]["told"] is None


def test_F12_an_overload_closes_the_gate_and_everything_finishes_behind_it(live: Live) -> None:
    """The ten minutes are those of the gate: each of its pauses is taken as over, until they make ten minutes."""
    overloaded = {"status": 429, "body": {"error": {"code": "ServerOverloaded", "message": "busy"}}}
    storm = live.fault("create", overloaded, times=20)
    live.reopen("stormy", forget=True)
    videos = [live.create(f"{storm} {number}", model="seedance-1.0-pro-fast") for number in range(6)]
    seconds, worst, judged = 0.0, 0, 0
    while worst < 20:
        gate = live.closed("stormy", storm)
        seconds, worst = seconds + gate["seconds"], gate["failures"]
        live.hurry(*videos)
        time.sleep(0.1)
        sent = len(live.creates(storm))
        # on a slow machine a short pause may be over by now, and the next create its probe
        if gate["closed_until"] in [one["closed_until"] for one in live.gates("stormy") if (one["seconds"] or 0) > 0]:
            assert sent == worst, "a closed gate lets nothing through"
            judged += 1
        assert {row["state"] for row in live.rows_of(videos)} <= {"queued", "submitting"}, "work waits"
        live.reopen("stormy")
        until(lambda: live.hurry(*videos) or len(live.creates(storm)) > worst, 20)  # noqa: B023
    assert seconds >= 600, "twenty creates in ten minutes"
    assert judged, "the long pauses at least were looked into"
    for found in live.ends(*videos, hurried=True):
        paid(found)
    assert len([one for one in live.creates(storm) if one["status"] == 200]) == 6
    assert all(not one["failures"] for one in live.gates("stormy"))


def test_F12_in_a_storm_of_errors_nobody_spends_his_last_create(live: Live) -> None:
    """A 5xx may hide a task, so each video has two creates and no more. The second waits until the storm is over."""
    storm = f"fault storm {time.time()}."
    for status, code in ((500, "InternalServiceError"), (503, "ServerOverloaded")):
        body = {"error": {"code": code, "message": "sorry"}}
        rule = {"on": "create", "times": 2, "match": {"prompt": storm}, "do": {"status": status, "body": body}}
        live.fakes[0].faults(rule)
    live.reopen("stormy", forget=True)
    videos = [live.create(f"{storm} {number}", model="seedance-1.0-pro-fast") for number in range(4)]

    def all_sent() -> bool:
        live.reopen("stormy")
        live.hurry(*videos)
        return len(live.creates(storm)) == 4

    until(all_sent, 90)
    for video in videos:
        live.attempt(video, "unknown")
        live.age(video)
    lost = "SELECT count(*) AS n FROM attempt WHERE generation_id = ANY ($1) AND state = 'lost'"
    until(lambda: live.hurry(*videos) or rows(live.url, lost, videos)[0]["n"] == 4, 20)
    (gate,) = [one for one in live.gates("stormy") if one["failures"]]
    assert (gate["failures"], gate["closed_until"] is not None) == (4, True), "the breaker is open"
    live.reopen("stormy")
    for _ in range(10):
        live.hurry(*videos)
        time.sleep(0.1)
    assert len(live.creates(storm)) == 4, "the last create is not a probe"
    do(live.url, "UPDATE gate SET closed_until = closed_until - interval '10 minutes' WHERE provider = 'stormy'")
    for found in live.ends(*videos, hurried=True):
        paid(found)
        assert found.states == ["lost", "succeeded"]
    assert len(live.creates(storm)) == 8
    assert len([one for one in live.creates(storm) if one["status"] == 200]) == 4


ANSWERS: dict[str, dict[str, Any]] = {
    "html": {"status": 200, "body": HTML, "headers": {"Content-Type": "text/html"}, "made": True},
    "cut json": {"status": 200, "body": '{"id":"cgt-20261', "made": True},
    "cut connection": {"drop": 100},
    "number": {"status": 200, "body": {"id": 5}, "made": True},
    "list": {"status": 200, "body": ["cgt-20261124000000-aaaaa"], "made": True},
    "path": {"status": 200, "body": {"id": "../../secrets"}, "made": True},
    "nothing": {"status": 204, "body": "", "made": True},
    "error": {"status": 502, "body": HTML, "made": True},
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_F13_a_create_is_answered_with_rubbish(live: Live, answer: str) -> None:
    prompt = live.fault("create", ANSWERS[answer], times=1)
    found = live.completed(live.create(prompt), prompt, hurried=True)
    assert found.states == ["succeeded"]


def test_F13_rubbish_where_nothing_was_made_leads_to_one_more_create(live: Live) -> None:
    prompt = live.fault("create", ANSWERS["html"] | {"made": False}, times=1)
    video = live.create(prompt)
    live.attempt(video, "unknown")
    live.age(video)
    found = live.completed(video, prompt, creates=2, hurried=True)
    assert found.states == ["lost", "succeeded"]


def test_F13_looks_are_answered_with_rubbish(live: Live) -> None:
    """Of a few the upstream is asked by id, of more in one list."""
    odd = {"surprise": {"deep": [1]}, "usage.more": "x", "content.other_url": 5}
    prompts = [live.fault("create", {"set": odd, "stuck": True}) for _ in range(4)]
    videos = [live.create(prompt) for prompt in prompts]
    for video in videos:
        live.reaches(video, "running")
    html, cut, error, reset = (
        {"status": 200, "body": HTML},
        {"status": 200, "body": '{"items":[{"id":'},
        {"status": 500, "body": HTML},
        {"reset": True},
    )
    wrong = [{"items": {"id": 5}, "total": "many"}, {"items": [None, 5, {"id": None}], "total": 3}]
    lists = [html, cut, error, reset, *({"status": 200, "body": body} for body in wrong)]
    for on, rules in (("list", lists), ("get", [html, cut, error, reset, {"status": 200, "body": ["x"]}])):
        live.fakes[0].faults(*({"on": on, "times": 1, "do": what} for what in rules))
        live.met(on, (lambda: live.watch("main")) if on == "list" else lambda: live.look(videos[0]))
    assert {row["state"] for row in live.rows_of(videos)} == {"running"}
    live.fakes[0].alter(*map(live.task, prompts), stuck=False)
    live.watch("main")
    for video, prompt in zip(videos, prompts, strict=True):
        live.completed(video, prompt, hurried=True)


def test_F14_a_task_that_runs_for_ever_ends_at_the_deadline_and_comes_late(live: Live) -> None:
    prompt = live.fault("create", {"stuck": True})
    video = live.create(prompt)
    live.reaches(video, "running")
    until(lambda: [one for one in live.fakes[0].tasks() if prompt in one["prompt"] and one["status"] == "running"])
    live.expire(video)
    found = live.failed(video, prompt, "deadline_exceeded")
    assert found.states == ["lost"]
    live.fakes[0].alter(live.task(prompt), stuck=False)
    live.reconcile()
    (late,) = rows(live.url, "SELECT * FROM discrepancy WHERE attempt_id = $1", found.attempts[0]["id"])
    assert (late["kind"], late["resolved_at"] is not None) == ("late", True), dict(late)
    (after,) = live.ends(video)
    unpaid(after, "deadline_exceeded")
    assert len(after.amounts("upstream")) == 1, "the operator's cost is in the books"
    assert len(live.creates(prompt)) == 1


def test_F15_a_task_that_vanishes_costs_nothing(live: Live) -> None:
    prompt = live.fault("create", {"stuck": True, "vanish": 0.5})
    video = live.create(prompt)
    live.reaches(video, "running")
    until(lambda: not [one for one in live.fakes[0].tasks() if prompt in one["prompt"]])
    asked = live.fakes[0].calls("get")["counts"].get("get", 0)
    until(lambda: live.look(video) or live.fakes[0].calls("get")["counts"].get("get", 0) > asked + 2)
    # not there, but too young for that to mean anything
    assert live.reaches(video, "running", "failed") == "running"
    live.age(video)
    found = live.failed(video, prompt, "provider_lost")
    assert found.states == ["lost"]
    assert found.attempts[0]["reason"] == "provider_lost"


def test_F16_what_is_over_stays_over(live: Live) -> None:
    prompt = live.fault("create", {"backwards": True})
    found = live.completed(live.create(prompt), prompt, hurried=True)
    assert found.states == ["succeeded"]


def test_F17_a_hundred_callbacks_at_once_settle_once(live: Live) -> None:
    prompt = live.fault("callback", {"copies": 100})
    video = live.create(prompt)
    found = live.completed(video, prompt)
    task = live.task(prompt)
    until(lambda: len([one for one in live.fakes[0].callbacks() if one["task_id"] == task]) >= 300, 30)
    said = [one["answer"] for one in live.fakes[0].callbacks() if one["task_id"] == task]
    assert set(said) == {200}
    (again,) = live.ends(video)
    assert (again.row["version"], again.amounts("charge")) == (found.row["version"], found.amounts("charge"))


@pytest.mark.parametrize("state", ["queued", "succeeded"])
def test_F18_a_callback_that_comes_before_the_answer_is_matched(live: Live, state: str) -> None:
    early = live.fault("create", {"before_answer": state, "delay": 0.5}, times=1)
    alone = live.fault("create", {"before_answer": state, "delay": 0.5, "reset": True, "made": True}, times=1)
    videos = live.create(early), live.create(alone)
    assert live.completed(videos[0], early).states == ["succeeded"]
    found = live.completed(videos[1], alone, hurried=True)
    assert found.states == ["succeeded"]
    assert found.attempts[0]["told"] == live.task(alone)


def test_F19_forged_callbacks_are_ignored(live: Live) -> None:
    other = live.fault("create", {"stuck": True})
    prompt = live.fault("create", {"reset": True}, times=1)
    theirs, video = live.create(other), live.create(prompt)
    live.reaches(theirs, "running")
    attempt, their_attempt = live.attempt(video, "unknown"), live.attempt(theirs, "acknowledged")
    url = str(live.creates(prompt)[0]["body"]["callback_url"])
    token = url.rpartition("/")[2]
    body = {"id": live.task(other), "status": "succeeded"}
    before = log(live.service).count("security.forged_callback")
    assert live.post(url[:-1] + ("0" if url[-1] != "0" else "1"), body) == 404
    assert live.post(url.replace(attempt["id"], their_attempt["id"]), body) == 404
    assert live.post(f"{live.service.url}/v1/callbacks/att_nobody/{token}", body) == 404
    assert log(live.service).count("security.forged_callback") == before + 3
    assert live.attempt(video, "unknown")["told"] is None
    # on the right address, but about another's task, or about none: a hint that leads nowhere
    for told in (live.task(other), "cgt-20261124000000-aaaaa", "../x", "", 5, None):
        assert live.post(url, {"id": told}) == 200
        live.hurry(video)
    assert live.post(url, ["x" * 300_000]) == 200
    time.sleep(0.5)
    assert live.attempt(video, "unknown", "acknowledged")["state"] == "unknown"
    live.age(video)
    live.completed(video, prompt, creates=2, hurried=True)
    live.expire(theirs)
    live.failed(theirs, other, "deadline_exceeded")


def test_F11_the_spacing_that_429_asks_for_is_kept(live: Live, long: Long) -> None:
    for found in live.ends(*long.busy):
        paid(found)
    creates = sorted(live.creates(long["busy"]), key=lambda one: one["at"])
    assert [one["status"] for one in creates] == [429] * 20 + [200] * 3
    at_once = [one for one in creates if one["at"] < creates[0]["at"] + 0.5]  # before the first was answered
    times = [one["at"] for one in creates[len(at_once) - 1 : 21]]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 2.0, "Retry-After"
    (gate,) = [one for one in live.gates("busy") if one["model"]]
    assert gate["share"] < 0.5, "it is given less at once"


def test_F08_a_create_that_times_out_on_read_is_made_once(live: Live, long: Long) -> None:
    (found,) = live.ends(long.videos["slow"], seconds=100)
    paid(found)
    assert found.states == ["succeeded"]
    assert len(live.creates(long["slow"])) == 1
    assert time.monotonic() - long.started > 55, "it was waited for"
