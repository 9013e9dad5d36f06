import asyncio

import pytest

from seedance_api.foundation.batch import Batch, Batches


def test_one_tick_is_one_call() -> None:
    calls: list[list[int]] = []

    async def double(items: list[int]) -> list[int]:
        calls.append(items)
        await asyncio.sleep(0)
        return [item * 2 for item in items]

    async def main() -> list[int]:
        batch: Batch[int, int] = Batch(double)
        return await asyncio.gather(*(batch(n) for n in range(10)))

    assert asyncio.run(main()) == [n * 2 for n in range(10)]
    assert calls == [list(range(10))]


def test_what_waits_during_a_call_goes_together_and_no_call_is_too_big() -> None:
    calls: list[int] = []

    async def run(items: list[int]) -> list[int]:
        calls.append(len(items))
        await asyncio.sleep(0.01)
        return items

    async def main() -> None:
        batch: Batch[int, int] = Batch(run, max_items=8, concurrency=1)
        first = asyncio.create_task(batch(0))
        await asyncio.sleep(0.001)
        await asyncio.gather(first, *(batch(n) for n in range(20)))

    asyncio.run(main())
    assert calls == [1, 8, 8, 4]


def test_an_exception_reaches_only_its_own_caller() -> None:
    async def run(items: list[int]) -> list[int | Exception]:
        return [ValueError(str(item)) if item % 2 else item for item in items]

    async def main() -> list[object]:
        batch: Batch[int, int] = Batch(run)
        return await asyncio.gather(*(batch(n) for n in range(4)), return_exceptions=True)

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [int, ValueError, int, ValueError]


def test_a_failing_call_fails_everyone_in_it_and_the_next_one_works() -> None:
    async def run(items: list[int]) -> list[int]:
        if 13 in items:
            raise OSError("down")
        return items

    async def main() -> None:
        batch: Batch[int, int] = Batch(run)
        answers = await asyncio.gather(batch(1), batch(13), return_exceptions=True)
        assert all(isinstance(answer, OSError) for answer in answers)
        assert await batch(2) == 2

    asyncio.run(main())


@pytest.mark.parametrize("keyed", [False, True])
def test_after_a_failing_call_each_is_done_alone_where_that_is_asked_for(keyed: bool) -> None:
    calls: list[list[int]] = []

    async def run(items: list[int]) -> list[int]:
        calls.append(items)
        if 13 in items:
            raise OSError("down")
        return items

    async def alone(item: int) -> int:
        (answer,) = await run([item])
        return -answer

    async def main() -> list[int | BaseException]:
        one: Batch[int, int] = Batch(run, alone=alone)
        several: Batches[str, int, int] = Batches(run, key=lambda _: "one", alone=alone)
        batch = several if keyed else one
        return await asyncio.gather(*(batch(n) for n in (1, 13, 2)), return_exceptions=True)

    first, fault, second = asyncio.run(main())
    assert (first, second) == (-1, -2)
    assert isinstance(fault, OSError)
    assert calls == [[1, 13, 2], [1], [13], [2]]


def test_too_few_answers_hang_nobody() -> None:
    async def run(items: list[int]) -> list[int]:
        return items[:-1]

    async def main() -> None:
        batch: Batch[int, int] = Batch(run)
        with pytest.raises(AssertionError):
            await asyncio.wait_for(batch(1), 1)

    asyncio.run(main())


def test_a_caller_that_leaves_takes_its_item_along() -> None:
    calls: list[list[int]] = []

    async def run(items: list[int]) -> list[int]:
        calls.append(items)
        await asyncio.sleep(0.01)
        return items

    async def main() -> None:
        batch: Batch[int, int] = Batch(run, concurrency=1)
        first = asyncio.create_task(batch(1))
        await asyncio.sleep(0.001)
        second = asyncio.create_task(batch(2))
        await asyncio.sleep(0)
        second.cancel()
        assert await first == 1
        assert await batch(3) == 3

    asyncio.run(main())
    assert calls == [[1], [3]]
