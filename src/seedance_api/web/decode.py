"""Decoding that reports everything wrong at once, in the words of the API."""

import difflib
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
from litestar.datastructures import MultiDict
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from seedance_api.catalog.words import got
from seedance_api.foundation.errors import Problem

Shape = TypeVar("Shape", bound=msgspec.Struct)
_MAX_PROBLEMS = 32
_FALSE_OR_TRUE = {
    "true": True,
    "1": True,
    "on": True,
    "yes": True,
    "false": False,
    "0": False,
    "off": False,
    "no": False,
}
"""What forms say."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{0,20})?(?:[eE][+]?[0-9]{1,2})?")
_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list",
                           dict: "an object"}  # fmt: skip


def decode(
    shape: type[Shape], values: Mapping[str, Any], *, strict: bool, path: str = ""
) -> tuple[Shape, list[Problem]]:
    """The struct made of the fields that are right, and a problem for every one that is not.

    `strict=False` takes text for numbers and booleans, as form fields are. Null stands for absent. A number without
    a fraction is whole however it is written: 5.0 is 5.
    """
    fields = _fields(shape)
    given = {
        name: _plain(value, fields[name], strict=strict)
        for name, value in values.items()
        if value is not None and name in fields
    }
    wrong: dict[str, list[Problem]] = {}
    try:
        read = _model(shape).model_validate(given)
        taken = {fields[name].name: getattr(read, name) for name in given}
    except ValidationError as error:
        wrong = _wrong_fields(error, path, values, fields, strict=strict)
        taken = {fields[name].name: value for name, value in given.items() if name not in wrong}
    problems: list[Problem] = []
    unknown = 0
    for name in values:
        if name in fields:
            problems += wrong.get(name, [])
            continue
        unknown += 1
        if unknown <= _MAX_PROBLEMS:
            problems.append(_unknown(name, path, list(fields)))
    if unknown > _MAX_PROBLEMS:
        message = f"There are {unknown} fields that are not known; the first {_MAX_PROBLEMS} are listed."
        problems.append(Problem(path=path or "body", code="unknown_field", message=message))
    return shape(**taken), problems


def decode_query(shape: type[Shape], query: Mapping[str, Any]) -> tuple[Shape, list[Problem]]:
    """The struct made of a query, and a problem for every parameter that is wrong, or stands twice."""
    pairs: list[tuple[str, Any]] = list(query.multi_items() if isinstance(query, MultiDict) else query.items())
    times = Counter(name for name, _ in pairs)
    form, problems = decode(shape, dict(pairs), strict=False)
    for name in [name for name, count in times.items() if count > 1 and name in _fields(shape)]:
        message = f"`{name}` is given {times[name]} times; send it once."
        problems = [problem for problem in problems if problem.path != name]
        problems.append(Problem(path=name, code="repeated", message=message))
    return form, problems


class _Field(NamedTuple):
    """A field of a shape: its name in Python, and the types that a value may have which is there."""

    name: str
    type: Any
    kinds: tuple[Any, ...]


@cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, _Field]:
    """Its fields by the names that callers give them."""
    fields: dict[str, _Field] = {}
    for field in msgspec.structs.fields(shape):
        is_union = get_origin(field.type) in (Union, UnionType)
        kinds = tuple(kind for kind in (get_args(field.type) if is_union else (field.type,)) if kind is not NoneType)
        given: Any = kinds[0]
        for kind in kinds[1:]:
            given = given | kind
        fields[field.encode_name] = _Field(field.name, given, kinds)
    return fields


@cache
def _model(shape: type[msgspec.Struct]) -> type[BaseModel]:
    """What checks the fields of a shape, all of them whatever is wrong with one."""
    config = ConfigDict(strict=True, protected_namespaces=())
    fields: dict[str, Any] = {name: (field.type, None) for name, field in _fields(shape).items()}
    return create_model(shape.__name__, __config__=config, **fields)


def _plain(value: Any, field: _Field, *, strict: bool) -> Any:
    """A number or a yes in the form that the field has, where it means the same."""
    if isinstance(value, float):
        whole = int in field.kinds and float not in field.kinds and value.is_integer() and abs(value) < 1 << 63
        return int(value) if whole else value
    if strict or not isinstance(value, str) or str in field.kinds:
        return value
    text = value.strip()
    if bool in field.kinds:
        return _FALSE_OR_TRUE.get(text.lower(), text)
    if int in field.kinds and _NUMBER.fullmatch(text):
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else value
    return value


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


def _wrong_fields(
    error: ValidationError, path: str, values: Mapping[str, Any], fields: Mapping[str, _Field], *, strict: bool
) -> dict[str, list[Problem]]:
    """The problems of each field: one for it, or one for each of its entries that is wrong."""
    wrong: dict[str, list[Problem]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        name, *inner = fault["loc"]
        field, value = fields[str(name)], values[str(name)]
        place, kinds, whole = f"{path}{name}", field.kinds, True
        if len(kinds) == 1 and inner:
            (kind,), at = kinds, inner[0]
            whole, kinds, value = False, get_args(kind)[-1:], value[at]
            place += f"[{at if isinstance(at, int) else shown_name(at)}]"
        problems = wrong.setdefault(str(name), [])
        if len(problems) < _MAX_PROBLEMS and all(problem.path != place for problem in problems):
            is_entry = not whole and isinstance(inner[0], str)
            problems.append(_wrong(place, kinds, value, strict=strict or is_entry))
    return wrong


def _wrong(path: str, kinds: tuple[Any, ...], value: Any, *, strict: bool) -> Problem:
    wanted = " or ".join(words for kind, words in _KINDS.items() if kind in [get_origin(one) or one for one in kinds])
    shown = value if isinstance(value, bool | int | float) else None
    given = _given_as(path, wanted, value, strict=strict)
    return Problem(path=path, code="wrong_type", message=f"`{path}` must be {wanted}{given}.", value=shown)


def _given_as(path: str, wanted: str, value: Any, *, strict: bool) -> str:
    """What was given instead, and what to do about it where it is known; of a text in JSON nothing is repeated."""
    match value:
        case str() if wanted == _KINDS[dict] and not strict:
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
