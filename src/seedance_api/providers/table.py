"""Read a table of the operator's TOML: every fault is noted with its place, and reading goes on."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from ipaddress import ip_network
from typing import cast

import msgspec

from seedance_api.catalog.capabilities import Model
from seedance_api.foundation.money import is_currency, parse_amount

_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the upstream asks for a million tokens, in micro-units of the currency; None is "whatever it is"."""

    currency: str
    cost: int
    resolutions: tuple[str, ...] | None = None
    input_video: bool | None = None
    audio: bool | None = None
    service_tier: str | None = None

    def covers(self, *, resolution: str, input_video: bool, audio: bool, service_tier: str) -> bool:
        """Whether this line is for such a use. The first that is counts."""
        return (
            (self.resolutions is None or resolution in self.resolutions)
            and self.input_video in (None, input_video)
            and self.audio in (None, audio)
            and self.service_tier in (None, service_tier)
        )


class Table:
    """A table with its place in the file. What is read is taken; `end` complains about the rest."""

    def __init__(self, place: str, said: Mapping[str, object], problems: list[str]) -> None:
        self._place, self._said, self._problems = place, dict(said), problems
        self.faulty = False

    def fault(self, key: str, says: str) -> None:
        """Note what is wrong with a key, or with the table itself."""
        self.faulty = True
        self._problems.append(f"{_at(self._place, key)}: {says}")

    def end(self) -> None:
        """Complain about the keys that nobody has read."""
        for key in self._said:
            self.fault(key, "is not known here")

    def text(self, key: str, form: re.Pattern[str] = _LINE, default: str | None = None) -> str:
        """One line of text."""
        said = self._said.pop(key, default)
        if said is None:
            self.fault(key, "is missing")
        elif not isinstance(said, str) or (said != default and not form.fullmatch(said)):
            self.fault(key, "must be text" if form is _LINE else f"must be text like {form.pattern}")
        else:
            return said
        return ""

    def texts(self, key: str, form: re.Pattern[str]) -> tuple[str, ...]:
        """A list of texts; none if it is absent."""
        said = self._said.pop(key, [])
        if not isinstance(said, list) or not all(isinstance(one, str) for one in cast("list[object]", said)):
            self.fault(key, "must be a list of texts")
            return ()
        texts = cast("list[str]", said)
        for one in texts:
            if not form.fullmatch(one):
                self.fault(key, f"{one[:60]!r} must be like {form.pattern}")
        return tuple(texts)

    def ports(self, key: str) -> tuple[int, ...]:
        """A list of ports; none if it is absent."""
        said = self._said.pop(key, [])
        ports = cast("list[object]", said) if isinstance(said, list) else [None]
        # `True` is an int, and no port
        if not all(type(one) is int and 1 <= one <= 65535 for one in ports):
            self.fault(key, "must be a list of ports, such as [8444]: whole numbers from 1 to 65535")
            return ()
        return tuple(cast("list[int]", ports))

    def networks(self, key: str) -> tuple[str, ...]:
        """A list of networks such as 10.0.0.0/8."""
        networks = self.texts(key, re.compile(r"[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?", re.ASCII))
        for one in networks:
            try:
                ip_network(one)
            except ValueError:
                self.fault(key, f"{one[:60]!r} is not a network such as 10.0.0.0/8")
        return networks

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of these."""
        said = self._said.pop(key, default)
        if said != default and said not in allowed:
            self.fault(key, f"must be one of {', '.join(allowed)}")
            return default or allowed[0]
        if said is None:
            self.fault(key, f"is missing: one of {', '.join(allowed)}")
        return said if isinstance(said, str) else allowed[0]

    def boolean(self, key: str, *, default: bool) -> bool:
        """True or false."""
        said = self._said.pop(key, default)
        if not isinstance(said, bool):
            self.fault(key, "must be true or false")
            return default
        return said

    def optional_boolean(self, key: str) -> bool | None:
        """True or false, or None where it is absent."""
        return self.boolean(key, default=False) if key in self._said else None

    def number(self, key: str, *, default: float, least: float, most: float, whole: bool = False) -> float:
        """A number within its bounds."""
        said = self._said.pop(key, default)
        kinds = (int,) if whole else (int, float)
        if isinstance(said, bool) or not isinstance(said, kinds) or not least <= cast("float", said) <= most:
            self.fault(key, f"must be a {'whole ' if whole else ''}number from {least:g} to {most:g}")
            return default
        return cast("float", said)

    def moment(self, key: str) -> datetime | None:
        """A date, or a time with its zone; of a date the beginning, in UTC."""
        said = self._said.pop(key, None)
        if said is None:
            return None
        if isinstance(said, datetime) and said.tzinfo is not None:
            return said.astimezone(UTC)
        if isinstance(said, date) and not isinstance(said, datetime):
            return datetime.combine(said, time(), UTC)
        self.fault(key, "must be a date such as 2027-01-31")
        return None

    def tables(self, key: str) -> dict[str, "Table"]:
        """A table of tables."""
        said = self._said.pop(key, {})
        if not isinstance(said, dict):
            self.fault(key, "must be a table")
            return {}
        return dict(self._named(key, cast("dict[str, object]", said).items()))

    def tables_or_names(self, key: str) -> dict[str, "Table"]:
        """A table of tables, or a list of names with nothing to say about each."""
        said = self._said.get(key)
        if not isinstance(said, list):
            return self.tables(key)
        names = self.texts(key, _LINE)
        for name in {name for name in names if names.count(name) > 1}:
            self.fault(key, f"names {name} twice")
        return dict(self._named(key, ((name, {}) for name in names)))

    def costs(self, key: str, model: Model) -> tuple[Cost, ...]:
        """An amount for everything, or lines of amounts for what each covers."""
        said = self._said.pop(key, None)
        if said is None:
            return ()
        if isinstance(said, str):
            said = [{"cost": said}]
        if isinstance(said, dict):
            said = [cast("object", said)]
        if not isinstance(said, list):
            self.fault(key, 'must be an amount such as "3.5", or lines [[….cost]]')
            return ()
        costs: list[Cost] = []
        for number, line in enumerate(cast("list[object]", said), 1):
            place = f"{_at(self._place, key)}[{number}]"
            if not isinstance(line, dict):
                self._problems.append(f"{place}: must be a table")
                self.faulty = True
                continue
            table = Table(place, cast("dict[str, object]", line), self._problems)
            costs.append(_cost(table, model))
            self.faulty = self.faulty or table.faulty
        return tuple(costs)

    def _named(self, key: str, said: Iterable[tuple[str, object]]) -> Iterable[tuple[str, "Table"]]:
        for name, part in said:
            place = f"{_at(self._place, key)}.{_quoted(name)}"
            if isinstance(part, dict):
                yield name, Table(place, cast("dict[str, object]", part), self._problems)
            else:
                self.faulty = True
                self._problems.append(f"{place}: must be a table")


def _cost(table: Table, model: Model) -> Cost:
    currency = table.text("currency", default="USD")
    if not is_currency(currency):
        table.fault("currency", "must be a currency such as USD")
    amount = 0
    try:
        amount = parse_amount(table.text("cost"))
    except ValueError as error:
        table.fault("cost", str(error))
    resolutions = table.texts("resolutions", _LINE)
    for one in resolutions:
        if one not in model.capabilities.resolutions:
            table.fault("resolutions", f"{one[:20]} is not one of {', '.join(model.capabilities.resolutions)}")
    cost = Cost(
        currency=currency,
        cost=amount,
        resolutions=resolutions or None,
        input_video=table.optional_boolean("input_video"),
        audio=table.optional_boolean("audio"),
        service_tier=table.choice("service_tier", ("default", "flex"), default="") or None,
    )
    table.end()
    return cost


def _at(place: str, key: str) -> str:
    return ".".join(part for part in (place, key) if part) or "the file"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name[:60]}"'
