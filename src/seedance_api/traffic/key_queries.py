"""SQL about how keys are used: read from the request log, the holds and the generations, noted in `key_network`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from seedance_api.foundation.db import Connection, Database, affected, row, rows
from seedance_api.foundation.ids import id_at
from seedance_api.traffic.judge_key import SHOWN_NETWORKS, Hour, NewNetworks, Usual

HOUR = timedelta(hours=1)
USUAL = timedelta(days=14)
KEPT = timedelta(days=30)
_MAX_ROWS = 5000
_MAX_KEYS = 1000
"""Keys that are looked at more closely in one run, for each kind of change: those with most of it."""


class UsedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A live key, and what of it a message needs."""

    id: str
    account_id: str
    mode: str
    handle: str
    name: str | None
    currency: str


class Look(msgspec.Struct, frozen=True):
    """What time it is, from when on networks are looked for, and whether they never were before: then all are new."""

    now: datetime
    since: datetime
    is_first: bool


async def begin_look(connection: Connection) -> Look:
    """A look at the last hour, or at what was since the last look, a day at most.

    A request is logged when it ends, under the time at which it began; most end within the hour.
    """
    found = await connection.fetchrow(
        """
        SELECT now() AS now, least(now() - $1::interval, greatest(max(last_seen), now() - interval '1 day')) AS since,
            max(last_seen) IS NULL AS is_first
        FROM key_network
        """,
        HOUR,
    )
    assert found is not None, "an aggregate has a row"
    return row(Look, found)


async def note_networks(connection: Connection, since: datetime) -> dict[str, NewNetworks]:
    """Note from where keys were used since then. Returns what is new, by key."""
    found = await connection.fetch(
        """
        WITH seen AS (
            SELECT key_id, network(set_masklen(address, CASE family(address) WHEN 4 THEN 16 ELSE 32 END)) AS network,
                min(at) AS first_at, max(at) AS last_at
            FROM request_log WHERE id >= $1 AND key_id IS NOT NULL AND address IS NOT NULL GROUP BY 1, 2
        ), written AS (
            INSERT INTO key_network AS k (key_id, network, first_seen, last_seen)
            SELECT key_id, network, first_at, last_at FROM seen ORDER BY key_id, network
            ON CONFLICT (key_id, network) DO UPDATE SET last_seen = greatest(k.last_seen, excluded.last_seen)
            RETURNING key_id, network, (xmax = 0) AS is_new
        )
        SELECT w.key_id, (array_agg(w.network::text ORDER BY w.network))[:$2] AS networks, count(*) AS count,
            (SELECT count(*) FROM key_network n WHERE n.key_id = w.key_id) AS known,
            EXISTS (
                SELECT FROM request_hour h JOIN api_key k ON k.id = w.key_id
                WHERE h.account_id = k.account_id AND h.key_id = k.id AND h.hour < now() - interval '7 days'
            ) AS used_before
        FROM written w WHERE w.is_new GROUP BY w.key_id
        """,
        id_at("req", since),
        SHOWN_NETWORKS,
    )
    return {record["key_id"]: row(NewNetworks, {k: v for k, v in record.items() if k != "key_id"}) for record in found}


async def networks_of(connection: Connection, key_id: str, since: datetime) -> list[str]:
    """Some of the networks that a key was used from since then."""
    found = await connection.fetch(
        """
        SELECT network::text AS network FROM key_network WHERE key_id = $1 AND last_seen >= $2
        ORDER BY last_seen DESC LIMIT $3
        """,
        key_id,
        since,
        SHOWN_NETWORKS,
    )
    return [record["network"] for record in found]


async def conspicuous_hours(
    connection: Connection, now: datetime, *, failed: int, moderated: int, spent: int
) -> dict[str, Hour]:
    """What keys did within the hour that had so many failed requests or refused videos, or spent more than so much."""
    found = await connection.fetch(
        """
        WITH request AS (
            SELECT key_id, count(*) AS requests, count(*) FILTER (WHERE status BETWEEN 400 AND 498) AS failed,
                count(*) FILTER (WHERE status IN (401, 403)) AS denied
            FROM request_log WHERE id >= $1 AND key_id IS NOT NULL GROUP BY key_id
            HAVING count(*) FILTER (WHERE status BETWEEN 400 AND 498) >= $3 ORDER BY failed DESC LIMIT $6
        ), video AS (
            SELECT key_id, count(*) FILTER (WHERE finished_at IS NOT NULL) AS videos,
                count(*) FILTER (WHERE error_code IN ('input_moderated', 'output_moderated')) AS moderated
            FROM generation WHERE id >= $2 GROUP BY key_id
            HAVING count(*) FILTER (WHERE error_code IN ('input_moderated', 'output_moderated')) >= $4
            ORDER BY moderated DESC LIMIT $6
        ), money AS (
            SELECT key_id, sum(cost) AS spent FROM (
                SELECT key_id,
                    CASE state WHEN 'held' THEN amount WHEN 'settled' THEN charged - refunded ELSE 0 END AS cost
                FROM hold WHERE generation_id >= $2
            ) ordered GROUP BY key_id HAVING sum(cost) > $5 ORDER BY spent DESC LIMIT $6
        )
        SELECT key_id, coalesce(requests, 0) AS requests, coalesce(failed, 0) AS failed, coalesce(denied, 0) AS denied,
            coalesce(videos, 0) AS videos, coalesce(moderated, 0) AS moderated, coalesce(spent, 0)::bigint AS spent
        FROM request FULL JOIN video USING (key_id) FULL JOIN money USING (key_id)
        """,
        id_at("req", now - HOUR),
        id_at("vid", now - HOUR),
        failed,
        moderated,
        spent,
        _MAX_KEYS,
    )
    return {record["key_id"]: row(Hour, {k: v for k, v in record.items() if k != "key_id"}) for record in found}


async def usual_of(connection: Connection, key: UsedKey, now: datetime) -> Usual:
    """What a key did in the 14 days before the last hour, and what its account spent."""
    found = await connection.fetchrow(
        """
        WITH request AS (
            SELECT coalesce(sum(requests), 0)::bigint AS requests,
                coalesce(sum(requests) FILTER (WHERE status_class = 4), 0)::bigint AS failed
            FROM request_hour WHERE account_id = $1 AND key_id = $2
                AND hour >= $4 AND hour <= $3::timestamptz - interval '1 hour'
        ), video AS (
            SELECT count(*) FILTER (WHERE finished_at IS NOT NULL) AS videos,
                count(*) FILTER (WHERE error_code IN ('input_moderated', 'output_moderated')) AS moderated
            FROM generation WHERE account_id = $1 AND key_id = $2 AND id >= $5 AND id < $6 AND deleted_at IS NULL
        ), money AS (
            SELECT hour, sum(cost) AS account, coalesce(sum(cost) FILTER (WHERE key_id = $2), 0) AS own FROM (
                SELECT key_id, floor(extract(epoch FROM $3::timestamptz - created_at) / 3600) AS hour,
                    CASE state WHEN 'held' THEN amount WHEN 'settled' THEN charged - refunded ELSE 0 END AS cost
                FROM hold WHERE account_id = $1 AND counted_on >= ($4::timestamptz AT TIME ZONE 'UTC')::date - 1
                    AND created_at >= $4 AND created_at < $3
            ) ordered GROUP BY hour
        )
        SELECT request.*, video.*, coalesce(sum(own), 0)::bigint AS spent, count(*) FILTER (WHERE own > 0) AS hours,
            coalesce(sum(account), 0)::bigint AS account_spent, count(*) FILTER (WHERE account > 0) AS account_hours
        FROM request CROSS JOIN video LEFT JOIN money ON true
        GROUP BY requests, failed, videos, moderated
        """,
        key.account_id,
        key.id,
        now - HOUR,
        now - HOUR - USUAL,
        id_at("vid", now - HOUR - USUAL),
        id_at("vid", now - HOUR),
    )
    assert found is not None, "an aggregate has a row"
    return row(Usual, found)


async def used_keys(connection: Connection, key_ids: Sequence[str]) -> list[UsedKey]:
    """Those of these keys that are not revoked."""
    found = await connection.fetch(
        """
        SELECT k.id, k.account_id, k.mode, k.handle, k.name, a.currency
        FROM api_key k JOIN account a ON a.id = k.account_id
        WHERE k.id = ANY ($1) AND k.revoked_at IS NULL ORDER BY k.id
        """,
        key_ids,
    )
    return rows(UsedKey, found)


async def forget_networks(db: Database) -> None:
    """Forget the networks from which there was no request for 30 days."""
    deleted = _MAX_ROWS
    while deleted == _MAX_ROWS:
        tag = await db.execute(
            """
            DELETE FROM key_network WHERE ctid IN (
                SELECT ctid FROM key_network WHERE last_seen < now() - $1::interval LIMIT 5000
            )
            """,
            KEPT,
        )
        deleted = affected(tag)
