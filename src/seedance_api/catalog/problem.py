"""A problem: what is wrong with a request, where, and what would be right."""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from math import isfinite

import msgspec

from seedance_api.catalog.capabilities import Model, State
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.words import got

Value = str | int | float | bool | None


class Code(StrEnum):
    """Every kind of problem there is."""

    UNKNOWN_MODEL = "unknown_model"
    RETIRED_MODEL = "retired_model"
    MISSING = "missing"
    UNSUPPORTED_PARAMETER = "unsupported_parameter"
    UNSUPPORTED_VALUE = "unsupported_value"
    OUT_OF_RANGE = "out_of_range"
    CONFLICT = "conflict"
    TOO_MANY = "too_many"
    BAD_MEDIA = "bad_media"


MEANINGS: dict[Code, str] = {
    Code.UNKNOWN_MODEL: "No model has this name; the message names the nearest ones.",
    Code.RETIRED_MODEL: "The vendor no longer runs this model; the message names its replacement.",
    Code.MISSING: "Something needed is not there: a prompt, a role, the value of a flag.",
    Code.UNSUPPORTED_PARAMETER: "This model does not take this parameter or kind of input at all.",
    Code.UNSUPPORTED_VALUE: "This model takes the parameter, but not this value, or not in this mode.",
    Code.OUT_OF_RANGE: "A number or a length is outside its bounds.",
    Code.CONFLICT: "Two parts of the request contradict or exclude each other.",
    Code.TOO_MANY: "More media of a kind or a role than the model takes.",
    Code.BAD_MEDIA: "A file is not what the model takes: its format, size, shape, frame rate or length.",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a request.

    `allowed` is what this model takes there, `models` the active models that would take what was sent.
    `value` is never part of the prompt, and `message` holds nothing that the caller sent but
    numbers, short words, and what has the form of a model's name.
    """

    path: str
    code: Code
    message: str
    value: Value = None
    allowed: tuple[str, ...] | str | None = None
    models: tuple[str, ...] = ()


_TELLS_VALUE = frozenset({Code.OUT_OF_RANGE, Code.UNSUPPORTED_VALUE, Code.CONFLICT, Code.TOO_MANY})
"""Problems with a value, not with the field; a file's facts are told in words of their own."""


class Report:
    """Collects every problem of one request.

    `sources` tells where a value came from when it was not the field of its own name: another field
    (`size`, `seconds`) or a flag in the prompt (`--rs`), so that a problem points at what the caller wrote.
    """

    def __init__(self, today: date) -> None:
        self.today = today
        self.problems: list[Problem] = []
        self.sources: dict[str, str] = {}

    def add(
        self,
        code: Code,
        field: str,
        says: str = "",
        *,
        value: Value = None,
        allowed: tuple[str, ...] | str | None = None,
        taken_by: Callable[[Model], bool] | None = None,
        message: str | None = None,
    ) -> None:
        """Note a problem; its message is the field, what `says` says of it, and the value, unless one is given."""
        source = self.sources.get(field, field)
        flagged = source.startswith("--")
        if code in _TELLS_VALUE and not flagged:
            says = says.removesuffix(".") + got(presentable(value)) + "."
        self.problems.append(
            Problem(
                path="prompt" if flagged else source,
                code=code,
                message=message or (f"`{source}` in the prompt {says}" if flagged else f"`{source}` {says}"),
                value=None if flagged else presentable(value),
                allowed=allowed,
                models=active_models(taken_by, self.today) if taken_by else (),
            )
        )


def active_models(taken_by: Callable[[Model], bool], today: date) -> tuple[str, ...]:
    """The names of the active models of which it holds."""
    return tuple(model.name for model in MODELS if model.state(today) is State.ACTIVE and taken_by(model))


def presentable(value: Value) -> Value:
    """The value in a form that any JSON encoder takes and that cannot flood a reply."""
    if isinstance(value, str):
        return value[:100].encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    return value
