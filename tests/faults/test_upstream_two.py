"""F10, F23, F24: two upstreams in two regions. The other one is used when nothing was made at the first, and never
before that is known, nor where the customer's data may not go."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from fakes.ark.run import FakeArk
from faults.outcome import paid, unpaid
from faults.upstream import MAIN, Live, fast_fake, table
from security.attack import rows
from stage import fresh_database, until


class Two(Live):
    """The first can be taken off the network, and put back."""

    def leave(self) -> None:
        """Nobody listens at the first one's address any more."""
        self.fakes[0].kill()

    def come_back(self) -> None:
        """It listens again."""
        port = urlsplit(self.fakes[0].url).port
        self.fakes = fast_fake(port=port), self.fakes[1]


@pytest.fixture(scope="module")
def both(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with fresh_database(postgres) as url, fast_fake() as other:
        first: FakeArk = fast_fake()
        tables = [table("first", first.url, MAIN, region="ap"), table("other", other.url, MAIN, region="eu")]
        live = Two(url, tmp_path_factory.mktemp("live"), "".join(tables), first, other)
        try:
            yield live
        finally:
            live.stop()
            live.fakes[0].stop()


@pytest.fixture
def two(both: Two) -> Iterator[Two]:
    """Both, with their gates open; after the test the invariants hold and nothing has crashed."""
    for name in ("first", "other"):
        both.reopen(name, forget=True)
    both.allow()
    yield both
    both.is_sound()


def test_F10_a_refused_connection_goes_to_the_other_one(two: Two) -> None:
    two.leave()
    try:
        prompt = "fault refused, both allowed."
        found = two.completed(two.create(prompt), prompt, fake=1, hurried=True)
    finally:
        two.come_back()
    assert set(found.states) == {"rejected", "succeeded"}, "nothing left this machine, and that is known"
    assert [one["provider"] for one in found.attempts][-1] == "other"
    assert two.creates(prompt, 0) == []


def test_F10_with_nobody_else_a_refused_connection_is_tried_again(two: Two) -> None:
    two.allow("ap")
    two.leave()
    try:
        prompt = "fault refused, one allowed."
        video = two.create(prompt)
        until(lambda: [one for one in two.gates("first") if one["failures"] >= 3] or two.hurry(video), 30)
        assert two.closed("first")["reason"]
    finally:
        two.come_back()
    two.reopen("first")
    found = two.completed(video, prompt, hurried=True)
    assert set(found.states) == {"rejected", "succeeded"}
    assert found.states.count("rejected") >= 3
    assert two.creates(prompt, 1) == []


def test_F23_the_other_one_is_not_used_while_the_first_is_unclear(two: Two) -> None:
    prompt = two.fault("create", {"reset": True, "made": True, "stuck": True}, times=1)
    quiet = {"match": {"prompt": prompt}}
    two.fakes[0].faults({"on": "callback", "do": {"none": True}} | quiet)
    two.fakes[0].faults({"on": "list", "do": {"hide": True}, "times": 3} | quiet)
    video = two.create(prompt)
    two.attempt(video, "unknown")
    hidden = two.fakes[0].rules
    until(lambda: [one for one in hidden() if one["rule"]["on"] == "list" and one["used"] == 3] or two.hurry(video), 30)
    assert len(two.creates(prompt)) == 1
    assert two.creates(prompt, 1) == []
    two.reaches(video, "submitting", "running")
    until(lambda: two.hurry(video) or two.reaches(video, "submitting", "running") == "running", 20)
    two.fakes[0].alter(two.task(prompt), stuck=False)
    two.look(video)
    found = two.completed(video, prompt)
    assert found.states == ["succeeded"]
    assert two.creates(prompt, 1) == []


def test_F23_the_other_one_is_used_once_the_first_has_surely_made_nothing(two: Two) -> None:
    """The first's video turns up all the same: the customer pays for one, and the operator sees both bills."""
    prompt = two.fault("create", {"reset": True, "made": True}, times=1)
    quiet = {"match": {"prompt": prompt}}
    two.fakes[0].faults({"on": "callback", "do": {"none": True}} | quiet, {"on": "list", "do": {"hide": True}} | quiet)
    video = two.create(prompt)
    two.attempt(video, "unknown")
    two.age(video)
    found = two.completed(video, prompt, fake=1, hurried=True)
    assert [(one["provider"], one["state"]) for one in found.attempts] == [("first", "lost"), ("other", "succeeded")]
    assert len(two.creates(prompt)) == 1
    task = two.task(prompt)
    two.fakes[0].clear_faults()
    two.fakes[0].alter(task, set={"created_at": two.fakes[0].tasks(1)[0]["created_at"] - 600})
    two.reconcile()
    (orphan,) = rows(two.url, "SELECT * FROM discrepancy WHERE operation_id = $1", task)
    assert (orphan["kind"], orphan["provider"], orphan["resolved_at"]) == ("orphan", "first", None)
    assert json.loads(orphan["detail"])["tokens"] > 0
    (after,) = two.ends(video)
    paid(after)


def test_F24_what_may_not_leave_its_region_waits_for_it(two: Two) -> None:
    two.allow("ap")
    busy = {"status": 429, "headers": {"Retry-After": "600"}, "body": {"error": {"code": "RequestBurstTooFast"}}}
    prompt = two.fault("create", busy, times=1)
    video, behind = two.create(prompt), two.create("fault behind.")
    two.closed("first")
    for _ in range(5):
        two.hurry(video, behind)
        two.dispatch("first")
    assert {one["provider"] for one in two.rows_of([video, behind])} == {"first"}
    two.reopen("first")
    two.dispatch("first")
    two.completed(video, prompt, creates=2, hurried=True)
    two.completed(behind, "fault behind.", hurried=True)
    assert two.creates(prompt, 1) == []
    assert two.creates("fault behind.", 1) == []


def test_F24_at_its_deadline_it_fails_rather_than_leave_its_region(two: Two) -> None:
    two.allow("ap")
    two.leave()
    try:
        prompt = "fault refused to the end."
        video = two.create(prompt)
        two.attempt(video, "rejected", "planned")
        two.expire(video)
        (found,) = two.ends(video, hurried=True)
    finally:
        two.come_back()
    unpaid(found, "provider_overloaded", "deadline_exceeded")
    assert two.creates(prompt, 1) == []


def test_F24_regions_that_no_upstream_has_are_refused(two: Two) -> None:
    two.allow("us")
    with two.service.client() as client:
        answer = client.post("/v1/videos", json={"prompt": "x", "model": MAIN})
    assert 400 <= answer.status_code < 500
    assert rows(two.url, "SELECT count(*) AS n FROM hold WHERE state = 'held'")[0]["n"] == 0
