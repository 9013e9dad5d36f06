"""SQL of attempts: each of their moves."""

from collections.abc import Sequence

from seedance_api.foundation.db import Connection
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Operation, Original


async def plan(connection: Connection, provider: str, ids: list[str], generation_ids: list[str]) -> None:
    """New attempts at a provider, planned."""
    await connection.execute(
        "INSERT INTO attempt (id, generation_id, provider) SELECT n.id, n.g, $3 FROM unnest($1::text[], $2::text[])"
        " AS n (id, g)",
        ids,
        generation_ids,
        provider,
    )


async def to_sent(
    connection: Connection, provider: str, ids: Sequence[str], seconds_left: Sequence[float]
) -> dict[str, int]:
    """planned → sent, before a byte leaves; returns those that moved, each with its nonce.

    A nonce is free when no attempt waits for an answer with it, and when what was sent with it and given up was sent
    more than an hour ago: by its time that cannot be taken for this one. When all are taken, no attempt moves.
    """
    found = await connection.fetch(
        """
        WITH taken AS MATERIALIZED (
            SELECT nonce FROM attempt WHERE provider = $3 AND state IN ('sent', 'unknown') AND nonce IS NOT NULL
            UNION
            SELECT nonce FROM attempt
            WHERE provider = $3 AND state = 'lost' AND sent_at > now() - interval '1 hour' AND nonce IS NOT NULL
        ), drawn AS MATERIALIZED (  -- in turn, so that concurrent transactions draw different ones
            SELECT nextval('attempt_nonce_turn')::smallint AS nonce, number
            FROM generate_series(1, cardinality($1::text[]) + (SELECT count(*) FROM taken)) AS number
        ), free AS (
            SELECT nonce, row_number() OVER (ORDER BY min(number)) AS place
            FROM drawn WHERE nonce NOT IN (SELECT nonce FROM taken) GROUP BY nonce
        ), n AS (
            SELECT * FROM unnest($1::text[], $2::float8[]) WITH ORDINALITY AS n (own_id, seconds_left, place)
        )
        UPDATE attempt SET state = 'sent', sent_at = now(), seconds_left = n.seconds_left, nonce = free.nonce
        FROM n JOIN free USING (place)
        WHERE id = n.own_id AND state = 'planned' RETURNING id, attempt.nonce
        """,
        ids,
        seconds_left,
        provider,
    )
    return {record["id"]: record["nonce"] for record in found}


async def to_acknowledged(connection: Connection, attempt_ids: Sequence[str], operations: Sequence[Operation]) -> None:
    """sent or unknown → acknowledged."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'acknowledged', operation = n.operation
        FROM unnest($1::text[], $2::jsonb[]) AS n (own_id, operation)
        WHERE id = n.own_id AND state IN ('sent', 'unknown')
        """,
        attempt_ids,
        operations,
    )


async def to_unknown(connection: Connection, attempt_id: str, reason: str) -> None:
    """sent → unknown."""
    await connection.execute(
        "UPDATE attempt SET state = 'unknown', reason = $2 WHERE id = $1 AND state = 'sent'",
        attempt_id,
        reason,
    )


async def to_rejected(connection: Connection, attempt_id: str, reason: str, original: Original | None) -> None:
    """planned or sent → rejected."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'rejected', reason = $2, original = $3, resolved_at = now()
        WHERE id = $1 AND state IN ('planned', 'sent')
        """,
        attempt_id,
        reason,
        original,
    )


async def to_succeeded(connection: Connection, attempt_ids: Sequence[str]) -> None:
    """acknowledged → succeeded."""
    await connection.execute(
        "UPDATE attempt SET state = 'succeeded', resolved_at = now() WHERE id = ANY ($1) AND state = 'acknowledged'",
        attempt_ids,
    )


async def to_failed(connection: Connection, attempt_id: str, reason: str, original: Original | None) -> None:
    """acknowledged → failed."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'failed', reason = $2, original = $3, resolved_at = now()
        WHERE id = $1 AND state = 'acknowledged'
        """,
        attempt_id,
        reason,
        original,
    )


async def to_lost(connection: Connection, attempt_id: str, reason: str) -> None:
    """sent, unknown or acknowledged → lost."""
    await connection.execute(
        """
        UPDATE attempt SET state = 'lost', reason = $2, resolved_at = now()
        WHERE id = $1 AND state IN ('sent', 'unknown', 'acknowledged')
        """,
        attempt_id,
        reason,
    )


async def close(
    connection: Connection, attempt_id: str | None, state: AttemptState, reason: str, original: Original | None = None
) -> None:
    """Bring an attempt to its end."""
    if attempt_id is None:
        return
    match state:
        case AttemptState.REJECTED:
            await to_rejected(connection, attempt_id, reason, original)
        case AttemptState.FAILED:
            await to_failed(connection, attempt_id, reason, original)
        case AttemptState.LOST:
            await to_lost(connection, attempt_id, reason)
        case _:
            raise ValueError(f"an attempt does not end as {state}")
