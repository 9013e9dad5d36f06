"""Money: every amount is a Decimal, in the currency that stands beside it."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

import msgspec

from seedance.answer import Answer

ZERO = Decimal(0)


class CostUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished video was charged for."""

    tokens: int
    resolution: str | None = None
    seconds: str | None = None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a video costs. `quoted` was expected; more than `hold` is never charged.

    `charged` and `released` are None until it is finished. `waived` is what lay above the hold: the operator pays it.
    """

    currency: str
    quoted: Decimal
    hold: Decimal
    price_version: int | None = None
    price_per_million_tokens: Decimal | None = None
    charged: Decimal | None = None
    released: Decimal | None = None
    refunded: Decimal = ZERO
    waived: Decimal = ZERO
    reason: str | None = None
    usage: CostUsage | None = None


class QuoteCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a video would cost; `expected` is what a live key would pay, also when this key is `free`."""

    currency: str
    hold: Decimal
    most: Decimal
    expected: Decimal | None = None
    price_version: int | None = None
    price_per_million_tokens: Decimal | None = None
    free: bool = False


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A spending limit: of the account or of a key, for a day, a month or in total (`resets_at` is then None)."""

    scope: str
    period: str
    limit: Decimal
    spent: Decimal
    left: Decimal
    key_id: str | None = None
    resets_at: int | None = None


class Balance(Answer, frozen=True, kw_only=True):
    """The account's money. `held` is set aside for videos being made; `granted` is the promotional part of both."""

    currency: str
    available: Decimal
    held: Decimal
    granted: Decimal = ZERO
    limits: list[Limit] = msgspec.field(default_factory=list[Limit])
    object: str = "balance"
    livemode: bool | None = None
    sandbox: bool | None = None


class UsageTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What was made and charged in the whole range."""

    videos: int
    seconds: Decimal
    tokens: int
    charged: Decimal
    refunded: Decimal


class Usage(Answer, frozen=True, kw_only=True):
    """What was made and charged on a day, by a model, with a key: those that were grouped by, the others are None."""

    videos: int
    seconds: Decimal
    tokens: int
    charged: Decimal
    refunded: Decimal
    object: str = "usage"
    day: date | None = None
    model: str | None = None
    key_id: str | None = None


def amount_text(amount: str | float | Decimal) -> str:
    """An amount as the service takes it: never with an exponent, and a float's noise rounded off."""
    if isinstance(amount, str):
        return amount
    if isinstance(amount, bool) or not math.isfinite(amount):
        raise ValueError(f"{amount} is not an amount of money")
    return f"{amount:f}" if isinstance(amount, Decimal) else f"{amount:.6f}"
