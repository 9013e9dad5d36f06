"""Decoding that reports everything wrong at once: each field is converted by itself."""

import difflib
import functools
import re
from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args

import msgspec

from seedance_api.foundation.errors import AppError, Problem

Shape = TypeVar("Shape", bound=msgspec.Struct)
_UNKNOWN_MOST = 32
_LARGE = 1 << 20
_VALUES_MOST = 200_000
_EXPECTED = re.compile(r"[Ee]xpected (.+?)(?: - at `\$(.*)`)?\Z", re.DOTALL)
_ONE_OF = {"str": "text", "int": "a whole number", "bool": "true or false", "float": "a number", "object": "an object",
           "array": "a list", "null": "null"}  # fmt: skip


def parse_json(body: bytes | bytearray) -> dict[str, Any]:
    """The JSON object of a body. Raises AppError 400 for anything else, however deep it is nested."""
    # each of these makes an object of some 25 times its size, and base64 has none of them
    if len(body) > _LARGE and body.count(b",") + body.count(b"{") + body.count(b"[") > _VALUES_MOST:
        raise AppError("invalid_json", "The body has too many values.")
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise AppError("invalid_json", "The body is not valid JSON, or is nested too deeply.") from None
    if not isinstance(decoded, dict):
        raise AppError("invalid_json", "The body must be a JSON object.")
    return cast("dict[str, Any]", decoded)


def decode(
    shape: type[Shape], values: Mapping[str, Any], *, strict: bool, path: str = ""
) -> tuple[Shape, list[Problem]]:
    """The struct made of the fields that are right, and a problem for every one that is not.

    `strict=False` takes text for numbers and booleans, as form fields are. Null stands for absent.
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
                taken[field.name] = msgspec.convert(value, _given(field.type), strict=strict)
            except (msgspec.ValidationError, RecursionError) as error:
                problems.append(_wrong(path + name, str(error), value))
    if unknown > _UNKNOWN_MOST:
        message = f"There are {unknown} fields that are not known; the first {_UNKNOWN_MOST} are listed."
        problems.append(Problem(path=path or "body", code="unknown_field", message=message))
    return shape(**taken), problems


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


def _unknown(name: str, path: str, known: list[str]) -> Problem:
    shown = re.sub(r"[^\w\[\].-]", "?", name[:60]) or '""'
    near = difflib.get_close_matches(name[:60], known, n=1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return Problem(
        path=path + shown,
        code="unknown_field",
        message=f"There is no field `{shown}`.{hint}",
        allowed=near or known,
    )


def _wrong(path: str, error: str, value: Any) -> Problem:
    # msgspec says what it expected and where; what it got may be quoted there, so only the known part is kept
    match = _EXPECTED.search(
        error.split(", got", maxsplit=1)[0] + (" - at " + error.split(" - at ")[1] if " - at " in error else "")
    )
    inner = match[2] if match and match[2] else ""
    wanted = re.sub(r"`([^`]*)`", _in_words, match[1].split(" - at ")[0]) if match else "another kind of value"
    shown = value if isinstance(value, bool | int | float) else None
    return Problem(path=path + inner, code="wrong_type", message=f"`{path}{inner}` must be {wanted}.", value=shown)


def _in_words(match: re.Match[str]) -> str:
    names = [part.strip() for part in match[1].split("|")]
    return " or ".join(_ONE_OF.get(name, name) for name in names if name != "null")
