"""Figures: what was compared, what each round gave, and how that stands against its bar."""

import statistics
from collections.abc import Callable
from typing import Any

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. `values` holds one number a round; `sides` holds what both sides did, by their name."""

    name: str
    how: str
    values: list[float]
    unit: str = "×"
    sides: dict[str, list[float]] = {}
    side_unit: str = ""
    bar: float | None = None
    stretch: float | None = None
    is_minimum: bool = True
    """Whether the bar is a minimum (a rate) or a maximum (a time)."""
    note: str = ""

    @property
    def median(self) -> float:
        """What to quote."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """How the median stands against the bar."""
        if self.bar is None:
            return "no bar"
        if not self._reaches(self.median, self.bar):
            return "short"
        if not all(self._reaches(one, self.bar) for one in self.values):
            return "pass, not in every round"
        return "stretch" if self.stretch is not None and self._reaches(self.median, self.stretch) else "pass"

    def _reaches(self, value: float, bar: float) -> bool:
        return value >= bar if self.is_minimum else value <= bar


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one file of this package found out. `skipped` says why it could not."""

    name: str
    figures: list[Figure] = []
    skipped: str = ""
    seconds: float = 0.0


class SkippedError(Exception):
    """This part cannot be measured here; the text says what is missing."""


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Ours over theirs, round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def differences(ours: list[float], theirs: list[float]) -> list[float]:
    """Ours less theirs, round by round."""
    return [one - other for one, other in zip(ours, theirs, strict=True)]


def take_turns(rounds: int, say: Callable[[str], None], **sides: Callable[[], Any]) -> dict[str, list[Any]]:
    """Run both sides in turn, A B then B A, so that neither is always the one that comes second."""
    found: dict[str, list[Any]] = {name: [] for name in sides}
    for at in range(rounds):
        order = list(sides) if at % 2 == 0 else list(reversed(sides))
        for name in order:
            found[name].append(sides[name]())
        shown = ", ".join(f"{name} {brief(found[name][-1])}" for name in sides)
        say(f"round {at + 1} of {rounds}: {shown}")
    return found


def brief(value: Any) -> str:
    """A number as a person reads it: three figures that count."""
    value = float(getattr(value, "rate", value))
    if value and abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"
