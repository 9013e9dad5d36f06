"""Write new generations: everything that must be true together is in one transaction."""

from datetime import timedelta

import asyncpg
import msgspec

from seedance_api.catalog.order import Order, Role
from seedance_api.foundation import jobs
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Connection, Database, row
from seedance_api.foundation.errors import AppError
from seedance_api.generations.rows import Generation
from seedance_api.references.queries import NewFile, hold_files, insert_files

ROUTE = "POST /v1/videos"


class Idempotency(msgspec.Struct, frozen=True):
    """The customer's key for this create, and the fingerprint of what it said."""

    key: str
    fingerprint: bytes


class NewGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request, with a place in the catalogue and its media in the store."""

    id: str
    account_id: str
    key_id: str
    livemode: bool
    provider: str
    order: Order
    prompt: str
    media: tuple[tuple[Role, str], ...]
    new_files: tuple[NewFile, ...]
    draft_id: str | None
    metadata: dict[str, str]
    keep_seconds: int
    deadline_seconds: int
    quoted_tokens: int
    idempotency: Idempotency | None

    @property
    def uploads(self) -> set[str]:
        """The files it uses that were uploaded before."""
        return {file_id for _, file_id in self.media} - {file.id for file in self.new_files}


class Created(msgspec.Struct, frozen=True):
    """The generation that stands for the request; `replayed` when an earlier request made it."""

    generation_id: str
    row: Generation | None
    replayed: bool
    prompt: str | None = None


class Writer:
    """Writes concurrent creates in one transaction of up to 64, each with its idempotency, inputs and dispatch job."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._batch: Batch[NewGeneration, Created] = Batch(self._write, most=64, flights=2)

    async def __call__(self, new: NewGeneration) -> Created:
        """Store it. Raises AppError 422 when its idempotency key was used with another body."""
        return await self._batch(new)

    async def _write(self, news: list[NewGeneration]) -> list[Created | Exception]:
        try:
            return await self._write_together(news)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
            pass
        # one row that the database refuses must not take the others down with it
        return [await self._write_alone(new) for new in news]

    async def _write_alone(self, new: NewGeneration) -> Created | Exception:
        try:
            (answer,) = await self._write_together([new])
        except asyncpg.ForeignKeyViolationError:
            return AppError("invalid_media", "An input of the draft was deleted meanwhile.")
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            return error
        return answer

    async def _write_together(self, news: list[NewGeneration]) -> list[Created | Exception]:
        answers: dict[str, Created | Exception] = {}
        async with self._db.transaction() as connection:
            there = await hold_files(connection, [file_id for new in news for file_id in new.uploads])
            for new in news:
                if not there.issuperset(new.uploads):
                    answers[new.id] = AppError("invalid_media", "A file that the request names was deleted meanwhile.")
            writable = [new for new in news if new.id not in answers]
            taken = await _take_keys(connection, writable)
            fresh = [new for new in writable if new.idempotency is None or new.id in taken]
            stored = await _insert(connection, fresh)
            answers |= {new.id: Created(new.id, stored[new.id], False, new.prompt) for new in fresh}
            await jobs.enqueue(connection, "dispatch", sorted({new.provider for new in fresh}))
        answers |= await find_replays(self._db, [new for new in writable if new.id not in answers])
        return [answers[new.id] for new in news]


async def find_replay(db: Database, account_id: str, idempotency: Idempotency) -> Created | None:
    """The generation that an earlier request with this key made. Raises AppError 422 when its body was another."""
    found = await db.fetchrow(
        "SELECT fingerprint, generation_id FROM idempotency WHERE account_id = $1 AND route = $2 AND key = $3",
        account_id,
        ROUTE,
        idempotency.key,
    )
    if found is None:
        return None
    answer = _compare(idempotency, found["fingerprint"], found["generation_id"])
    if isinstance(answer, Exception):
        raise answer
    return answer


async def find_replays(db: Database, news: list[NewGeneration]) -> dict[str, Created | Exception]:
    """For creates whose key was taken: the generation it belongs to, or why it cannot be replayed."""
    answers: dict[str, Created | Exception] = {}
    for new in news:
        assert new.idempotency is not None
        try:
            replay = await find_replay(db, new.account_id, new.idempotency)
            answers[new.id] = replay or AppError("unavailable")  # purged in this very moment; a retry will create
        except AppError as error:
            answers[new.id] = error
    return answers


def _compare(idempotency: Idempotency, fingerprint: bytes, generation_id: str) -> Created | AppError:
    if fingerprint != idempotency.fingerprint:
        return AppError("idempotency_mismatch", param="Idempotency-Key")
    return Created(generation_id, None, True)


async def _take_keys(connection: Connection, news: list[NewGeneration]) -> set[str]:
    # sorted, so that two batches that share keys wait for each other instead of deadlocking
    keyed = sorted(
        (new.account_id, new.idempotency.key, new.idempotency.fingerprint, new.id) for new in news if new.idempotency
    )
    if not keyed:
        return set()
    accounts, keys, fingerprints, ids = zip(*keyed, strict=True)
    found = await connection.fetch(
        """
        INSERT INTO idempotency (account_id, route, key, fingerprint, generation_id)
        SELECT a, $2, k, f, g FROM unnest($1::text[], $3::text[], $4::bytea[], $5::text[]) AS n (a, k, f, g)
        ON CONFLICT DO NOTHING RETURNING generation_id
        """,
        accounts,
        ROUTE,
        keys,
        fingerprints,
        ids,
    )
    return {record["generation_id"] for record in found}


async def _insert(connection: Connection, news: list[NewGeneration]) -> dict[str, Generation]:
    if not news:
        return {}
    await insert_files(connection, [file for new in news for file in new.new_files])
    found = await connection.fetch(
        """
        INSERT INTO generation (id, account_id, key_id, livemode, provider, model, params, metadata, keep_seconds,
                                quoted_tokens, deadline_at)
        SELECT id, a, k, l, p, m, o, d, s, q, now() + w
        FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[],
                    $9::int[], $10::bigint[], $11::interval[]) AS n (id, a, k, l, p, m, o, d, s, q, w)
        RETURNING *
        """,
        [new.id for new in news],
        [new.account_id for new in news],
        [new.key_id for new in news],
        [new.livemode for new in news],
        [new.provider for new in news],
        [new.order.model for new in news],
        [new.order for new in news],
        [new.metadata for new in news],
        [new.keep_seconds for new in news],
        [new.quoted_tokens for new in news],
        [timedelta(seconds=new.deadline_seconds) for new in news],
    )
    await connection.execute(
        "INSERT INTO generation_input (generation_id, prompt) SELECT * FROM unnest($1::text[], $2::text[])",
        [new.id for new in news],
        [new.prompt for new in news],
    )
    media = [(new.id, at, role.value, file_id) for new in news for at, (role, file_id) in enumerate(new.media)]
    if media:
        await connection.executemany(
            "INSERT INTO generation_media (generation_id, position, role, file_id) VALUES ($1, $2, $3, $4)",
            media,
        )
    await _inherit_media(connection, [new for new in news if new.draft_id])
    return {record["id"]: row(Generation, record) for record in found}


async def _inherit_media(connection: Connection, finals: list[NewGeneration]) -> None:
    """A final take uses the inputs of its draft."""
    if finals:
        await connection.execute(
            """
            INSERT INTO generation_media (generation_id, position, role, file_id)
            SELECT n.id, m.position, m.role, m.file_id
            FROM unnest($1::text[], $2::text[]) AS n (id, draft_id)
            JOIN generation_media m ON m.generation_id = n.draft_id
            """,
            [new.id for new in finals],
            [new.draft_id for new in finals],
        )
