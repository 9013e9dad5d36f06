"""What customers see of a quote."""

from typing import Literal

import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.view import NOTHING, warnings
from seedance_api.billing.quote import Price
from seedance_api.catalog.retirement import Notice
from seedance_api.catalog.tokens import Tokens
from seedance_api.foundation.money import format_amount
from seedance_api.generations.price import PricedOrder
from seedance_api.providers.provider import is_sandbox


class QuoteCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a create of this would cost: decimal strings. `hold` is set aside until the video is finished, and `most` is
    the most that can be charged. With a test key it is `free`, and `expected` is what a live key would pay."""

    currency: str
    price_version: int
    """The price book that holds now."""
    price_per_million_tokens: str
    """The price in it."""
    expected: str
    """What it should cost with a live key."""
    hold: str
    """What a create would set aside."""
    most: str
    """The most that can be charged."""
    free: bool
    """Whether it costs nothing, because the key is a test key."""


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a quote. `tokens.most` is what no generation of this request exceeds."""

    object: Literal["quote"] = "quote"
    model: str
    """The model's name."""
    mode: str
    """How the inputs are used: `t2v`, `i2v`, `flf2v`, `r2v`, or `final` for the take of a draft."""
    size: str
    """Width and height expected, in pixels."""
    seconds: str
    """Length expected, as text."""
    resolution: str
    """The resolution."""
    ratio: str
    """The ratio, or `adaptive`."""
    tokens: Tokens
    """Video tokens."""
    cost: QuoteCost | None
    """What a create would cost: decimal texts; null where there is no price and none is needed."""
    warnings: list[Notice]
    """What will not stay as it is, each with `code` and `message`: a model that the vendor is retiring. Mostly
    empty."""
    livemode: bool
    """Whether the key is a live key."""
    sandbox: bool
    """Whether the sandbox would make it."""


def quote_view(priced: PricedOrder, principal: Principal) -> QuoteView:
    """A quote as its caller sees it."""
    order = priced.accepted.order
    return QuoteView(
        model=order.model,
        mode=order.mode.value,
        size=f"{order.width}x{order.height}",
        seconds=f"{order.seconds:g}",
        resolution=order.resolution,
        ratio=order.ratio,
        tokens=priced.tokens,
        cost=_cost(priced.price, free=not principal.livemode) if priced.price else None,
        warnings=warnings(order.model),
        livemode=principal.livemode,
        sandbox=is_sandbox(priced.provider),
    )


def _cost(price: Price, *, free: bool) -> QuoteCost:
    most = NOTHING if free else format_amount(price.most)
    return QuoteCost(
        currency=price.currency,
        price_version=price.version,
        price_per_million_tokens=format_amount(price.rate.price),
        expected=format_amount(price.expected),
        hold=most,
        most=most,
        free=free,
    )
