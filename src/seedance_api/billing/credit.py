"""Credit: money that people move, each time with a reason and an author."""

import msgspec

from seedance_api.billing import queries
from seedance_api.billing.expire import end_grants
from seedance_api.billing.rows import HoldState, Transfer, TransferKind
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.money import format_amount

_REASON_MOST = 500
_DAYS_MOST = 3650


class Moved(msgspec.Struct, frozen=True):
    """What was done. `repeated` says that its reference was there already, so that nothing was moved now."""

    account_id: str
    amount: int
    currency: str
    available: int
    repeated: bool = False


async def credit(
    db: Database, account_id: str, amount: int, *, reason: str, author: str, reference: str | None = None
) -> Moved:
    """Add money that was paid. With a reference, such as a payment's id, it is added once. Raises AppError."""
    _check(amount, reason)
    transfer = Transfer(
        kind=TransferKind.CREDIT, account_id=account_id, currency="", amount=amount, reference=reference,
        reason=reason, author=author,
    )  # fmt: skip
    async with db.transaction() as connection:
        return await _move(connection, transfer, amount)


async def grant(db: Database, account_id: str, amount: int, *, days: int, reason: str, author: str) -> Moved:
    """Add money as a gift that ends in so many days. It is spent before paid money. Raises AppError."""
    _check(amount, reason)
    if not 1 <= days <= _DAYS_MOST:
        raise AppError("invalid_request", f"A grant lasts 1 to {_DAYS_MOST} days.", param="days")
    grant_id = new_id("grt")
    transfer = Transfer(
        kind=TransferKind.GRANT, account_id=account_id, currency="", amount=amount, grant_id=grant_id,
        reason=reason, author=author,
    )  # fmt: skip
    async with db.transaction() as connection:
        await queries.open_wallet(connection, account_id)
        await queries.insert_grant(connection, grant_id, account_id, amount, days)
        moved = await _move(connection, transfer, amount)
        await queries.note_grants(connection, account_id)
        return moved


async def adjust(db: Database, account_id: str, amount: int, *, reason: str, author: str) -> Moved:
    """Take paid money away, to correct a mistake: never what is on hold or granted. Raises AppError."""
    _check(amount, reason)
    transfer = Transfer(
        kind=TransferKind.ADJUSTMENT, account_id=account_id, currency="", amount=amount, reason=reason, author=author
    )
    async with db.transaction() as connection:
        return await _move(connection, transfer, -amount)


async def refund(db: Database, generation_id: str, amount: int | None, *, reason: str, author: str) -> Moved:
    """Give back what a video cost, or a part of it; None gives back what is left. Raises AppError."""
    _check(1 if amount is None else amount, reason)
    async with db.transaction() as connection:
        hold = await queries.lock_hold(connection, generation_id)
        if hold is None or hold.state is not HoldState.SETTLED:
            raise AppError("not_found", "There is no such video that was charged.", param="video")
        left = (hold.charged or 0) - hold.refunded
        given = left if amount is None else amount
        if not 0 < given <= left:
            message = f"Of this video's charge {format_amount(left)} {hold.currency} can still be refunded."
            raise AppError("invalid_request", message, param="amount")
        if not await queries.note_refund(connection, generation_id, given):
            raise AssertionError("a locked hold has what was read of it")
        transfer = Transfer(
            kind=TransferKind.REFUND, account_id=hold.account_id, currency="", amount=given,
            generation_id=generation_id, reason=reason, author=author,
        )  # fmt: skip
        await queries.count_refund(connection, hold, await queries.model_of(connection, generation_id), given)
        return await _move(connection, transfer, given)


async def _move(connection: Connection, transfer: Transfer, change: int) -> Moved:
    wallet = await queries.open_wallet(connection, transfer.account_id)
    if wallet.grants_expired:
        await end_grants(connection, wallet)
        wallet = await queries.open_wallet(connection, transfer.account_id)
    transfer = msgspec.structs.replace(transfer, currency=wallet.currency)
    if not await queries.insert_transfers(connection, [transfer]):
        return Moved(wallet.account_id, transfer.amount, wallet.currency, wallet.available, repeated=True)
    if not await queries.move_available(connection, wallet.account_id, change):
        free = format_amount(max(0, wallet.available + min(0, wallet.held - wallet.granted)))
        message = f"The account has {free} {wallet.currency} of paid money that is not on hold."
        raise AppError("invalid_request", message, param="amount")
    return Moved(wallet.account_id, transfer.amount, wallet.currency, wallet.available + change)


def _check(amount: int, reason: str) -> None:
    if amount <= 0:
        raise AppError("invalid_request", "The amount must be more than nothing.", param="amount")
    if not reason.strip() or len(reason) > _REASON_MOST or not reason.isprintable():
        message = f"A reason is needed, of up to {_REASON_MOST} printable characters."
        raise AppError("invalid_request", message, param="reason")
