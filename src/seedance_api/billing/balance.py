"""Balance: what an account has, what of it is on hold and was given, and what its limits leave."""

import msgspec

from seedance_api.accounts import queries as accounts
from seedance_api.billing import wallet_queries
from seedance_api.billing.limits import Spending, spending
from seedance_api.foundation.db import Database
from seedance_api.foundation.idempotency import Once, done_before, is_first


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Micro-dollars of the account's currency. Below `low` its owner wants to hear of it; None for never."""

    available: int = 0
    held: int = 0
    granted: int = 0
    low: int | None = None
    limits: tuple[Spending, ...] = ()


async def balance(db: Database, account_id: str, livemode: bool, key_id: str) -> Balance:
    """The balance, with the limits of the account and of this key. In test mode everything is free, and it is empty."""
    if not livemode:
        return Balance()
    wallet = await wallet_queries.wallet_of(db, account_id)
    return Balance(
        available=wallet.available if wallet else 0,
        held=wallet.held if wallet else 0,
        granted=wallet.granted if wallet else 0,
        low=await accounts.low_balance_of(db, account_id),
        limits=tuple(await spending(db, account_id, key_id)),
    )


async def set_low_balance(db: Database, account_id: str, low: int | None, *, once: Once | None) -> bool:
    """Say below what balance the owner wants to hear of it; None for never.

    False when another request with the same key has said so. Raises AppError 422 when that said another amount.
    """
    async with db.transaction() as connection:
        if await is_first(connection, once, account_id):
            await accounts.set_low_balance(connection, account_id, low)
            return True
    await done_before(db, once)
    return False
