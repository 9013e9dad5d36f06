"""Check an invariant: questions to the database, whose answers are its violations."""

from collections.abc import AsyncIterator
from enum import Enum
from typing import LiteralString

import msgspec

from seedance_api.foundation.db import Database

_SHOWN = 20
_SECONDS = 1800.0


class Ask(Enum):
    """Who can tell more than the database."""

    CLIENT = "client"
    STORE = "store"


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """`sql` selects one text for each violation. `missing` says why it cannot be checked yet."""

    name: str
    meaning: str
    sql: tuple[LiteralString, ...] = ()
    ask: Ask | None = None
    missing: str | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How an invariant stands. At most twenty violations are named; `count` counts them all."""

    name: str
    meaning: str
    count: int
    violations: list[str]
    missing: str | None = None


async def check(db: Database, invariant: Invariant) -> Finding:
    """Ask an invariant's questions, in one snapshot, so that what moves meanwhile is no violation."""
    return await finding(invariant, _answers(db, invariant))


async def finding(invariant: Invariant, violations: AsyncIterator[str]) -> Finding:
    """A finding: the first violations, and the count of all. No more than those are in memory."""
    shown: list[str] = []
    count = 0
    async for line in violations:
        count += 1
        if count <= _SHOWN:
            shown.append(line)
    return Finding(
        name=invariant.name, meaning=invariant.meaning, count=count, violations=shown, missing=invariant.missing
    )


async def _answers(db: Database, invariant: Invariant) -> AsyncIterator[str]:
    async with db.transaction(isolation="repeatable_read", readonly=True) as connection:
        for sql in invariant.sql:
            async for record in connection.cursor(sql, prefetch=500, timeout=_SECONDS):
                yield record[0]
