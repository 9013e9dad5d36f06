"""Usage: what was made and what it cost, by day, model and key. The numbers are counted when they happen."""

from collections.abc import Sequence
from datetime import date

import msgspec

from seedance_api.foundation.db import Database, row, rows

DIMENSIONS = ("day", "model", "key")


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums. Money in micro-dollars."""

    videos: int
    milliseconds: int
    tokens: int
    charged: int
    refunded: int


class UsageRow(Totals, frozen=True, kw_only=True):
    """The sums of a group; a dimension that is not grouped by is None."""

    day: date | None
    model: str | None
    key_id: str | None


class Position(msgspec.Struct, frozen=True):
    """Where a page ended: the last group of it."""

    day: date | None
    model: str | None
    key_id: str | None


async def today(db: Database) -> date:
    """The UTC day it is, by the database's clock, which is the one that usage is counted by."""
    return await db.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")


async def usage(
    db: Database,
    account_id: str,
    livemode: bool,
    *,
    since: date,
    until: date,
    by: Sequence[str],
    behind: Position | None,
    limit: int,
) -> list[UsageRow]:
    """A page of groups, in their order, behind a position. Both days are counted in."""
    return rows(UsageRow, await db.fetch(
        """
        SELECT * FROM (
            SELECT CASE WHEN $5 THEN day END AS day, CASE WHEN $6 THEN model END AS model,
                   CASE WHEN $7 THEN key_id END AS key_id, sum(videos)::bigint AS videos,
                   sum(milliseconds)::bigint AS milliseconds, sum(tokens)::bigint AS tokens,
                   sum(charged)::bigint AS charged, sum(refunded)::bigint AS refunded
            FROM usage WHERE account_id = $1 AND livemode = $2 AND day BETWEEN $3 AND $4
            GROUP BY 1, 2, 3
        ) groups
        WHERE NOT $8 OR (coalesce(day, '-infinity'), coalesce(model, ''), coalesce(key_id, ''))
              > (coalesce($9::date, '-infinity'), coalesce($10::text, ''), coalesce($11::text, ''))
        ORDER BY coalesce(day, '-infinity'), coalesce(model, ''), coalesce(key_id, '')
        LIMIT $12
        """,
        account_id,
        livemode,
        since,
        until,
        "day" in by,
        "model" in by,
        "key" in by,
        behind is not None,
        behind.day if behind else None,
        behind.model if behind else None,
        behind.key_id if behind else None,
        limit,
    ))  # fmt: skip


async def totals(db: Database, account_id: str, livemode: bool, *, since: date, until: date) -> Totals:
    """The sums of all days from one to another, both counted in."""
    found = await db.fetchrow(
        """
        SELECT coalesce(sum(videos), 0)::bigint AS videos, coalesce(sum(milliseconds), 0)::bigint AS milliseconds,
               coalesce(sum(tokens), 0)::bigint AS tokens, coalesce(sum(charged), 0)::bigint AS charged,
               coalesce(sum(refunded), 0)::bigint AS refunded
        FROM usage WHERE account_id = $1 AND livemode = $2 AND day BETWEEN $3 AND $4
        """,
        account_id,
        livemode,
        since,
        until,
    )
    assert found is not None, "a sum is always there"
    return row(Totals, found)
