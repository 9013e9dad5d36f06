"""Idempotency: a POST that is repeated does its work once. What was done is noted in the transaction that does it.

A key that the client sends is binding for 72 hours. Where it sends none, a create is noted by its content, so that what
the client marks as a retry of it within two minutes finds what the first one made; two creates that nobody marks are
two, however alike. Work that takes a while before its transaction claims its key meanwhile.
"""

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Connection, Database, affected
from seedance_api.foundation.errors import AppError

KEY_SECONDS = 72 * 3600
CONTENT_SECONDS = 120
_MAX_PURGED = 5000

Place = tuple[str, str, str]
"""Account, route and key: what a note stands under."""


class Kind(StrEnum):
    """Who named the work: the client by a key, or its content, for a first request or for one marked as a retry."""

    KEY = "key"
    CONTENT = "content"
    RETRY = "retry"


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to do its work once. `route` says method, path and mode; `arrived` is monotonic seconds."""

    account_id: str
    route: str
    key: str
    fingerprint: bytes
    kind: Kind = Kind.KEY
    arrived: float = msgspec.field(default_factory=time.monotonic)
    claimant: str | None = None

    @property
    def place(self) -> Place:
        """What it is noted under."""
        return self.account_id, self.route, self.key

    @property
    def claim_place(self) -> Place:
        """What it is claimed under: for a content that is beside its note, which an earlier request may have made."""
        return self.account_id, self.route if self.kind is Kind.KEY else f"{self.route}, claimed", self.key


class Done(msgspec.Struct, frozen=True):
    """What an earlier request with this key did: the id of what it made or touched, or its answer."""

    subject: str | None
    answer: dict[str, Any] | None


class _Note(msgspec.Struct, frozen=True):
    fingerprint: bytes
    subject: str | None
    answer: dict[str, Any] | None


class Finder:
    """Finds what was done before. Concurrent questions become one query."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._notes: Batch[Place, _Note | None] = Batch(self._load, max_items=500)

    async def __call__(self, once: Once) -> Done | None:
        """What was done under its key; None for the first. Raises AppError 422 for another body, 409 for unfinished."""
        return None if once.kind is Kind.CONTENT else await self.earlier(once)

    async def earlier(self, once: Once) -> Done | None:
        """The same, also for one that only its content names: when `take` says that another has done it."""
        return _compare(once, await self._notes(once.place))

    async def _load(self, places: list[Place]) -> list[_Note | None | Exception]:
        accounts, routes, keys = zip(*places, strict=True)
        found = await self._db.fetch(
            """
            SELECT i.account_id, i.route, i.key, i.fingerprint, i.subject, i.answer
            FROM unnest($1::text[], $2::text[], $3::text[]) AS n (account_id, route, key)
            JOIN idempotency i USING (account_id, route, key) WHERE i.expires_at > now()
            """,
            accounts,
            routes,
            keys,
        )
        notes = {
            (record["account_id"], record["route"], record["key"]): _Note(
                record["fingerprint"], record["subject"], record["answer"]
            )
            for record in found
        }
        return [notes.get(place) for place in places]


async def done_before(db: Database, once: Once | None) -> Done | None:
    """What an earlier request with its key did; None for the first, and for one without a key. Raises as a finder."""
    return None if once is None else await Finder(db)(once)


def _compare(once: Once, note: _Note | None) -> Done | None:
    if note is None:
        return None
    if note.subject is None and note.answer is None:  # what it says does not count before it is done
        raise AppError("idempotency_in_progress", param="Idempotency-Key", headers={"Retry-After": "2"})
    if note.fingerprint != once.fingerprint:
        raise AppError("idempotency_mismatch", param="Idempotency-Key")
    return Done(note.subject, note.answer)


async def take(connection: Connection, work: Sequence[Once], outcomes: Sequence[str | dict[str, Any]]) -> list[bool]:
    """Note the outcome of each, an id or an answer, in the transaction that brings it about; says which are to be done.

    The others were done by another request: their callers do nothing and ask the finder. Of several with one place the
    first is done; except that of those which only their content names, each is.
    """
    first: dict[Place, tuple[Once, str | dict[str, Any]]] = {}
    for once, outcome in zip(work, outcomes, strict=True):
        first.setdefault(once.place, (once, outcome))
    if not first:
        return []
    # sorted, so that two batches that share places wait for each other instead of deadlocking
    noted = await _note(connection, [first[place] for place in sorted(first)])

    def is_to_be_done(once: Once) -> bool:
        leader = first[once.place][0]
        return once.place in noted and (leader is once or leader.kind is once.kind is Kind.CONTENT)

    return [is_to_be_done(once) for once in work]


async def is_first(connection: Connection, once: Once | None, outcome: str | dict[str, Any]) -> bool:
    """Whether the request is the first with its key, or has none; of the first the outcome is noted."""
    return once is None or await take(connection, [once], [outcome]) == [True]


async def _note(connection: Connection, notes: Sequence[tuple[Once, str | dict[str, Any]]]) -> set[Place]:
    found = await connection.fetch(
        """
        INSERT INTO idempotency AS old
            (account_id, route, key, fingerprint, kind, subject, answer, created_at, expires_at)
        SELECT a, r, k, f, i, s, w, now() - g * interval '1 second', now() + e * interval '1 second'
        FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::jsonb[],
                    $8::float8[], $9::int[]) AS n (a, r, k, f, i, s, w, g, e)
        ON CONFLICT (account_id, route, key) DO UPDATE SET fingerprint = excluded.fingerprint, kind = excluded.kind,
            subject = excluded.subject, answer = excluded.answer, claimant = NULL, created_at = excluded.created_at,
            expires_at = excluded.expires_at
        WHERE old.expires_at <= now() OR old.claimant = ANY ($10)
              OR (excluded.kind = 'content' AND NOT (old.kind = 'retry' AND old.created_at > excluded.created_at))
        RETURNING account_id, route, key
        """,
        [once.account_id for once, _ in notes],
        [once.route for once, _ in notes],
        [once.key for once, _ in notes],
        [once.fingerprint for once, _ in notes],
        [once.kind.value for once, _ in notes],
        [outcome if isinstance(outcome, str) else None for _, outcome in notes],
        [None if isinstance(outcome, str) else outcome for _, outcome in notes],
        [time.monotonic() - once.arrived for once, _ in notes],
        [KEY_SECONDS if once.kind is Kind.KEY else CONTENT_SECONDS for once, _ in notes],
        [once.claimant for once, _ in notes if once.claimant],
    )
    return {(record["account_id"], record["route"], record["key"]) for record in found}


async def untake(connection: Connection, refused: Sequence[Once], subjects: Sequence[str]) -> None:
    """Forget what was noted in this transaction for these ids: the work was refused after all, and that is not kept."""
    accounts, routes, keys = zip(*(once.place for once in refused), strict=True)
    await connection.execute(
        """
        DELETE FROM idempotency i USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS n (a, r, k, s)
        WHERE i.account_id = n.a AND i.route = n.r AND i.key = n.k AND i.subject = n.s
        """,
        accounts,
        routes,
        keys,
        subjects,
    )


async def forget_expired(db: Database) -> int:
    """Delete the notes whose time is over; returns how many. A million of them go in steps of 5,000."""
    gone = 0
    while True:
        tag = await db.execute(
            """
            DELETE FROM idempotency WHERE (account_id, route, key) IN (
                SELECT account_id, route, key FROM idempotency WHERE expires_at <= now() LIMIT $1
                FOR UPDATE SKIP LOCKED
            )
            """,
            _MAX_PURGED,
        )
        gone += affected(tag)
        if affected(tag) < _MAX_PURGED:
            return gone
