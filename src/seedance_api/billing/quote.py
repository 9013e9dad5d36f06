"""Quote: what an order would cost. The same numbers are shown, held and charged."""

import msgspec

from seedance_api.billing.books import PriceBook
from seedance_api.billing.prices import Rate, price_of, use_of
from seedance_api.catalog.order import Order
from seedance_api.catalog.tokens import Tokens
from seedance_api.foundation.errors import AppError


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """A priced order. `expected` is what its tokens should cost, `most` is held and never exceeded."""

    currency: str
    version: int
    rate: Rate
    tokens: Tokens
    expected: int
    most: int


def price(order: Order, tokens: Tokens, book: PriceBook, currency: str) -> Price:
    """The price of an order. Raises AppError 403 `no_price` when the book has none for it in this currency."""
    rate = book.rate(currency, use_of(order))
    if rate is None:
        raise AppError("no_price", f"There is no price in {currency} for {use_of(order)}.", param="model")
    return Price(
        currency=currency,
        version=book.version,
        rate=rate,
        tokens=tokens,
        expected=price_of(tokens.expected, rate.price),
        most=price_of(tokens.most, rate.price),
    )
