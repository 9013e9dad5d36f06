"""Expire: what is left of a grant when it ends goes back to where it came from."""

import structlog

from seedance_api.billing import decide, ledger_queries, wallet_queries
from seedance_api.billing.news import Announce, low_balance
from seedance_api.billing.rows import Transfer, TransferKind, Wallet
from seedance_api.foundation.db import Connection, Database

_MOST = 200
_log = structlog.get_logger()


async def end_grants(connection: Connection, wallet: Wallet) -> int:
    """End the expired grants of a locked wallet; returns what was taken. What is on hold stays until it is resolved."""
    grants = await wallet_queries.open_grants(connection, wallet.account_id)
    ended = decide.expire_grants(grants, wallet.available)
    if not ended:
        return 0
    await wallet_queries.take_from_grants(connection, wallet.account_id, ended)
    if not await wallet_queries.move_available(connection, wallet.account_id, -sum(ended.values())):
        raise AssertionError("what is left of a grant is in the wallet")
    await ledger_queries.insert_transfers(
        connection,
        [
            Transfer(
                kind=TransferKind.EXPIRY,
                account_id=wallet.account_id,
                currency=wallet.currency,
                amount=amount,
                grant_id=grant_id,
                reason="the grant has expired",
            )
            for grant_id, amount in ended.items()
        ],
    )
    return sum(ended.values())


async def expire_grants(db: Database, *, announce: Announce) -> int:
    """End every grant whose time has come, an account at a time; returns of how many accounts."""
    accounts = await wallet_queries.accounts_with_expired_grants(db, _MOST)
    for account_id in accounts:
        try:
            async with db.transaction() as connection:
                wallet = await wallet_queries.open_wallet(connection, account_id)
                taken = await end_grants(connection, wallet)
                if low := decide.fallen(wallet, wallet.available - taken):
                    await announce(connection, [low_balance(low)])
        except Exception:  # noqa: BLE001 one account must not keep the others' grants
            _log.error("expire.failed", account_id=account_id, exc_info=True)
    return len(accounts)
