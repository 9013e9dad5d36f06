"""Amounts and costs in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from seedance.errors import SeedanceError
from seedance.money import Cost


class LiveKeyNeeded(SeedanceError):  # noqa: N818 – as the client's own
    """A test key has no money that could be shown."""

    def __init__(self) -> None:
        super().__init__(
            "a test key has no balance and no statement: what it makes is free. Use a live key, sda_live_…, "
            "in SEEDANCE_API_KEY or with `seedance login`"
        )


def amount(value: Decimal, places: int | None = None) -> str:
    """Every decimal that says something, and at least two."""
    return f"{value:,.{decimals(value) if places is None else places}f}"


def decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2


def aligned(values: Sequence[Decimal | None]) -> list[str]:
    """Amounts for one under the other: as many decimals each, and as wide."""
    known = [value for value in values if value is not None]
    places = max(map(decimals, known), default=2)
    texts = ["–" if value is None else amount(value, places) for value in values]
    width = max(map(len, texts), default=0)
    return [text.rjust(width) for text in texts]


def cost_in_words(cost: Cost) -> str:
    """What it costs so far: what may be charged, or what was."""
    if cost.price_version is None and not cost.hold:
        return "free with a test key"
    if cost.charged is None:
        return f"{amount(cost.quoted)} {cost.currency} expected, {amount(cost.hold)} held"
    released = "" if cost.released is None else f", {amount(cost.released)} released"
    return f"{amount(cost.charged)} {cost.currency} charged of {amount(cost.hold)} held{released}"


def cost_facts(cost: Cost) -> list[tuple[str, str | None]]:
    """What `status` shows."""
    waived = f"{amount(cost.waived)} {cost.currency}, paid by the operator" if cost.waived else None
    return [
        ("cost", cost_in_words(cost)),
        ("price", price_in_words(cost.price_per_million_tokens, cost.currency, cost.price_version)),
        ("refunded", f"{amount(cost.refunded)} {cost.currency}" if cost.refunded else None),
        ("waived", waived),
        ("reason", cost.reason),
    ]


def price_in_words(per_million: Decimal | None, currency: str, version: int | None) -> str:
    if per_million is None:
        return ""
    return f"{amount(per_million)} {currency} for a million tokens" + (f" (price version {version})" if version else "")


def short_key(key_id: str) -> str:
    """The end of a key's id: its beginning is a time, and the same for keys that were made together."""
    return key_id if len(key_id) <= 12 else f"{key_id[:4]}…{key_id[-6:]}"
