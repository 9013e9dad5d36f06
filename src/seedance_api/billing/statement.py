"""Statement: every movement of an account's money in a month, as CSV, a page of rows in memory at a time."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec

from seedance_api.billing.rows import TransferKind
from seedance_api.catalog.words import got
from seedance_api.foundation.db import Database, rows
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.money import format_amount

_PAGE = 1000
_HEAD = (
    "time",
    "id",
    "kind",
    "video",
    "reference",
    "reason",
    "available_change",
    "held_change",
    "available_after",
    "held_after",
    "currency",
)


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as its account sees it: what it does to available and to held, in micro-dollars."""

    id: str
    kind: TransferKind
    currency: str
    generation_id: str | None
    reference: str | None
    reason: str | None
    available: int
    held: int
    created_at: datetime


def statement_of(db: Database, account_id: str, livemode: bool, month: str) -> AsyncIterator[str]:
    """The lines of the statement of a month, `2026-11`. Raises AppError: 404 in test mode, 400 for what is no month."""
    if not livemode:
        raise AppError("not_found", "A test key has no statements, for what it makes is free; use a live key.")
    span = month_of(month)
    if span is None:
        message = f"`month` must be a month such as 2026-11{got(month)}."
        problem = Problem(path="month", code="unsupported_value", message=message)
        raise AppError("invalid_request", problem.message, problems=[problem])
    return statement(db, account_id, *span)


async def statement(db: Database, account_id: str, since: datetime, until: datetime) -> AsyncIterator[str]:
    """The lines of the statement. The first says what there was before, and each what there is after it."""
    yield _line(_HEAD)
    available, held = await _before(db, account_id, since)
    currency = await db.fetchval("SELECT currency FROM account WHERE id = $1", account_id)
    opening = ("", "", "opening balance", "", "", "", "", "", format_amount(available), format_amount(held), currency)
    yield _line(opening)
    behind = (since, "")
    while page := await _page(db, account_id, behind, until):
        behind = (page[-1].created_at, page[-1].id)
        lines: list[str] = []
        for one in page:
            available += one.available
            held += one.held
            lines.append(_line(_cells(one, available, held)))
        yield "".join(lines)


def month_of(text: str) -> tuple[datetime, datetime] | None:
    """`2026-11` as its first moment and that of the month after; None for anything else."""
    try:
        since = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        return None
    if since.strftime("%Y-%m") != text or not 2000 <= since.year <= 9998:
        return None
    return since, since.replace(year=since.year + since.month // 12, month=since.month % 12 + 1)


async def _page(db: Database, account_id: str, behind: tuple[datetime, str], until: datetime) -> list[Movement]:
    return rows(Movement, await db.fetch(
        """
        SELECT id, kind, currency, generation_id, reference, reason, created_at,
               CASE 'available' WHEN target THEN amount WHEN source THEN -amount ELSE 0 END AS available,
               CASE 'held' WHEN target THEN amount WHEN source THEN -amount ELSE 0 END AS held
        FROM transfer
        WHERE account_id = $1 AND (created_at, id) > ($2, $3) AND created_at < $4
          AND (source IN ('available', 'held') OR target IN ('available', 'held'))
        ORDER BY created_at, id LIMIT $5
        """,
        account_id,
        *behind,
        until,
        _PAGE,
    ))  # fmt: skip


async def _before(db: Database, account_id: str, since: datetime) -> tuple[int, int]:
    found = await db.fetchrow(
        """
        SELECT coalesce(sum(amount) FILTER (WHERE name = 'available'), 0)::bigint AS available,
               coalesce(sum(amount) FILTER (WHERE name = 'held'), 0)::bigint AS held
        FROM ledger WHERE account_id = $1 AND created_at < $2
        """,
        account_id,
        since,
    )
    assert found is not None, "a sum is always there"
    return found["available"], found["held"]


def _cells(one: Movement, available: int, held: int) -> tuple[str, ...]:
    return (
        one.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        one.id,
        one.kind.value,
        one.generation_id or "",
        _plain(one.reference or ""),
        _plain(one.reason or ""),
        format_amount(one.available),
        format_amount(one.held),
        format_amount(available),
        format_amount(held),
        one.currency,
    )


def _plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")) else text


def _line(cells: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
