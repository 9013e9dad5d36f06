"""Assets: which media of an upstream's own library an account may name. The operator says so, for each account and id.

An upstream lets whoever holds the operator's key use any asset of the operator's library, a person's verified face
among them: so what an account may use is known here only.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec

from seedance_api.foundation.db import Database, affected, row, rows
from seedance_api.references.source import ASSET


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `asset_permission`: an account may use an asset, or might until it was revoked; and who said so."""

    account_id: str
    asset: str
    allowed_by: str
    allowed_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None


def id_of(address: str) -> str:
    """The id in an `asset://` address."""
    return address.removeprefix(ASSET)


async def allow(db: Database, account_id: str, asset: str, author: str) -> tuple[Permission, bool]:
    """Let an account use an asset; returns the permission, and whether it is new. One that it has stays as it is."""
    found = await db.fetchrow(
        """
        INSERT INTO asset_permission (account_id, asset, allowed_by) VALUES ($1, $2, $3)
        ON CONFLICT (account_id, asset) WHERE revoked_at IS NULL DO UPDATE SET asset = excluded.asset
        RETURNING *, xmax = 0 AS is_new
        """,
        account_id,
        asset,
        author,
    )
    assert found is not None, "it is inserted or there"
    return row(Permission, found), found["is_new"]


async def revoke(db: Database, account_id: str, asset: str, author: str) -> bool:
    """Take it back: from now on, and of videos that are not sent to the upstream yet; False when it has none."""
    tag = await db.execute(
        """
        UPDATE asset_permission SET revoked_at = now(), revoked_by = $3
        WHERE account_id = $1 AND asset = $2 AND revoked_at IS NULL
        """,
        account_id,
        asset,
        author,
    )
    return affected(tag) == 1


async def permissions_of(db: Database, account_id: str) -> list[Permission]:
    """All that an account has and had, the oldest first."""
    found = await db.fetch(
        "SELECT * FROM asset_permission WHERE account_id = $1 ORDER BY allowed_at, asset", account_id
    )
    return rows(Permission, found)


async def refused(db: Database, account_id: str, addresses: Collection[str]) -> set[str]:
    """Those of these `asset://` addresses that the account may not use, whether there is such an asset or not."""
    if not addresses:
        return set()
    found = await db.fetch(
        "SELECT asset FROM asset_permission WHERE account_id = $1 AND asset = ANY ($2) AND revoked_at IS NULL",
        account_id,
        [id_of(one) for one in addresses],
    )
    return set(addresses) - {ASSET + record["asset"] for record in found}
