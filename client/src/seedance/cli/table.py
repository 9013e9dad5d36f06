"""Tables that fit the terminal: the least wanted columns are hidden, and named; ids and states are never cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from seedance.cli.output import Output, printable

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `place` orders the columns by how much they are wanted, 0 being always shown.

    A column of free text can do with `min_width`: it is folded at words, or cut where `one_line` is set. A column
    without it is shown whole or not at all.
    """

    heading: str
    cells: Sequence[Text | str]
    place: int = 0
    min_width: int | None = None
    one_line: bool = False
    right: bool = False

    @property
    def natural(self) -> int:
        """The width of the widest cell."""
        return max([len(self.heading), *(as_text(cell).cell_len for cell in self.cells)])

    @property
    def needed(self) -> int:
        return self.natural if self.min_width is None else min(self.natural, max(self.min_width, len(self.heading)))


def show_columns(columns: Sequence[Column], out: Output) -> None:
    """Print those of the columns that fit, in their order, and name the others on standard error."""
    shown = fitting(columns, out.console.width)
    needed = sum(one.needed for one in shown) + GAP * (len(shown) - 1)
    width = max(out.console.width, needed)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0), collapse_padding=True)
    for one in shown:
        table.add_column(
            one.heading,
            justify="right" if one.right else "left",
            no_wrap=one.min_width is None or one.one_line,
            overflow="ellipsis" if one.one_line else "fold",
            min_width=one.needed,
            max_width=one.needed + width - needed if one.one_line else None,
        )
    for cells in zip(*(one.cells for one in shown), strict=True):
        table.add_row(*map(as_text, cells))
    out.console.print(table, soft_wrap=False, crop=False, width=width)
    if hidden := [one.heading for one in columns if one not in shown]:
        count = "1 column" if len(hidden) == 1 else f"{len(hidden)} columns"
        out.note(f"{count} hidden ({', '.join(hidden)}): widen the terminal, or use --json", "dim")


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The most wanted of the columns that fit into so many characters."""
    kept: list[Column] = []
    for one in sorted(columns, key=lambda column: column.place):
        used = sum(other.needed for other in kept) + GAP * len(kept)
        if one.place and used + one.needed > width:
            break
        kept.append(one)
    return [one for one in columns if one in kept]


def as_text(cell: Text | str) -> Text:
    """What a server says must not steer the terminal."""
    return cell if isinstance(cell, Text) else Text(" ".join(printable(cell).split()))
