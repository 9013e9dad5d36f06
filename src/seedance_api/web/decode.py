"""Decoding that reports everything wrong at once: each field is converted by itself."""

import difflib
import functools
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec
from litestar.datastructures import MultiDict

from seedance_api.catalog.words import got
from seedance_api.foundation.errors import Problem

Shape = TypeVar("Shape", bound=msgspec.Struct)
_UNKNOWN_MOST = 32
_FALSE_OR_TRUE = {"on": True, "yes": True, "off": False, "no": False}
"""What forms say beside true, false, 1 and 0."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][+]?[0-9]{1,2})?")
_EXPECTED = re.compile(r"[Ee]xpected (.+?)(?: - at `\$(.*)`)?\Z", re.DOTALL)
_ONE_OF = {"str": "text", "int": "a whole number", "bool": "true or false", "float": "a number", "object": "an object",
           "array": "a list", "null": "null"}  # fmt: skip


def decode(
    shape: type[Shape], values: Mapping[str, Any], *, strict: bool, path: str = ""
) -> tuple[Shape, list[Problem]]:
    """The struct made of the fields that are right, and a problem for every one that is not.

    `strict=False` takes text for numbers and booleans, as form fields are. Null stands for absent. A number without
    a fraction is whole however it is written: 5.0 is 5.
    """
    fields = _fields(shape)
    taken: dict[str, Any] = {}
    problems: list[Problem] = []
    unknown = 0
    for name, value in values.items():
        field = fields.get(name)
        if field is None:
            unknown += 1
            if unknown <= _UNKNOWN_MOST:
                problems.append(_unknown(name, path, list(fields)))
        elif value is not None:
            try:
                given = _given(field.type)
                taken[field.name] = msgspec.convert(_plain(value, given, strict=strict), given, strict=strict)
            except (msgspec.ValidationError, RecursionError) as error:
                problems += _wrong_entries(path + name, value, field.type) or [
                    _wrong(path + name, str(error), value, strict=strict)
                ]
    if unknown > _UNKNOWN_MOST:
        message = f"There are {unknown} fields that are not known; the first {_UNKNOWN_MOST} are listed."
        problems.append(Problem(path=path or "body", code="unknown_field", message=message))
    return shape(**taken), problems


def decode_query(shape: type[Shape], query: Mapping[str, Any]) -> tuple[Shape, list[Problem]]:
    """The struct made of a query, and a problem for every parameter that is wrong, or stands twice."""
    pairs: list[tuple[str, Any]] = list(query.multi_items() if isinstance(query, MultiDict) else query.items())
    times = Counter(name for name, _ in pairs)
    form, problems = decode(shape, dict(pairs), strict=False)
    for name in [name for name, count in times.items() if count > 1 and name in _fields(shape)]:
        message = f"`{name}` is given {times[name]} times; send it once."
        problems = [one for one in problems if one.path != name]
        problems.append(Problem(path=name, code="repeated", message=message))
    return form, problems


def _plain(value: Any, given: Any, *, strict: bool) -> Any:
    """A number or a yes in the form that the field has, where it means the same."""
    kinds = get_args(given) or (given,)
    if int in kinds and float not in kinds:
        if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 63:
            return int(value)
        if not strict and str not in kinds and isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            number = Decimal(value.strip())
            return int(number) if number == number.to_integral_value() else value
    if not strict and kinds == (bool,) and isinstance(value, str):
        return _FALSE_OR_TRUE.get(value.strip().lower(), value.strip())
    return value


@cache
def _given(kind: Any) -> Any:
    """The type of a value that is there: msgspec would take the text `null` in a form for null."""
    kinds = [one for one in get_args(kind) if one is not NoneType]
    if NoneType not in get_args(kind):
        return kind
    union: Any = kinds[0]
    for one in kinds[1:]:
        union = union | one
    return union


@functools.cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """Its fields by name. msgspec works them out of the annotations anew each time, which is slow."""
    return {field.encode_name: field for field in msgspec.structs.fields(shape)}


def shown_name(name: str) -> str:
    """The name of a field or parameter that a caller made up, as it may stand in an answer."""
    return re.sub(r"[^\w\[\].-]", "?", name[:60]) or '""'


def _unknown(name: str, path: str, known: list[str]) -> Problem:
    shown = shown_name(name)
    near = difflib.get_close_matches(name[:60], known, n=1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return Problem(
        path=path + shown,
        code="unknown_field",
        message=f"There is no field `{shown}`.{hint}",
        allowed=near or known,
    )


def _wrong_entries(path: str, value: Any, kind: Any) -> list[Problem]:
    """A problem for each entry of an object that is not what its entries are, by its name, which msgspec leaves out."""
    given = _given(kind)
    if get_origin(given) is not dict or not isinstance(value, dict):
        return []
    problems: list[Problem] = []
    for name, one in cast("dict[str, Any]", value).items():
        try:
            msgspec.convert(one, get_args(given)[1])
        except (msgspec.ValidationError, RecursionError) as error:
            problems.append(_wrong(f"{path}[{shown_name(name)}]", str(error), one, strict=True))
    return problems[:_UNKNOWN_MOST]


def _wrong(path: str, error: str, value: Any, *, strict: bool) -> Problem:
    # msgspec says what it expected and where; what it got may be quoted there, so only the known part is kept
    match = _EXPECTED.search(
        error.split(", got", maxsplit=1)[0] + (" - at " + error.split(" - at ")[1] if " - at " in error else "")
    )
    inner = match[2] if match and match[2] else ""
    wanted = re.sub(r"`([^`]*)`", _in_words, match[1].split(" - at ")[0]) if match else "another kind of value"
    shown = value if isinstance(value, bool | int | float) else None
    given = "" if inner else _given_as(path, wanted, value, strict=strict)
    message = f"`{path}{inner}` must be {wanted}{given}."
    return Problem(path=path + inner, code="wrong_type", message=message, value=shown)


def _given_as(path: str, wanted: str, value: Any, *, strict: bool) -> str:
    """What was given instead, and what to do about it where it is known; of a text in JSON nothing is repeated."""
    match value:
        case str() if wanted == _ONE_OF["object"] and not strict:
            return f". In a form, send each entry by itself: `{path}[a]=b`"
        case str() if strict:
            plain = _NUMBER.fullmatch(value.strip()) or value.strip().lower() in ("true", "false")
            return ", not text: send it without quotes" if plain else ", not text"
        case None:
            return ", not null"
        case list():
            return ", not a list"
        case dict():
            return ", not an object"
        case _:
            return got(value)


def _in_words(match: re.Match[str]) -> str:
    names = [part.strip() for part in match[1].split("|")]
    return " or ".join(_ONE_OF.get(name, name) for name in names if name != "null")
