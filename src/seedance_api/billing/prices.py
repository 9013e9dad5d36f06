"""The price book: what a million video tokens costs us and the customer. Pure: the file, its check, the look-up."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError

from seedance_api.catalog.capabilities import Model
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.order import Mode, Order
from seedance_api.foundation.money import MICRO, is_currency, parse_amount
from seedance_api.foundation.toml import LISTED, Table, faults, parse_toml


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


def read_book(text: str) -> Book:
    """A book from the operator's TOML. Raises ValueError whose text lists everything that is wrong, a line each."""
    said = parse_toml(text)
    currencies: dict[str, Currency] = {}
    problems: list[str] = []
    for name, part in said.items():
        if not is_currency(name):
            problems.append(f"{name}: a section is a currency, such as [USD]")
            continue
        try:
            currencies[name] = _read_currency(name, part)
        except ValidationError as error:
            problems += [f"{name}: {line}" for line in faults(error)]
        except ValueError as error:
            problems += [f"{name}: {line}" for line in str(error).splitlines()]
    if not said:
        problems.append("the book is empty; it needs a section such as [USD]")
    if problems:
        raise ValueError("\n".join(problems))
    return Book(currencies)


def decode_book(text: str) -> Book:
    """A book that was checked when it was stored: the catalogue may have changed since."""
    return Book({name: Currency.model_validate(part) for name, part in parse_toml(text).items()})


def _read_currency(name: str, part: object) -> Currency:
    if not isinstance(part, dict):
        raise ValueError(f"must be a section, [{name}]")  # noqa: TRY004 a fault of the file, not of the program
    currency = Currency.model_validate(part)
    problems = [*_wrong_amounts(currency), *_wrong_names(currency)]
    if not problems:
        problems = [*_overlaps(currency), *_below_cost(currency)]
    if problems:
        raise ValueError("\n".join(problems))
    return currency


def _wrong_amounts(part: Currency) -> Iterator[str]:
    fields = [("margin_percent", part.margin_percent)]
    for at, row in enumerate(part.rows):
        fields += [
            (f"rows[{at}].cost", row.cost),
            *([(f"rows[{at}].price", row.price)] if row.price is not None else []),
        ]
    for place, text in fields:
        try:
            if not parse_amount(text) and place.endswith("cost"):
                yield f"{place}: must be more than 0"
        except ValueError as error:
            yield f"{place}: {error}"


def _wrong_names(part: Currency) -> Iterator[str]:
    known = {model.name: model for model in MODELS}
    if not part.rows:
        yield "rows: there is no price"
    for at, row in enumerate(part.rows):
        yield from (f"rows[{at}].models: {one} twice" for one in sorted(set(row.models)) if row.models.count(one) > 1)
        models = [known[one] for one in row.models if one in known]
        if not row.models:
            yield f"rows[{at}].models: names no model"
        yield from (f"rows[{at}].models: there is no model {one}" for one in row.models if one not in known)
        for resolution in row.resolutions or ():
            if models and not any(resolution in one.capabilities.resolutions for one in models):
                yield f"rows[{at}].resolutions: none of its models has {resolution}"
        tiers = {tier for one in models for tier in one.capabilities.service_tiers}
        if models and row.service_tier is not None and row.service_tier not in tiers:
            yield f"rows[{at}].service_tier: must be one of {', '.join(sorted(tiers))}"


def _overlaps(part: Currency) -> Iterator[str]:
    for at, row in enumerate(part.rows):
        if not any(row.covers(use) for model in MODELS for use in uses(model)):
            yield f"rows[{at}]: it prices nothing that there is"
    priced = {name for row in part.rows for name in row.models}
    for model in MODELS:
        for use in uses(model) if model.name in priced else ():
            found = [at for at, row in enumerate(part.rows) if row.covers(use)]
            if len(found) > 1:
                yield f"rows {', '.join(map(str, found))} all price {use}"
            if not found:
                yield f"no row prices {use}"


def _below_cost(part: Currency) -> Iterator[str]:
    for at, row in enumerate(part.rows):
        if row.price is not None and parse_amount(row.price) < parse_amount(row.cost):
            yield f"rows[{at}].price: {row.price} is below its cost, {row.cost}"


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
