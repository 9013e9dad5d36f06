"""Settle: charge for what was rendered and release the rest, or release all. Once, whoever comes first."""

from collections.abc import Sequence

from seedance_api.billing import decide, ledger_queries, limit_queries, usage_queries, wallet_queries
from seedance_api.billing.books import Books
from seedance_api.billing.prices import cost_of, use_of
from seedance_api.billing.rows import Hold, HoldState, Sale, Transfer, TransferKind
from seedance_api.catalog.order import Order
from seedance_api.foundation import kill_points
from seedance_api.foundation.db import Connection

_TOKENS_MOST = 1 << 40
"""A count of tokens above this, or of none for a finished video, is not believed."""


class ResolvedError(Exception):
    """The hold was settled or released before: whoever tries it again has a fault, and writes nothing."""


async def settle(connection: Connection, sale: Sale, order: Order, books: Books) -> None:
    """Charge a completed generation, in the transaction that completes it. A test generation is counted only.

    Raises ResolvedError, so that the transaction ends with nothing written.
    """
    hold = await ledger_queries.lock_hold(connection, sale.generation_id)
    if hold is None:
        tokens = _believed(sale.tokens) or sale.quoted_tokens
        await usage_queries.count_usage(connection, sale, tokens=tokens, charged=0, at=None)
        return
    rate = (await books.at(hold.price_version, connection)).rate(hold.currency, use_of(order, sale.resolution))
    made = decide.settle(hold, _believed(sale.tokens), rate.price if rate else None)
    if not await ledger_queries.to_settled(connection, hold.generation_id, made, sale.resolution):
        raise ResolvedError
    kill_points.reach("settle.charged")
    await _leave_held(connection, hold, made.charged)
    moves = [
        (TransferKind.CHARGE, made.charged, None),
        (TransferKind.RELEASE, hold.amount - made.charged, None),
        (TransferKind.WAIVER, made.waived, made.reason),
    ]
    moment = await ledger_queries.insert_transfers(
        connection, [_transfer(hold, kind, amount, reason) for kind, amount, reason in moves]
    )
    await usage_queries.count_usage(connection, sale, tokens=made.tokens, charged=made.charged, at=moment)
    kill_points.reach("settle.settled")


async def release(connection: Connection, generation_id: str) -> None:
    """Give everything back for a generation that made no video, in the transaction that ends it.

    Raises ResolvedError, so that the transaction ends with nothing written.
    """
    hold = await ledger_queries.lock_hold(connection, generation_id)
    if hold is None:
        return
    if not await ledger_queries.to_released(connection, generation_id):
        raise ResolvedError
    await _leave_held(connection, hold, 0)
    await ledger_queries.insert_transfers(connection, [_transfer(hold, TransferKind.RELEASE, hold.amount, None)])


async def book_cost(connection: Connection, sale: Sale, order: Order, attempt_id: str, books: Books) -> None:
    """Note what the upstream bills for an attempt that made a video, whatever becomes of the video with us."""
    await book_costs(connection, [(sale, order, attempt_id)], books)


async def book_costs(connection: Connection, made: Sequence[tuple[Sale, Order, str]], books: Books) -> None:
    """The same for several attempts, each of another generation."""
    holds = await ledger_queries.lock_holds(connection, [sale.generation_id for sale, _, _ in made])
    transfers = [
        await _bill(connection, sale, order, attempt_id, holds[sale.generation_id], books)
        for sale, order, attempt_id in made
        if sale.generation_id in holds
    ]
    await ledger_queries.insert_transfers(connection, transfers)


async def _bill(
    connection: Connection, sale: Sale, order: Order, attempt_id: str, hold: Hold, books: Books
) -> Transfer:
    book = await books.at(hold.price_version, connection)
    use = use_of(order, sale.resolution)
    rate = book.rate(hold.currency, use) or book.rate(hold.currency, use_of(order))
    agreed = books.costs(sale.provider, hold.currency, use)
    cost = agreed if agreed is not None else rate.cost if rate else 0
    tokens = _believed(sale.tokens)
    return Transfer(
        kind=TransferKind.UPSTREAM,
        account_id=hold.account_id,
        currency=hold.currency,
        amount=cost_of(hold.quoted_tokens if tokens is None else tokens, cost),
        generation_id=hold.generation_id,
        reference=attempt_id,
    )


async def _leave_held(connection: Connection, hold: Hold, charged: int) -> None:
    assert hold.state is HoldState.HELD, "its compare-and-set has just succeeded"
    if hold.amount:
        before = (await wallet_queries.lock_wallets(connection, [hold.account_id]))[hold.account_id]
        if not await wallet_queries.leave_held(connection, hold.account_id, hold.amount, charged):
            raise AssertionError("what is on hold is in the wallet")
        if charged and before.granted:
            grants = await wallet_queries.open_grants(connection, hold.account_id)
            lasting = [grant for grant in grants if grant.expires_at > hold.created_at]
            await wallet_queries.take_from_grants(connection, hold.account_id, decide.spend_grants(lasting, charged))
    if hold.amount > charged:
        await limit_queries.give_back_to_limits(connection, hold, hold.amount - charged)


def _transfer(hold: Hold, kind: TransferKind, amount: int, reason: str | None) -> Transfer:
    return Transfer(
        kind=kind,
        account_id=hold.account_id,
        currency=hold.currency,
        amount=amount,
        generation_id=hold.generation_id,
        reason=reason,
    )


def _believed(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 < tokens <= _TOKENS_MOST else None
