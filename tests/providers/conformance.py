"""What the protocol promises, one function a promise: the same for every provider, old and new.

A new provider gets a `Stand` in `test_conformance.py`; the promises are not changed for it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest

from seedance_api.generations.states import FAILURES
from seedance_api.providers.provider import (
    Check,
    Commission,
    Done,
    Failed,
    Fetched,
    Lost,
    NotMade,
    Operation,
    Pending,
    Provider,
    Refused,
    Search,
    Started,
    Unclear,
    Unfetched,
    Unseen,
    is_sandbox,
)

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A provider on the test stand, and what it takes to bring it into each situation."""

    provider: Provider
    commission: Callable[[str], Commission]
    """A short silent 480p clip with its last frame, for this attempt."""
    waiting: Callable[[str], Commission]
    """Work that certainly does not end by itself while the test looks, and can be canceled."""
    failing: Callable[[str], Commission]
    """Work that is taken and then fails."""
    refused: list[Callable[[str], Commission]]
    """Work that is refused at the start."""
    unclear: Callable[[str], AbstractAsyncContextManager[Commission]]
    """Work that is taken, but the answer is lost."""
    unknown: Operation
    """Something that looks like its operation, of work that it was never given."""
    repeats: bool
    """Whether it takes one attempt once, however often it is started."""
    folder: Path


Promise = Callable[[Stand], Awaitable[None]]
PROMISES: list[Promise] = []


def promise(story: Promise) -> Promise:
    """One of the list."""
    PROMISES.append(story)
    return story


async def started(stand: Stand, commission: Commission) -> Operation:
    """Start it, or fail."""
    outcome = await stand.provider.start(commission)
    assert isinstance(outcome, Started), outcome
    return outcome.operation


async def checks_of(stand: Stand, operation: Operation) -> AsyncIterator[Check]:
    """What it says until it is over."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            (check,) = await stand.provider.check_many([operation])
            yield check
            if not isinstance(check, Pending | Unseen):
                return
            await asyncio.sleep(0.05)


async def end_of(stand: Stand, operation: Operation) -> Check:
    """How it ended."""
    return [check async for check in checks_of(stand, operation)][-1]


def search(commission: Commission, **changes) -> Search:
    """A search for it, long after it was sent."""
    base = {
        "attempt_id": commission.attempt_id,
        "order": commission.order,
        "customer": commission.customer,
        "sent_at": datetime.now(UTC) - timedelta(seconds=600),
        "seconds_since": 600.0,
        "seconds_left": commission.seconds_left,
        "nonce": commission.nonce,
    }
    return Search(**(base | changes))


@promise
async def it_says_what_it_is(stand: Stand) -> None:
    """It declares its name, its models and their capacity, and how often it may be asked."""
    capabilities = stand.provider.capabilities
    assert stand.provider.name
    assert stand.commission("att_1").order.model in capabilities.models
    assert all(capacity.concurrency >= 1 for capacity in capabilities.models.values())
    assert capabilities.checks >= 1
    assert capabilities.check_seconds > 0
    assert capabilities.sandbox == is_sandbox(stand.provider.name)


@promise
async def work_is_taken_with_an_id(stand: Stand) -> None:
    """A start is answered with an operation: JSON, with an id of its own."""
    first = await started(stand, stand.commission("att_1"))
    second = await started(stand, stand.commission("att_2"))
    assert isinstance(first["id"], str)
    assert first["id"] != second["id"]
    assert json.loads(json.dumps(first)) == first


@promise
async def an_attempt_is_taken_once(stand: Stand) -> None:
    """The same attempt, started again, is the same work (where the provider can tell)."""
    if not stand.repeats:
        pytest.skip("this provider knows no idempotency key")
    commission = stand.commission("att_1")
    assert await started(stand, commission) == await started(stand, commission)


@promise
async def made_work_is_found(stand: Stand) -> None:
    """What was made is found by its attempt, as the operation that the start gave."""
    commission = stand.commission("att_1")
    operation = await started(stand, commission)
    found = await stand.provider.find(search(commission))
    assert isinstance(found, Started)
    assert found.operation["id"] == operation["id"]


@promise
async def work_with_a_lost_answer_is_found(stand: Stand) -> None:
    """Where the answer to a start was lost, that is no clear answer, and the work is found and finishes."""
    async with stand.unclear("att_1") as commission:
        outcome = await stand.provider.start(commission)
    assert isinstance(outcome, Unclear)
    found = await stand.provider.find(search(commission))
    assert isinstance(found, Started)
    assert isinstance(await end_of(stand, found.operation), Done)


@promise
async def work_that_was_not_made_is_not_found(stand: Stand) -> None:
    """What was never made is not found, even beside others' work of the same kind."""
    await started(stand, stand.commission("att_1"))
    assert isinstance(await stand.provider.find(search(stand.commission("att_2"))), NotMade)


@promise
async def a_refusal_has_a_code_we_know(stand: Stand) -> None:
    """A refusal has one of our codes and words for the customer, and leaves nothing behind."""
    for number, refused in enumerate(stand.refused):
        commission = refused(f"att_{number}")
        outcome = await stand.provider.start(commission)
        assert isinstance(outcome, Refused), outcome
        assert outcome.code in FAILURES
        assert outcome.message
        assert commission.prompt not in outcome.message
        assert isinstance(await stand.provider.find(search(commission)), NotMade)


@promise
async def progress_only_grows_until_it_is_done(stand: Stand) -> None:
    """Checks say pending, with a progress that does not fall, and then done, for ever after."""
    operation = await started(stand, stand.commission("att_1"))
    seen = [check async for check in checks_of(stand, operation)]
    progress = [check.progress for check in seen if isinstance(check, Pending) and check.progress is not None]
    assert progress == sorted(progress)
    assert all(0 <= value <= 99 for value in progress)
    assert isinstance(seen[-1], Done)
    assert await stand.provider.check_many([operation]) == [seen[-1]]


@promise
async def a_failure_has_a_code_we_know(stand: Stand) -> None:
    """Work that fails says so with one of our codes and words for the customer."""
    operation = await started(stand, stand.failing("att_1"))
    check = await end_of(stand, operation)
    assert isinstance(check, Failed)
    assert check.code in FAILURES
    assert check.message
    assert isinstance(await stand.provider.fetch(operation, "video", stand.folder / "failed.mp4"), Unfetched)


@promise
async def many_are_checked_in_their_order(stand: Stand) -> None:
    """Many are checked at once, in the order given, one answer for each, and the unknown are lost."""
    operations = [await started(stand, stand.waiting(f"att_{number}")) for number in range(3)]
    finished = await started(stand, stand.commission("att_done"))
    assert isinstance(await end_of(stand, finished), Done)
    asked = [operations[2], stand.unknown, finished, operations[0], stand.unknown, operations[1]]
    checks = await stand.provider.check_many(asked)
    assert [type(check) for check in checks] == [Pending, Lost, Done, Pending, Lost, Pending]
    assert await stand.provider.check_many([]) == []
    for operation in operations:
        await stand.provider.forget(operation)


@promise
async def the_video_is_what_was_ordered(stand: Stand) -> None:
    """The fetched file is a whole video of the kind that was ordered, and agrees with what the check said."""
    commission = stand.commission("att_1")
    operation = await started(stand, commission)
    check = await end_of(stand, operation)
    assert isinstance(check, Done)
    path = stand.folder / "video.mp4"
    fetched = await stand.provider.fetch(operation, "video", path)
    assert fetched == Fetched(path.stat().st_size)
    with av.open(path) as container:
        frames = sum(1 for _ in container.decode(video=0))
        width, height = container.streams.video[0].width, container.streams.video[0].height
    order, output = commission.order, check.output
    assert (width, height) == (order.width, order.height)
    assert frames == pytest.approx(order.seconds * 24, abs=2)
    assert output.resolution in (None, order.resolution)
    assert output.seconds is None or output.seconds == pytest.approx(order.seconds, abs=0.1)


@promise
async def the_last_frame_is_a_picture(stand: Stand) -> None:
    """The last frame is a picture of the video's size; a variant that does not exist is gone for good."""
    commission = stand.commission("att_1")
    operation = await started(stand, commission)
    check = await end_of(stand, operation)
    assert isinstance(check, Done)
    assert check.output.last_frame
    path = stand.folder / "last"
    assert isinstance(await stand.provider.fetch(operation, "last_frame", path), Fetched)
    with av.open(path) as container:
        picture = next(container.decode(video=0))
    assert (picture.width, picture.height) == (commission.order.width, commission.order.height)
    nothing = await stand.provider.fetch(operation, "soundtrack", stand.folder / "x")
    assert isinstance(nothing, Unfetched)
    assert nothing.gone
    assert not (stand.folder / "x").exists()


@promise
async def what_is_not_finished_cannot_be_fetched(stand: Stand) -> None:
    """What is not finished cannot be fetched yet, and what is unknown never."""
    operation = await started(stand, stand.waiting("att_1"))
    early = await stand.provider.fetch(operation, "video", stand.folder / "x")
    assert isinstance(early, Unfetched)
    assert not early.gone
    never = await stand.provider.fetch(stand.unknown, "video", stand.folder / "x")
    assert isinstance(never, Unfetched)
    assert never.gone
    assert not (stand.folder / "x").exists()
    await stand.provider.forget(operation)


@promise
async def waiting_work_is_canceled(stand: Stand) -> None:
    """A cancel that is answered with yes is final: the work ends as canceled, however often it is asked."""
    operation = await started(stand, stand.waiting("att_1"))
    assert await stand.provider.cancel(operation) is True
    check = await end_of(stand, operation)
    assert isinstance(check, Failed)
    assert check.code == "canceled"
    assert await stand.provider.cancel(operation) is True


@promise
async def finished_work_is_not_canceled(stand: Stand) -> None:
    """A cancel that comes too late is answered with no, and takes nothing away."""
    operation = await started(stand, stand.commission("att_1"))
    assert isinstance(await end_of(stand, operation), Done)
    assert await stand.provider.cancel(operation) is False
    assert isinstance(await end_of(stand, operation), Done)
    assert isinstance(await stand.provider.fetch(operation, "video", stand.folder / "late.mp4"), Fetched)


@promise
async def forgetting_is_final_and_may_be_repeated(stand: Stand) -> None:
    """What is forgotten is gone; to forget it again, or what never was, is no error."""
    operation = await started(stand, stand.commission("att_1"))
    assert isinstance(await end_of(stand, operation), Done)
    for _ in range(2):
        await stand.provider.forget(operation)
    await stand.provider.forget(stand.unknown)
    assert await stand.provider.check_many([operation]) == [Lost()]
    gone = await stand.provider.fetch(operation, "video", stand.folder / "gone.mp4")
    assert isinstance(gone, Unfetched)
    assert gone.gone


@promise
async def foreign_operations_do_no_harm(stand: Stand) -> None:
    """Operations that are not its own are unknown, or a bug that is named; they reach nothing else."""
    operation = await started(stand, stand.commission("att_1"))
    assert isinstance(await end_of(stand, operation), Done)
    foreign: list[Operation] = [
        {},
        {"id": None},
        {"id": 7},
        {"id": "../" + operation["id"]},
        {"id": operation["id"] + "/"},
    ]
    for one in foreign:
        try:
            assert await stand.provider.check_many([one]) == [Lost()]
            await stand.provider.cancel(one)
            await stand.provider.forget(one)
            assert isinstance(await stand.provider.fetch(one, "video", stand.folder / "y"), Unfetched)
        except ValueError as bug:
            assert str(bug) == "not an attempt id"  # noqa: PT017 – either is right
    assert isinstance(await end_of(stand, operation), Done)


@promise
async def everything_is_known(stand: Stand) -> None:
    """Where it says that it can list, everything that it was given is on the list, with how it stands."""
    if not stand.provider.capabilities.lists:
        pytest.skip("this provider keeps no list")
    finished = await started(stand, stand.commission("att_1"))
    assert isinstance(await end_of(stand, finished), Done)
    waiting = await started(stand, stand.waiting("att_2"))
    known = await stand.provider.known_since(datetime.now(UTC) - timedelta(minutes=5))
    assert known is not None
    by_id = {one.operation["id"]: one for one in known.tasks}
    assert isinstance(by_id[finished["id"]].check, Done)
    assert isinstance(by_id[waiting["id"]].check, Pending)
    assert by_id[finished["id"]].customer == stand.commission("att_1").customer
    later = await stand.provider.known_since(datetime.now(UTC) + timedelta(minutes=5))
    assert later is not None
    assert later.tasks == []
    await stand.provider.forget(waiting)
