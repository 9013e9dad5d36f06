"""JSON bodies: the object in them, or what is wrong with them, and where."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from seedance_api.foundation.errors import AppError, Problem
from seedance_api.web.decode import shown_name

_LARGE = 1 << 20
_MAX_VALUES = 200_000
_MAX_DIGITS = 300
_HALF = re.compile("[\ud800-\udfff]")
_UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"),
                (b"\xfe\xff", "UTF-16"))  # fmt: skip
# A body begins with an ASCII character, so that zeros beside it tell the encoding (RFC 4627 §3).
_ZEROS = ((re.compile(rb"\x00\x00\x00[^\x00]|[^\x00]\x00\x00\x00"), "UTF-32"),
          (re.compile(rb"\x00[^\x00]|[^\x00]\x00"), "UTF-16"))  # fmt: skip
_PACKED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x78\x9c", "deflate"))
_KINDS: dict[type, str] = {list: "an array", str: "a text", int: "a number", float: "a number", bool: "true or false",
                           type(None): "null"}  # fmt: skip


def parse_json(body: bytes | bytearray) -> dict[str, Any]:
    """The JSON object of a body, in UTF-8 with or without a mark. Raises AppError 400 that says what is wrong where."""
    if body.startswith(_UTF8_MARK):  # noqa: FURB188 – which would copy every other bytearray, too
        body = body[len(_UTF8_MARK) :]
    # each of these makes an object of some 25 times its size, and base64 has none of them
    if len(body) > _LARGE and body.count(b",") + body.count(b"{") + body.count(b"[") > _MAX_VALUES:
        raise AppError("invalid_json", f"The body has more than {_MAX_VALUES:,} values; send at most {_MAX_VALUES:,}.")
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _fault(body) from None
    if not isinstance(decoded, dict):
        raise AppError("invalid_json", f"The body must be a JSON object, not {_KINDS[type(decoded)]}.")
    _check_names(body)
    return cast("dict[str, Any]", decoded)


class _NaN:
    """Stands for `NaN` or `Infinity`, which JSON has not."""

    def __init__(self, name: str) -> None:
        self.name = name


class _RepeatedError(Exception):
    """A name stands twice in one object."""


def _check_names(body: bytes | bytearray) -> None:
    """Raises AppError 400 for a name that stands twice in one object: one of its values would be lost."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        names = {name for name, _ in pairs}
        if len(names) < len(pairs):
            seen: set[str] = set()
            raise _RepeatedError(next(name for name, _ in pairs if name in seen or seen.add(name)))

    try:
        json.loads(body, object_pairs_hook=once, parse_int=len, parse_float=len)
    except _RepeatedError as error:
        path = shown_name(str(error))
        message = f"`{path}` is given more than once; send it once."
        raise AppError(
            "invalid_request", message, problems=[Problem(path=path, code="repeated", message=message)]
        ) from None


def _fault(body: bytes | bytearray) -> AppError:
    """What is wrong with what is no JSON. Nothing of the body is quoted but the names of fields."""
    encoding = _encoding(body)
    if encoding is not None:
        return AppError("invalid_json", encoding)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        message = f"The body is not UTF-8: its byte {error.start + 1} cannot be there. Send UTF-8."
        return AppError("invalid_json", message)
    try:
        decoded = json.loads(text, parse_constant=_NaN, parse_int=_int, parse_float=_float)
    except json.JSONDecodeError as error:
        says = error.msg.partition(":")[0].removesuffix(" at").lower()
        where = f"line {error.lineno}, column {error.colno}"
        return AppError("invalid_json", f"The body is not valid JSON: {says} ({where}).")
    except RecursionError:
        return AppError(
            "invalid_json", "The body is nested too deeply; send an object as the reference at /docs shows it."
        )
    for path, value in _walk(decoded, ""):
        if isinstance(value, _NaN):
            return _at(path, f"is {value.name}; send a number that JSON has, or leave it out")
        if isinstance(value, str) and _HALF.search(value):
            return _at(path, "holds half a surrogate pair (\\ud800 to \\udfff), which is no character; send whole ones")
    return AppError("invalid_json", "The body is not valid JSON, or is nested too deeply.")


def _int(text: str) -> object:
    return _NaN("out of range") if len(text) > _MAX_DIGITS else text


def _float(text: str) -> object:
    return _NaN("out of range") if float(text) in (float("inf"), float("-inf")) else text


def _encoding(body: bytes | bytearray) -> str | None:
    """What is wrong with the encoding of the whole body, if it can be told."""
    if not body.strip():
        return "The body is empty; send a JSON object."
    marked = next((name for mark, name in _OTHER_MARKS if body.startswith(mark)), None)
    guessed = next((name for zeros, name in _ZEROS if zeros.match(body)), None)
    if marked or guessed:
        return f"The body is {marked or guessed}; send UTF-8."
    packed = next((name for magic, name in _PACKED if body.startswith(magic)), None)
    return f"The body is compressed ({packed}), which is not unpacked here; send it uncompressed." if packed else None


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every text and number in a value, with the path to it; a name that is no text stands at its own place."""
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            place = f"{path}.{shown_name(name)}" if path else shown_name(name)
            yield place, name
            yield from _walk(inner, place)
    elif isinstance(value, list):
        for at, inner in enumerate(cast("list[Any]", value)):
            yield from _walk(inner, f"{path}[{at}]")
    else:
        yield path, value


def _at(path: str, says: str) -> AppError:
    message = f"`{path}` {says}." if path else f"The body {says}."
    problems = [Problem(path=path or "body", code="wrong_type", message=message)]
    return AppError("invalid_json", message, problems=problems)
