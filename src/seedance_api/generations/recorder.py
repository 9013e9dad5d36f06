"""Recorder: steps that are recorded at one time, in one transaction where they are alike."""

from collections.abc import Sequence

import asyncpg

from seedance_api.billing.books import Books
from seedance_api.foundation import kill_points
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Database, wait_for_locks
from seedance_api.generations import steps
from seedance_api.generations.record import Entry, record_alike

_IMPATIENT_SECONDS = 0.25


class Recorder:
    """Records steps. Up to 64 starts that come together share a transaction, and so do ends."""

    def __init__(self, db: Database, books: Books) -> None:
        self._db, self._books = db, books
        self._starts: Batch[Entry, bool] = Batch(
            self._write_impatiently, alone=self._write_one, max_items=64, concurrency=2
        )
        self._ends: Batch[Entry, bool] = Batch(
            self._write_impatiently, alone=self._write_one, max_items=64, concurrency=2
        )

    async def __call__(self, entry: Entry) -> bool:
        """Write the step; False, and nothing written, when the claim was lost."""
        match entry.step:
            case steps.Acknowledge():
                together = self._starts
            case steps.Store():
                together = self._ends
            case _:
                return await self._write_one(entry)
        try:
            return await together(entry)
        except asyncpg.LockNotAvailableError:  # one of those that came together is locked; only that one waits for it
            return await self._write_one(entry)

    async def _write_impatiently(self, entries: list[Entry]) -> Sequence[bool | Exception]:
        try:
            return await self._write_together(entries, _IMPATIENT_SECONDS)
        except asyncpg.LockNotAvailableError as error:
            return [error] * len(entries)

    async def _write_one(self, entry: Entry) -> bool:
        """What an upstream said, or a finished file, is worth more than one try: a transaction that is broken off,
        by a deadlock say, has written nothing."""
        for last in (False, False, True):
            try:
                return (await self._write_together([entry]))[0]
            except asyncpg.TransactionRollbackError:
                if last:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _write_together(self, entries: Sequence[Entry], lock_seconds: float | None = None) -> list[bool]:
        is_end = isinstance(entries[0].step, steps.Store)
        async with self._db.transaction() as connection:
            if lock_seconds is not None:
                await wait_for_locks(connection, lock_seconds)
            written = await record_alike(connection, entries, self._books)
            if is_end:
                kill_points.reach("watch.recorded")
            else:
                kill_points.reach("advance.recorded")
        if is_end:
            kill_points.reach("watch.committed")
        else:
            kill_points.reach("advance.committed")
        return written
