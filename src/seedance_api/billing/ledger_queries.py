"""SQL of holds and of the ledger. A hold leaves its state once, by compare-and-set."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from seedance_api.billing.decide import NewHold, Settlement
from seedance_api.billing.rows import TRANSFERS, Hold, Transfer, TransferKind
from seedance_api.foundation.db import Connection, affected, rows
from seedance_api.foundation.ids import new_id


async def insert_holds(connection: Connection, holds: Sequence[NewHold], days: Mapping[str, date]) -> None:
    """Write granted holds with their transfers; their generations are written before. `days` by account."""
    source, target = TRANSFERS[TransferKind.HOLD]
    await connection.execute(
        """
        WITH n AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[],
                                 $8::bigint[], $9::bigint[], $10::text[], $11::date[])
                AS n (g, a, k, c, v, r, t, q, m, id, day)
        ), written AS (
            INSERT INTO hold (generation_id, account_id, key_id, currency, price_version, rate, quoted_tokens, quoted,
                              amount, counted_on)
            SELECT g, a, k, c, v, r, t, q, m, day FROM n
        )
        INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, generation_id, author)
        SELECT id, 'hold', a, c, $12, $13, m, g, 'system' FROM n WHERE m > 0
        """,
        [one.generation_id for one in holds],
        [one.account_id for one in holds],
        [one.key_id for one in holds],
        [one.currency for one in holds],
        [one.price_version for one in holds],
        [one.rate for one in holds],
        [one.quoted_tokens for one in holds],
        [one.quoted for one in holds],
        [one.amount for one in holds],
        [new_id("trf") for _ in holds],
        [days[one.account_id] for one in holds],
        source,
        target,
    )


async def lock_hold(connection: Connection, generation_id: str) -> Hold | None:
    """The hold of a generation, locked until the transaction ends; None for one that costs nothing."""
    return (await lock_holds(connection, [generation_id])).get(generation_id)


async def lock_holds(connection: Connection, ids: Sequence[str]) -> dict[str, Hold]:
    """Those of several generations, locked in the order of their ids."""
    found = await connection.fetch(
        "SELECT * FROM hold WHERE generation_id = ANY ($1) ORDER BY generation_id FOR NO KEY UPDATE", ids
    )
    return {hold.generation_id: hold for hold in rows(Hold, found)}


async def to_settled(connection: Connection, generation_id: str, made: Settlement, resolution: str) -> bool:
    """held → settled, once; False when it was resolved before."""
    tag = await connection.execute(
        """
        UPDATE hold SET state = 'settled', tokens = $2, rate = $3, charged = $4, waived = $5, reason = $6,
            resolution = $7, resolved_at = now()
        WHERE generation_id = $1 AND state = 'held'
        """,
        generation_id,
        made.tokens,
        made.rate,
        made.charged,
        made.waived,
        made.reason,
        resolution,
    )
    return affected(tag) == 1


async def to_released(connection: Connection, generation_id: str) -> bool:
    """held → released, once; False when it was resolved before."""
    tag = await connection.execute(
        "UPDATE hold SET state = 'released', resolved_at = now() WHERE generation_id = $1 AND state = 'held'",
        generation_id,
    )
    return affected(tag) == 1


async def note_refund(connection: Connection, generation_id: str, amount: int) -> bool:
    """Count a refund on its hold; False when more would be refunded than was charged."""
    tag = await connection.execute(
        """
        UPDATE hold SET refunded = refunded + $2
        WHERE generation_id = $1 AND state = 'settled' AND refunded + $2 <= charged
        """,
        generation_id,
        amount,
    )
    return affected(tag) == 1


async def insert_transfers(connection: Connection, transfers: Sequence[Transfer]) -> datetime | None:
    """Write transfers, each of more than nothing, and return their one moment; None when nothing is moved.

    What counts them by days takes this moment, so that all say the same day at midnight.
    """
    moved = [one for one in transfers if one.amount]
    if not moved:
        return None
    return await connection.fetchval(
        """
        INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, generation_id, grant_id,
                              reference, reason, author, created_at)
        SELECT *, statement_timestamp()
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
        ON CONFLICT (account_id, kind, reference) WHERE reference IS NOT NULL DO NOTHING
        RETURNING created_at
        """,
        [new_id("trf") for _ in moved],
        [one.kind.value for one in moved],
        [one.account_id for one in moved],
        [one.currency for one in moved],
        [TRANSFERS[one.kind][0] for one in moved],
        [TRANSFERS[one.kind][1] for one in moved],
        [one.amount for one in moved],
        [one.generation_id for one in moved],
        [one.grant_id for one in moved],
        [one.reference for one in moved],
        [one.reason for one in moved],
        [one.author for one in moved],
    )


async def moved_under(
    connection: Connection, account_id: str, kind: TransferKind, reference: str
) -> tuple[int, str | None, datetime] | None:
    """What was moved under a reference, for which generation, and when; None for a new one.

    The caller locks the wallet.
    """
    found = await connection.fetchrow(
        "SELECT amount, generation_id, created_at FROM transfer WHERE account_id = $1 AND kind = $2 AND reference = $3",
        account_id,
        kind.value,
        reference,
    )
    return (found["amount"], found["generation_id"], found["created_at"]) if found else None
