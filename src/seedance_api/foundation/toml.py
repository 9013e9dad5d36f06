"""An operator's TOML file: its tables are pydantic models, and every fault is told with its place."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

LISTED = BeforeValidator(lambda said: tuple(said) if isinstance(said, list) else said)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType] of anything
"""Marks a tuple that a file says as a list."""
_SAYS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "model_type": "must be a table",
    "tuple_type": "must be a list",
}


class Table(BaseModel):
    """A table of the file: nothing is taken for something else, and nothing beyond its fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def parse_toml(text: str) -> dict[str, Any]:
    """What the file says. Raises ValueError when it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    except RecursionError:
        raise ValueError("not TOML: it is nested too deeply") from None


def faults(error: ValidationError, place: str = "", *, first: int = 0) -> Iterator[str]:
    """A line for each thing that is wrong, with its place below `place`. Lists are counted from `first`."""
    for fault in error.errors(include_url=False, include_input=False):
        at = place
        for part in fault["loc"]:
            at = f"{at}[{part + first}]" if isinstance(part, int) else below(at, part)
        if fault["type"] == "value_error":
            yield from (f"{at}: {line}" for line in str(fault["ctx"]["error"]).splitlines())  # pyright: ignore[reportTypedDictNotRequiredAccess]
        else:
            yield f"{at}: {_SAYS.get(fault['type'], 'is of another kind')}"


def below(place: str, name: str) -> str:
    """The place of a name in a table; what could not stand there without quotes has some."""
    shown = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name[:60]}"'
    return f"{place}.{shown}" if place else shown
