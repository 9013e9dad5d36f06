"""Magic values: read from one table, documented, and each does what it says."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import av
import pytest
from av.error import FFmpegError
from obstore.store import LocalStore

from providers.sandbox.kit import PROMPT, commission, finished, search
from seedance_api.providers.provider import (
    Busy,
    Done,
    Failed,
    Fetched,
    Lost,
    NotMade,
    Pending,
    Refused,
    Started,
    Unclear,
)
from seedance_api.providers.sandbox.magic import SPELLS, Magic, Spell, read_magic, without_magic
from seedance_api.providers.sandbox.sandbox import Sandbox


def run(tmp_path, story, **kwargs):
    """Run a story with a sandbox of its own."""

    async def told():
        sandbox = Sandbox(
            store=LocalStore(tmp_path / "store", mkdir=True), scratch=tmp_path / "scratch", renderers=1, **kwargs
        )
        try:
            await story(sandbox)
        finally:
            await sandbox.close()

    asyncio.run(told())


def magic(spell, attempt_id="att_1", **changes):
    return commission(attempt_id=attempt_id, prompt=f"{PROMPT} [sandbox:{spell}]", **changes)


@pytest.mark.parametrize("spell", [s for s in Spell if s is not Spell.SLOW])
def test_every_value_is_read(spell):
    for text in (f"[sandbox:{spell}]", f"a [SANDBOX:{spell.upper()}] b", f"[sandbox: {spell} ]"):
        assert read_magic(text) == Magic(frozenset({spell}))


def test_several_values_are_read_together():
    assert read_magic("[sandbox:slow=2] x [sandbox:fail]") == Magic(frozenset({Spell.SLOW, Spell.FAIL}), 2)


@pytest.mark.parametrize(
    "text", ["nosuch", "", "fail=1", "slow", "slow=", "slow=0", "slow=601", "slow=x", "slow=-1", "slow=1.5", "slow=²"]
)
def test_an_unknown_value_is_refused_with_the_known_ones(text):
    refused = read_magic(f"x [sandbox:{text}]")
    assert isinstance(refused, Refused)
    assert refused.code == "invalid_sandbox_value"
    assert all(spell.value in refused.message for spell in Spell)


@pytest.mark.parametrize("text", ["sandbox:fail", "[sandbox]", "[sand box:fail]", "(sandbox:fail)", ""])
def test_what_is_no_magic_value_is_left_alone(text):
    assert read_magic(text) == Magic()
    assert without_magic(text) == text


def test_magic_values_are_taken_out_of_the_prompt():
    assert without_magic("[sandbox:slow=3] A  cat [sandbox:fail] sleeps ") == "A cat sleeps"


def test_every_value_is_documented():
    page = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()
    assert set(SPELLS) == set(Spell)
    for spell, meaning in SPELLS.items():
        assert f"[sandbox:{spell}" in page
        assert meaning in page


def test_fail(tmp_path):
    async def story(sandbox):
        started = await sandbox.start(magic("fail"))
        check = await finished(sandbox, started.operation)
        assert isinstance(check, Failed)
        assert check.code == "provider_failed"

    run(tmp_path, story)


def test_input_moderated(tmp_path):
    async def story(sandbox):
        refused = await sandbox.start(magic("input_moderated"))
        assert isinstance(refused, Refused)
        assert refused.code == "input_moderated"
        assert await sandbox.find(search("att_1")) == NotMade()

    run(tmp_path, story)


def test_output_moderated(tmp_path):
    async def story(sandbox):
        started = await sandbox.start(magic("output_moderated"))
        check = await finished(sandbox, started.operation)
        assert isinstance(check, Failed)
        assert check.code == "output_moderated"
        assert not isinstance(await sandbox.fetch(started.operation, "video", tmp_path / "v.mp4"), Fetched)

    run(tmp_path, story)


def test_overloaded_until_three_seconds_have_passed(tmp_path):
    now = [1000.0]

    async def story(sandbox):
        for attempt, at in enumerate((1000.0, 1002.9)):
            now[0] = at
            refused = await sandbox.start(magic("overloaded", f"att_{attempt}", deadline_seconds=1e9))
            assert isinstance(refused, Busy)
        other = await sandbox.start(magic("overloaded", "att_other", seed=99, deadline_seconds=1e9))
        assert isinstance(other, Busy)
        now[0] = 1003.0
        assert isinstance(await sandbox.start(magic("overloaded", "att_3", deadline_seconds=1e9)), Started)

    run(tmp_path, story, clock=lambda: now[0])


def test_unclear_work_is_found(tmp_path):
    async def story(sandbox):
        assert await sandbox.find(search("att_1")) == NotMade()
        assert isinstance(await sandbox.start(magic("unclear")), Unclear)
        found = await sandbox.find(search("att_1"))
        assert isinstance(found, Started)
        assert isinstance(await finished(sandbox, found.operation), Done)
        assert await sandbox.start(magic("unclear")) == found

    run(tmp_path, story)


def test_stalled_work_stays_pending_and_holds_up_nobody(tmp_path):
    async def story(sandbox):
        stalled = await sandbox.start(magic("stall"))
        other = await sandbox.start(commission(attempt_id="att_2"))
        assert isinstance(await finished(sandbox, other.operation), Done)
        assert await sandbox.check_many([stalled.operation]) == [Pending(0)]
        assert await sandbox.cancel(stalled.operation)
        assert isinstance((await sandbox.check_many([stalled.operation]))[0], Failed)

    run(tmp_path, story)


def test_stalled_work_ends_at_its_deadline(tmp_path):
    async def story(sandbox):
        stalled = await sandbox.start(magic("stall", deadline_seconds=0.3))
        check = await finished(sandbox, stalled.operation)
        assert isinstance(check, Failed)
        assert check.code == "deadline_exceeded"

    run(tmp_path, story)


def test_slow_work_takes_its_time_and_tells_how_far_it_is(tmp_path):
    async def story(sandbox):
        loop = asyncio.get_running_loop()
        before, seen = loop.time(), []
        started = await sandbox.start(magic("slow=2"))
        while isinstance(check := (await sandbox.check_many([started.operation]))[0], Pending):
            seen.append((loop.time() - before, check.progress))
            await asyncio.sleep(0.05)
        assert isinstance(check, Done)
        assert loop.time() - before >= 2
        shown = [progress for _, progress in seen]
        assert shown == sorted(shown)
        assert len(set(shown)) >= 5
        assert all(progress <= 99 for progress in shown)

    run(tmp_path, story)


def test_vanished_work_is_lost(tmp_path):
    async def story(sandbox):
        started = await sandbox.start(magic("vanish"))
        assert isinstance(started, Started)
        assert await sandbox.check_many([started.operation]) == [Lost()]

    run(tmp_path, story)


def test_a_broken_file_is_cut_off(tmp_path):
    async def story(sandbox):
        started = await sandbox.start(magic("broken"))
        assert isinstance(await finished(sandbox, started.operation), Done)
        assert isinstance(await sandbox.fetch(started.operation, "video", tmp_path / "v.mp4"), Fetched)

    run(tmp_path, story)
    assert readable_frames(tmp_path / "v.mp4") < 25


def readable_frames(path):
    count = 0
    with suppress(FFmpegError), av.open(str(path), "r") as container:
        for _ in container.decode(video=0):
            count += 1
    return count


def test_a_deadline_goes_by_the_clock_that_it_was_set_by(tmp_path):
    """The database's: on a machine whose own is an hour late, a deadline that is over is over all the same."""

    async def story(sandbox):
        over = await sandbox.start(magic("stall", "att_over", deadline_seconds=1800))
        check = await finished(sandbox, over.operation, 10)
        assert isinstance(check, Failed)
        assert check.code == "deadline_exceeded"

    run(tmp_path, story, clock=lambda: time.time() + 3600)


def test_work_of_a_dead_worker_is_taken_up_although_the_clock_was_set_back(tmp_path):
    now = [10_000.0]

    async def story(sandbox):
        taken = await sandbox.start(magic("stall", "att_1", deadline_seconds=1e9))
        work = sandbox._studio._works.pop("att_1")  # as if its worker were dead
        work.task.cancel()
        now[0] -= 3600
        assert isinstance((await sandbox.check_many([taken.operation]))[0], Pending)
        assert sandbox._studio.progress("att_1") is not None, "it is ours now"

    run(tmp_path, story, clock=lambda: now[0])
