"""Following: every change is seen, nothing is seen by those who may not, and streams are bounded."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import pytest

from generations.kit import Owner, new, owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations.follow import Changes, Streams, follow, next_state
from seedance_api.generations.read import Reader
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import State
from seedance_api.generations.write import Writer


async def _yes() -> bool:
    return True


class Stage:
    """A generation that is followed."""

    def __init__(self, db: Database, me: Owner, generation_id: str) -> None:
        self._db, self.me, self.id = db, me, generation_id
        self.changes = Changes()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def follow(self, is_allowed: Callable[[], Awaitable[bool]] = _yes) -> AsyncGenerator[Seen | None, None]:
        return follow(
            self.me.account_id,
            False,
            self.id,
            key_id=self.me.key_id,
            reader=Reader(self._db),
            changes=self.changes,
            is_allowed=is_allowed,
            gone=self.gone,
        )

    async def move(self, change: str) -> None:
        await self._db.execute(f"UPDATE generation SET {change} WHERE id = $1", self.id)  # type: ignore[arg-type]
        self.changes.tell(self.id)


async def staged(db: Database) -> Stage:
    me = await owner(db)
    return Stage(db, me, (await Writer(db)(new(me))).generation_id)


async def seen(following: AsyncGenerator[Seen | None, None]) -> Seen:
    found = await anext(following)
    assert found is not None
    return found


async def over(following: AsyncGenerator[Seen | None, None]) -> bool:
    """Whether there is no more to come."""
    return await anext(following, "over") == "over"


def test_each_change_is_seen_until_the_end(database_url: str) -> None:
    async def verb(db: Database) -> None:
        stage = await staged(db)
        async with aclosing(stage.follow()) as following:
            states = [(await seen(following)).state]
            for change in ("state = 'submitting'", "state = 'canceled', finished_at = now()"):
                await stage.move(change)
                states.append((await seen(following)).state)
            assert states == [State.QUEUED, State.SUBMITTING, State.CANCELED]
            assert await over(following)

    with_database(database_url, verb)


def test_it_ends_when_the_follower_leaves_or_the_generation_is_deleted(database_url: str) -> None:
    async def verb(db: Database) -> None:
        stage = await staged(db)
        async with aclosing(stage.follow()) as following:
            await anext(following)
            stage.gone.set_result(None)
            while not await over(following):
                pass
        other = Stage(db, stage.me, stage.id)
        async with aclosing(other.follow()) as following:
            await anext(following)
            await other.move("state = 'canceled', finished_at = now(), deleted_at = now()")
            assert await over(following)

    with_database(database_url, verb)


def test_who_is_not_allowed_any_more_sees_nothing_more(database_url: str) -> None:
    async def verb(db: Database) -> None:
        stage, allowed = await staged(db), [True]

        async def is_allowed() -> bool:
            return allowed[0]

        async with aclosing(stage.follow(is_allowed)) as following:
            await anext(following)
            allowed[0] = False
            stage.changes.tell(stage.me.key_id)
            assert await over(following)

    with_database(database_url, verb)


def test_a_while_without_a_change_is_told(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance_api.generations.follow.KEEP_ALIVE_SECONDS", 0.01)

    async def verb(db: Database) -> None:
        stage = await staged(db)
        async with aclosing(stage.follow()) as following:
            assert await anext(following) is not None
            assert await anext(following) is None

    with_database(database_url, verb)


async def waited(stage: Stage, seconds: float, *, known: bool = True) -> State | None:
    found = await next_state(stage.follow(), seconds, says=lambda seen: seen.state, is_known=lambda _: known)
    return found.state if found else None


async def on_its_way(waiting: asyncio.Task[State | None]) -> None:
    """Until it has looked for the first time: what it then does not hear it would have seen."""
    await asyncio.sleep(0.05)
    assert not waiting.done()


def test_the_next_state_is_waited_for_by_several(database_url: str) -> None:
    async def verb(db: Database) -> None:
        stage = await staged(db)
        waiting = [asyncio.create_task(waited(stage, 60)) for _ in range(3)]
        for one in waiting:
            await on_its_way(one)
        stage.changes.tell(stage.id)  # a change of something that is not said
        await on_its_way(waiting[0])
        await stage.move("state = 'submitting'")
        assert await asyncio.wait_for(asyncio.gather(*waiting), 30) == [State.SUBMITTING] * 3

    with_database(database_url, verb)


def test_what_is_not_known_or_is_over_is_not_waited_for(database_url: str) -> None:
    async def verb(db: Database) -> None:
        stage = await staged(db)
        assert await waited(stage, 0.01) is None
        assert await waited(stage, 60, known=False) is State.QUEUED
        waiting = asyncio.create_task(waited(stage, 60))
        await on_its_way(waiting)
        stage.changes.stop()
        assert await asyncio.wait_for(waiting, 30) is None
        assert await waited(stage, 60) is None, "the process is stopping"
        other = Stage(db, stage.me, stage.id)
        await other.move("state = 'canceled', finished_at = now()")
        assert await waited(other, 60) is None

    with_database(database_url, verb)


def test_a_timeout_of_the_database_is_no_end_of_the_wait(database_url: str) -> None:
    async def fails() -> bool:
        raise TimeoutError

    async def verb(db: Database) -> None:
        stage = await staged(db)
        waiting = asyncio.create_task(
            next_state(stage.follow(fails), 60, says=lambda seen: seen.state, is_known=lambda _: True)
        )
        await asyncio.sleep(0.05)
        stage.changes.tell(stage.id)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiting, 30)

    with_database(database_url, verb)


def test_streams_of_one_account_are_bounded_and_of_others_not() -> None:
    streams = Streams(1)
    with streams.of("acc_1"), streams.of("acc_2"):
        with pytest.raises(AppError) as refused, streams.of("acc_1"):
            pass
        assert (refused.value.code, refused.value.headers) == ("too_many_streams", {"Retry-After": "5"})
    with streams.of("acc_1"):
        pass
