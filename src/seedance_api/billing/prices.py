"""The price book: what a million video tokens costs us and the customer. Pure: the file, its check, the look-up."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Annotated, Any

import msgspec

from seedance_api.catalog.capabilities import Model
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.order import Mode, Order
from seedance_api.foundation.money import MICRO, parse_amount
from seedance_api.foundation.toml import LISTED, Table


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What a price depends on."""

    model: str
    resolution: str
    input_video: bool
    audio: bool
    service_tier: str

    def facts(self) -> dict[str, Any]:
        """What it depends on beside the model."""
        return {name: getattr(self, name) for name in ("resolution", "input_video", "audio", "service_tier")}

    def __str__(self) -> str:
        words = [self.model, self.resolution, self.service_tier, "with sound" if self.audio else "silent"]
        return ", ".join([*words, *(["video input"] if self.input_video else [])])


class Row(Table):
    """A line of the book. What it leaves out, it does not depend on. Amounts are a million tokens' worth."""

    models: Annotated[tuple[str, ...], LISTED]
    resolutions: Annotated[tuple[str, ...] | None, LISTED] = None
    input_video: bool | None = None
    audio: bool | None = None
    service_tier: str | None = None
    cost: str
    price: str | None = None

    def covers(self, use: Use) -> bool:
        """Whether this line prices it."""
        return (
            use.model in self.models
            and (self.resolutions is None or use.resolution in self.resolutions)
            and self.input_video in (None, use.input_video)
            and self.audio in (None, use.audio)
            and self.service_tier in (None, use.service_tier)
        )


class Currency(Table):
    """The book in one currency. The margin, in percent of the cost, makes the price of rows without their own."""

    margin_percent: str = "0"
    rows: Annotated[tuple[Row, ...], LISTED]


class Book(msgspec.Struct, frozen=True):
    """A whole book, by currency; the first one is that of accounts without money."""

    currencies: dict[str, Currency]

    @property
    def default_currency(self) -> str:
        """Of an account that never had money."""
        return next(iter(self.currencies))


class Rate(msgspec.Struct, frozen=True):
    """Micro-dollars for a million tokens: what the customer pays, and what the upstream asks."""

    price: int
    cost: int


def use_of(order: Order, resolution: str | None = None) -> Use:
    """What an order is priced by; `resolution` where another was rendered than was ordered."""
    return Use(
        model=order.model,
        resolution=resolution or order.resolution,
        input_video=order.input_video_seconds > 0,
        audio=order.generate_audio,
        service_tier=order.service_tier,
    )


def every_rate(book: Book) -> dict[tuple[str, Use], Rate]:
    """The rate of every use that the book prices, in each of its currencies."""
    return {
        (name, use): _rate(row, part)
        for name, part in book.currencies.items()
        for model in MODELS
        for use in uses(model)
        for row in part.rows
        if row.covers(use)
    }


def price_of(tokens: int, rate: int) -> int:
    """Micro-dollars for so many tokens. A fraction of one is dropped, in the customer's favour."""
    return tokens * rate // MICRO


def cost_of(tokens: int, rate: int) -> int:
    """What the upstream may bill for so many tokens: a fraction of a micro-dollar counts as a whole one."""
    return -(-tokens * rate // MICRO)


def uses(model: Model) -> Iterator[Use]:
    """Everything that a model can be used for, as far as a price can depend on it."""
    can = model.capabilities
    takes_video = can.references is not None and can.references.videos > 0 and model.takes(Mode.REFERENCE)
    videos = (False, True) if takes_video else (False,)
    sounds = (False, True) if can.audio else (False,)
    for resolution, video, audio, tier in itertools.product(can.resolutions, videos, sounds, can.service_tiers):
        yield Use(model=model.name, resolution=resolution, input_video=video, audio=audio, service_tier=tier)


def _rate(row: Row, part: Currency) -> Rate:
    cost = parse_amount(row.cost)
    if row.price is not None:
        return Rate(parse_amount(row.price), cost)
    return Rate(ceil(cost * (1 + Fraction(parse_amount(part.margin_percent), 100 * MICRO))), cost)
