"""Suppress: which counts may be told, so that neither they nor what is left between them say what few accounts did.

A count with fewer than `MINIMUM` accounts behind it is never told. Where counts add up to a sum that is known, such as
the hours of a day, what is left of the sum after those that are told is nothing, or has `MINIMUM` accounts behind it:
otherwise the smallest of the others is held back with it. Docs/decisions/0034 says why that is enough.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

import msgspec

MINIMUM = 5
"""Accounts behind every count that is told. The database holds it, too: the CHECK of `analytics`."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A count of one day (`hour` is None) or of one hour of it, and how many accounts are behind it.

    `few` are their ids where they are fewer than `MINIMUM`: only by them is it known how many are behind several cells.
    """

    hour: int | None
    measure: str
    value: str
    status_class: int | None = None
    livemode: bool | None = None
    count: int
    accounts: int
    few: tuple[str, ...] = ()


def tellable(cells: Iterable[Cell], summed: frozenset[str]) -> list[Cell]:
    """Those cells of a day that may be told. The sum of all values of a measure in `summed` is taken for known."""
    days: list[Cell] = []
    hours: list[Cell] = []
    for cell in cells:
        (days if cell.hour is None else hours).append(cell)
    told: list[Cell] = []
    for group in _grouped(days, lambda cell: (cell.measure, cell.livemode)):
        whole = group[0].measure in summed
        told += withhold(group) if whole else [cell for cell in group if cell.accounts >= MINIMUM]
    named = {_name(cell) for cell in told}
    # of a day that is held back no hour is told either: its hours would add up to it
    for group in _grouped((cell for cell in hours if _name(cell) in named), _name):
        told += withhold(group)
    return told


def withhold(parts: Sequence[Cell]) -> list[Cell]:
    """Those parts of a known sum that may be told."""
    told = sorted((part for part in parts if part.accounts >= MINIMUM), key=_size)
    hidden = [part for part in parts if part.accounts < MINIMUM]
    behind = {account for part in hidden for account in part.few}
    if hidden and len(behind) < MINIMUM:
        return told[1:]
    return told


def tellable_steps(steps: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those steps of a funnel, each with the accounts that have reached it, that may be told.

    Each step's accounts are among those of the step before: those that were lost in between are a count as well.
    """
    told: list[tuple[str, int]] = []
    for name, accounts in steps:
        lost = told[-1][1] - accounts if told else 0
        if accounts >= MINIMUM and not 0 < lost < MINIMUM:
            told.append((name, accounts))
    return told


def _name(cell: Cell) -> tuple[str, str, int | None, bool | None]:
    return cell.measure, cell.value, cell.status_class, cell.livemode


def _size(cell: Cell) -> tuple[int, str, int, int]:
    """Of two with the same count always the same one is smaller."""
    return cell.count, cell.value, cell.status_class or 0, -1 if cell.hour is None else cell.hour


def _grouped(cells: Iterable[Cell], key: Callable[[Cell], Hashable]) -> list[list[Cell]]:
    groups: defaultdict[Hashable, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[key(cell)].append(cell)
    return list(groups.values())
