"""Read a price book: from the operator's file to prices, or everything that is wrong with it."""

from collections.abc import Iterator

from pydantic import ValidationError

from seedance_api.billing.prices import Book, Currency, uses
from seedance_api.catalog.models import MODELS
from seedance_api.foundation.money import is_currency, parse_amount
from seedance_api.foundation.toml import faults, parse_toml


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
