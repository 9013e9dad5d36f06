"""Holds and price books to decide about, and generations that cost something; used by the tests of money."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from generations.kit import Owner, new
from seedance_api.billing.books import STANDARD, PriceBook
from seedance_api.billing.decide import NewHold
from seedance_api.billing.prices import Rate, every_rate, price_of, use_of
from seedance_api.billing.quote import Price
from seedance_api.billing.read_book import read_book
from seedance_api.billing.rows import Hold, HoldState, Sale
from seedance_api.catalog.tokens import Tokens
from seedance_api.foundation.db import Connection
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.webhooks.announce import announce
from seedance_api.webhooks.kinds import Kind

TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def standard_book() -> PriceBook:
    """The book of a new installation, as its first version."""
    book = read_book(STANDARD.read_text())
    return PriceBook(1, book, every_rate(book))


def hold(**changes: Any) -> Hold:
    """A hold of 1 dollar for 100,000 tokens at 10 dollars a million."""
    made = Hold(
        generation_id="vid_1", account_id="acc_1", key_id="key_1", currency="USD", price_version=1, rate=10_000_000,
        quoted_tokens=100_000, quoted=1_000_000, amount=1_000_000, counted_on=TODAY, state=HoldState.HELD, tokens=None,
        resolution=None, charged=None, waived=0, refunded=0, reason=None, created_at=NOON, resolved_at=None,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def wanted(amount: int, *, account: str = "acc_1", key: str = "key_1", name: str = "vid_1") -> NewHold:
    """A hold to be decided about."""
    return NewHold(
        generation_id=name, account_id=account, key_id=key, currency="USD", price_version=1, rate=10_000_000,
        quoted_tokens=1, quoted=amount, amount=amount,
    )  # fmt: skip


def paid(owner: Owner, *, expected: int, most: int | None = None, **changes: Any) -> NewGeneration:
    """A live generation to write, priced by the standard book for so many tokens."""
    made = new(owner, livemode=True, **changes)
    rate = standard_book().rate("USD", use_of(made.order))
    assert rate is not None
    tokens = Tokens(expected=expected, most=expected if most is None else most)
    return msgspec.structs.replace(made, quoted_tokens=expected, price=priced(rate, tokens))


def priced(rate: Rate, tokens: Tokens) -> Price:
    """The price of so many tokens at a rate."""
    return Price(
        currency="USD", version=1, rate=rate, tokens=tokens, expected=price_of(tokens.expected, rate.price),
        most=price_of(tokens.most, rate.price),
    )  # fmt: skip


def sale(made: NewGeneration, tokens: int | None, resolution: str | None = None, seconds: float = 4.0) -> Sale:
    """A generation that was completed."""
    return Sale(
        generation_id=made.id, account_id=made.account_id, key_id=made.key_id, livemode=made.livemode,
        model=made.order.model, resolution=resolution or made.order.resolution, seconds=seconds, tokens=tokens,
        quoted_tokens=made.quoted_tokens,
    )  # fmt: skip


async def finish(connection: Connection, generation_id: str, state: str) -> None:
    """Move a generation to a final state, beside the settle or release of its hold."""
    await connection.execute(
        "UPDATE generation SET state = $2, finished_at = now(), error_code = $3 WHERE id = $1",
        generation_id,
        state,
        "provider_failed" if state == "failed" else None,
    )
    kinds: dict[str, Kind] = {"completed": "video.completed", "failed": "video.failed", "canceled": "video.canceled"}
    await announce(connection, kinds[state], [generation_id])
