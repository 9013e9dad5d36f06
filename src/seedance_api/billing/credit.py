"""Credit: money that people move, each time with a reason and an author. With a reference it is moved once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from seedance_api.billing import decide, ledger_queries, usage_queries, wallet_queries
from seedance_api.billing.expire import end_grants
from seedance_api.billing.news import Announce, low_balance
from seedance_api.billing.rows import Hold, HoldState, Transfer, TransferKind, Wallet
from seedance_api.catalog.characters import find_control
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.money import format_price

_REASON_MOST = 500
_DAYS_MOST = 3650


class Moved(msgspec.Struct, frozen=True):
    """What was done. `repeated` says that its reference was there already, so that nothing was moved now."""

    account_id: str
    amount: int
    currency: str
    available: int
    at: datetime
    repeated: bool = False


class Move(msgspec.Struct, frozen=True):
    """What somebody wants moved. A reference, such as a payment's own id, stands for one move of its kind for ever."""

    kind: TransferKind
    amount: int
    reason: str
    author: str
    reference: str | None


async def credit(
    db: Database,
    account_id: str,
    amount: int,
    *,
    reason: str,
    author: str,
    reference: str | None = None,
    announce: Announce,
) -> Moved:
    """Add money that was paid. Raises AppError."""
    _check(amount, reason, reference)
    move = Move(TransferKind.CREDIT, amount, reason, author, reference)
    async with db.transaction() as connection, _open(connection, account_id, announce) as wallet:
        return await _repeated(connection, wallet, move) or await _move(connection, wallet, move, amount)


async def grant(
    db: Database,
    account_id: str,
    amount: int,
    *,
    days: int,
    reason: str,
    author: str,
    reference: str | None = None,
    announce: Announce,
) -> Moved:
    """Add money as a gift that ends in so many days. It is spent before paid money. Raises AppError."""
    _check(amount, reason, reference)
    if not 1 <= days <= _DAYS_MOST:
        raise AppError("invalid_request", f"A grant lasts 1 to {_DAYS_MOST} days.", param="days")
    move = Move(TransferKind.GRANT, amount, reason, author, reference)
    async with db.transaction() as connection, _open(connection, account_id, announce) as wallet:
        if done := await _repeated(connection, wallet, move):
            return done
        grant_id = new_id("grt")
        await wallet_queries.insert_grant(connection, grant_id, account_id, amount, days)
        moved = await _move(connection, wallet, move, amount, grant_id=grant_id)
        await wallet_queries.note_grants(connection, account_id)
        return moved


async def adjust(
    db: Database,
    account_id: str,
    amount: int,
    *,
    reason: str,
    author: str,
    reference: str | None = None,
    announce: Announce,
) -> Moved:
    """Take paid money away, to correct a mistake: never what is on hold or granted. Raises AppError."""
    _check(amount, reason, reference)
    move = Move(TransferKind.ADJUSTMENT, amount, reason, author, reference)
    async with db.transaction() as connection, _open(connection, account_id, announce) as wallet:
        return await _repeated(connection, wallet, move) or await _move(connection, wallet, move, -amount)


async def refund(
    db: Database,
    generation_id: str,
    amount: int | None,
    *,
    reason: str,
    author: str,
    reference: str | None = None,
    announce: Announce,
) -> Moved:
    """Give back what a video cost, or a part of it; None gives back what is left. Raises AppError."""
    _check(1 if amount is None else amount, reason, reference)
    async with db.transaction() as connection:
        hold = await ledger_queries.lock_hold(connection, generation_id)
        if hold is None or hold.state is not HoldState.SETTLED:
            raise AppError("not_found", "There is no such video that was charged.", param="video")
        async with _open(connection, hold.account_id, announce) as wallet:
            return await _refund(connection, wallet, hold, amount, reason=reason, author=author, reference=reference)


async def _refund(
    connection: Connection,
    wallet: Wallet,
    hold: Hold,
    amount: int | None,
    *,
    reason: str,
    author: str,
    reference: str | None,
) -> Moved:
    left = (hold.charged or 0) - hold.refunded
    video = hold.generation_id
    move = Move(TransferKind.REFUND, left if amount is None else amount, reason, author, reference)
    if done := await _repeated(connection, wallet, move, generation_id=video, any_amount=amount is None):
        return done
    if not 0 < move.amount <= left:
        message = f"Of this video's charge {format_price(left, hold.currency)} can still be refunded."
        raise AppError("invalid_request", message, param="amount")
    moved = await _move(connection, wallet, move, move.amount, generation_id=video)
    if not await ledger_queries.note_refund(connection, video, move.amount):
        raise AssertionError("a locked hold has what was read of it")
    model = await usage_queries.model_of(connection, video)
    await usage_queries.count_refund(connection, hold, model, move.amount, at=moved.at)
    return moved


@asynccontextmanager
async def _open(connection: Connection, account_id: str, announce: Announce) -> AsyncGenerator[Wallet, None]:
    """The locked wallet, without the grants that have ended. A fall of the balance is announced, whatever made it."""
    before = wallet = await wallet_queries.open_wallet(connection, account_id)
    if wallet.grants_expired:
        await end_grants(connection, wallet)
        wallet = await wallet_queries.open_wallet(connection, account_id)
    yield wallet
    after = await wallet_queries.open_wallet(connection, account_id)
    if low := decide.fallen(before, after.available):
        await announce(connection, [low_balance(low)])


async def _repeated(
    connection: Connection,
    wallet: Wallet,
    move: Move,
    *,
    generation_id: str | None = None,
    any_amount: bool = False,
) -> Moved | None:
    if move.reference is None:
        return None
    there = await ledger_queries.moved_under(connection, wallet.account_id, move.kind, move.reference)
    if there is None:
        return None
    amount, video, at = there
    if video != generation_id or (amount != move.amount and not any_amount):
        whose = f" for {video}" if video else ""
        message = f"That reference stands for {format_price(amount, wallet.currency)}{whose} already."
        raise AppError("invalid_request", message, param="reference")
    return Moved(wallet.account_id, amount, wallet.currency, wallet.available, at, repeated=True)


async def _move(
    connection: Connection,
    wallet: Wallet,
    move: Move,
    change: int,
    *,
    grant_id: str | None = None,
    generation_id: str | None = None,
) -> Moved:
    transfer = Transfer(
        kind=move.kind,
        account_id=wallet.account_id,
        currency=wallet.currency,
        amount=move.amount,
        generation_id=generation_id,
        grant_id=grant_id,
        reference=move.reference,
        reason=move.reason,
        author=move.author,
    )
    at = await ledger_queries.insert_transfers(connection, [transfer])
    assert at is not None, "it moves something, and its reference is new"
    if not await wallet_queries.move_available(connection, wallet.account_id, change):
        free = format_price(max(0, wallet.available + min(0, wallet.held - wallet.granted)), wallet.currency)
        message = f"The account has {free} of paid money that is not on hold."
        raise AppError("invalid_request", message, param="amount")
    return Moved(wallet.account_id, transfer.amount, wallet.currency, wallet.available + change, at)


def _check(amount: int, reason: str, reference: str | None) -> None:
    if amount <= 0:
        raise AppError("invalid_request", "The amount must be more than 0.", param="amount")
    if not reason.strip() or len(reason) > _REASON_MOST or find_control(reason, one_line=True):
        message = f"A reason is needed: one line of up to {_REASON_MOST} characters."
        raise AppError("invalid_request", message, param="reason")
    if reference is not None and (
        not reference.strip() or len(reference) > _REASON_MOST or find_control(reference, one_line=True)
    ):
        message = f"A reference is one line of up to {_REASON_MOST} characters."
        raise AppError("invalid_request", message, param="reference")
