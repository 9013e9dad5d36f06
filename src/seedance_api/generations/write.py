"""Write new generations: everything that must be true together is in one transaction."""

import asyncio
from collections.abc import Sequence
from functools import partial

import asyncpg
import msgspec

from seedance_api.billing.hold import take_holds, write_holds
from seedance_api.foundation import jobs, kill_points
from seedance_api.foundation.batch import Batch, Batches
from seedance_api.foundation.db import UNREACHABLE, Connection, Database, wait_for_locks
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Done, Finder, Kind, Once, take, untake
from seedance_api.generations import drafts
from seedance_api.generations.announce import announce_news
from seedance_api.generations.queries.inserts import NewGeneration, insert_generations, insert_media
from seedance_api.generations.rows import Seen
from seedance_api.references.queries import ObjectGoneError, hold_files, insert_files
from seedance_api.references.room import without_room
from seedance_api.webhooks.announce import announce
from seedance_api.webhooks.endpoints import endpoints_for

_FIND_OUT_SECONDS = 3.0
_IMPATIENT_SECONDS = 0.25
_APART_SECONDS = 8.0
"""How long creates of an account that is locked wait for each other, and for those of other such accounts."""
_RETRY_SECONDS = 10
_MAX_CROWDED = 10_000


class Created(msgspec.Struct, frozen=True):
    """The generation that stands for the request; `replayed` when an earlier request made it."""

    generation_id: str
    seen: Seen | None
    """As its owner sees it, where this very request made it."""
    replayed: bool


class Writer:
    """Writes concurrent creates in one transaction of up to 64: idempotency, hold, generation, inputs, dispatch job.

    A transaction of many accounts has no patience with locks. When one of them is locked, each account's creates get
    transactions of their own, which wait for `API.lock_seconds`: nobody waits for another account's wallet.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._find = Finder(db)
        self._together: Batch[NewGeneration, Created] = Batch(
            partial(self._write, lock_seconds=_IMPATIENT_SECONDS),
            alone=partial(self._write_alone, lock_seconds=_IMPATIENT_SECONDS),
            max_items=64,
            concurrency=2,
        )
        self._crowded: set[str] = set()
        """Accounts with as many unfinished live videos as they may have: a refusal undoes what is written with it."""
        self._apart: Batches[str, NewGeneration, Created] = Batches(
            self._write, key=lambda new: new.account_id, alone=self._write_alone, max_items=64, concurrency=4
        )

    async def __call__(self, new: NewGeneration) -> Created:
        """Store it.

        Raises AppError: 402 for want of money, 429 for too many unfinished ones of the account, 422 when its key was
        used with another body; ObjectGoneError; and what is in `CONTENDED`, when something of its account stays locked.
        """
        if new.account_id not in self._apart and new.account_id not in self._crowded:
            try:
                return await self._together(new)
            except asyncpg.LockNotAvailableError:
                pass
            except AppError as error:
                if error.code == "too_many_pending" and new.livemode and len(self._crowded) < _MAX_CROWDED:
                    self._crowded.add(new.account_id)
                raise
        async with asyncio.timeout(_APART_SECONDS):
            created = await self._apart(new)
        self._crowded.discard(new.account_id)
        return created

    async def find(self, once: Once) -> Created | None:
        """The generation that an earlier request with this key made. Raises AppError 422, or 409 while it is made."""
        return _replay(await self._find(once))

    async def earlier(self, once: Once) -> Created:
        """The generation that another request has just made in our stead. Raises AppError as `find` does."""
        replay = _replay(await self._find.earlier(once))
        if replay is None:  # it was refused, or is over, in this very moment
            raise AppError("idempotency_in_progress", headers={"Retry-After": "1"})
        return replay

    async def _write(self, news: list[NewGeneration], lock_seconds: float | None = None) -> list[Created | Exception]:
        """Write them in one transaction. Raises when one has a fault: then each is written alone."""
        for last in (False, False, True):
            try:
                return await self._write_together(news, lock_seconds)
            except asyncpg.LockNotAvailableError as error:
                return [error] * len(news)
            except asyncpg.TransactionRollbackError as error:  # a deadlock, say: nothing is written
                if last:
                    return [error] * len(news)
            except UNREACHABLE as error:
                return await self._find_out(news, error)
        raise AssertionError("the last try returns or raises")

    async def _write_alone(self, new: NewGeneration, lock_seconds: float | None = None) -> Created:
        try:
            (answer,) = await self._write_together([new], lock_seconds)
        except asyncpg.ForeignKeyViolationError:
            raise AppError("invalid_media", "An input of the draft was deleted meanwhile.") from None
        except _OvertakenError:
            return await self.earlier(new.once)
        except UNREACHABLE as error:
            (answer,) = await self._find_out([new], error)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _find_out(self, news: list[NewGeneration], error: Exception) -> list[Created | Exception]:
        """The connection was lost, perhaps after the commit: what is written is answered as such."""
        try:
            async with asyncio.timeout(_FIND_OUT_SECONDS):
                found = await self._db.fetch("SELECT id FROM generation WHERE id = ANY ($1)", [new.id for new in news])
        except UNREACHABLE:
            return [error] * len(news)
        there = {record["id"] for record in found}
        return [Created(new.id, None, False) if new.id in there else error for new in news]

    async def _write_together(self, news: list[NewGeneration], lock_seconds: float | None) -> list[Created | Exception]:
        kill_points.reach("create.checked")
        answers: dict[str, Created | Exception] = {}
        async with self._db.transaction() as connection:
            if lock_seconds is not None:
                await wait_for_locks(connection, lock_seconds)
            # the files first, as whoever deletes files locks them
            bases = {new.draft_id for new in news if new.draft_id}
            named = {file_id for new in news for file_id in new.uploads | new.shared}
            there = await hold_files(connection, named | await drafts.files_of(connection, bases))
            usable = await drafts.hold(connection, bases)
            for new in news:
                if not there.issuperset(new.uploads):
                    answers[new.id] = AppError("invalid_media", "A file that the request names was deleted meanwhile.")
                elif not there.issuperset(new.shared):
                    answers[new.id] = ObjectGoneError()
                elif new.draft_id is not None and new.draft_id not in usable:
                    answers[new.id] = AppError("draft_expired", param="draft_id")
            writable = [new for new in news if new.id not in answers]
            bringing = [new for new in writable if new.new_files]
            refusals = await without_room(connection, [new.new_files for new in bringing])
            answers |= {new.id: refusal for new, refusal in zip(bringing, refusals, strict=True) if refusal}
            writable = [new for new in writable if new.id not in answers]
            fresh = await _take_keys(connection, writable)
            kill_points.reach("create.taken")
            granted = await take_holds(connection, [new.hold for new in fresh if new.hold])
            kill_points.reach("create.held")
            answers |= granted.refused
            paid = [new for new in fresh if new.id not in answers]
            hooks = await endpoints_for(connection, [new.hook for new in paid if new.hook])
            written = await insert_generations(connection, paid, hooks)
            crowded = {new.id: _too_many(new) for new in paid if new.id not in written}
            held = {hold.generation_id for hold in granted.holds}
            if crowded.keys() & held:  # its money is moved already: all of it is undone
                raise next(iter(crowded.values()))
            paid = [new for new in paid if new.id in written]
            await _note_contents(connection, paid)
            await insert_files(connection, [file for new in paid for file in new.new_files])
            await insert_media(connection, paid)
            await write_holds(connection, granted)
            await announce(connection, "video.queued", list(written))
            await announce_news(connection, granted.news)
            answers |= {new.id: Created(new.id, written[new.id], False) for new in paid} | crowded
            refused = granted.refused | crowded
            await _give_keys_back(connection, [new for new in fresh if new.id in refused])
            for provider in sorted({new.provider for new in paid}):
                await jobs.enqueue(connection, "dispatch", [provider], group=provider)
            kill_points.reach("create.written")
        kill_points.reach("create.committed")
        twins = {new.once.place: answers[new.id] for new in fresh if new.id in refused}
        for new in writable:
            if new.id not in answers:
                answers[new.id] = twins.get(new.once.place) or await self._try_earlier(new.once)
        return [answers[new.id] for new in news]

    async def _try_earlier(self, once: Once) -> Created | Exception:
        try:
            return await self.earlier(once)
        except AppError as error:
            return error


def _too_many(new: NewGeneration) -> AppError:
    which = "live" if new.livemode else "test"
    message = (
        f"This account has {new.max_pending:,} unfinished videos of its {which} keys, as many as it may have. "
        "Create more when some are finished, or cancel some."
    )
    return AppError("too_many_pending", message, headers={"Retry-After": str(_RETRY_SECONDS)})


class _OvertakenError(Exception):
    """A first request finds that what it would do was done by its own retry: it writes nothing."""


def _replay(done: Done | None) -> Created | None:
    return Created(done.subject, None, True) if done and done.subject else None


async def _take_keys(connection: Connection, news: Sequence[NewGeneration]) -> list[NewGeneration]:
    """Those that are to be done, in their order: the first of each key, and each that only its content names."""
    named = [new for new in news if new.once.kind is not Kind.CONTENT]
    mine = await take(connection, [new.once for new in named], [new.id for new in named])
    others = {new.id for new, is_mine in zip(named, mine, strict=True) if not is_mine}
    return [new for new in news if new.id not in others]


async def _note_contents(connection: Connection, paid: Sequence[NewGeneration]) -> None:
    """Note the contents of what is made: of a refused one there must be no trace over an earlier one's note."""
    unnamed = [new for new in paid if new.once.kind is Kind.CONTENT]
    if not all(await take(connection, [new.once for new in unnamed], [new.id for new in unnamed])):
        raise _OvertakenError


async def _give_keys_back(connection: Connection, refused: Sequence[NewGeneration]) -> None:
    """A refusal leaves its key free."""
    named = [new for new in refused if new.once.kind is not Kind.CONTENT]
    if named:
        await untake(connection, [new.once for new in named], [new.id for new in named])
