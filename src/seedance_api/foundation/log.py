"""Logs: one JSON object a line on standard error, made of allowed fields only.

A field that is not on the list is dropped, so a prompt or a key cannot slip in by being passed along. Exceptions are
written as their class and their frames: an exception's text may quote what a user sent.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, cast

import structlog

ALLOWED = frozenset(
    [
        "event",
        "level",
        "time",
        "logger",
        "pid",
        "version",
        "url",
        "port",
        "workers",
        "account_id",
        "key_id",
        "generation_id",
        "attempt_id",
        "file_id",
        "endpoint_id",
        "event_id",
        "request_id",
        "job",
        "provider",
        "state",
        "to",
        "model",
        "route",
        "method",
        "status",
        "code",
        "reason",
        "seconds",
        "delay",
        "count",
        "bytes",
        "error",
        "frames",
    ]
)
_KEY = re.compile(r"sda_(live|test)_[0-9A-Za-z]{4,}")
_LONGEST = 300


class _Logger(structlog.PrintLogger):
    """Drops a line that cannot be written: a full disk, or a reader that has gone, must not end whoever logs."""

    def msg(self, message: str) -> None:
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = error = critical = fatal = failure = err = exception = msg


def configure(*, level: str = "info", pretty: bool = False) -> None:
    """Set up structlog and the standard library's logging to go through the same filter."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            keep_allowed,
            _render_line if pretty else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Logger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Standard())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def keep_allowed(logger: object, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every field that is not allowed and cut what is left to a bounded, key-free text."""
    del logger, method
    problem = fields.pop("exc_info", None)
    if problem is True:
        problem = sys.exc_info()[1]
    if isinstance(problem, BaseException):
        fields["error"] = type(problem).__name__
        fields["frames"] = frames(problem.__traceback__)
    return {name: _clean(value) for name, value in fields.items() if name in ALLOWED}


def frames(tb: TracebackType | None) -> list[str]:
    """Where an exception came from, innermost last, without source lines or values."""
    found = traceback.extract_tb(tb)[-12:]
    return [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in found]


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _KEY.sub("sda_***", value)[:_LONGEST]
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, list):
        return [_clean(item) for item in cast("list[Any]", value)[:20]]
    return type(value).__name__


def _render_line(logger: object, method: str, fields: MutableMapping[str, Any]) -> str:
    del logger, method
    head = f"{str(fields.pop('time', ''))[11:19]} {fields.pop('level', ''):<7} {fields.pop('event', '')}"
    return head + "".join(f"  {name}={value}" for name, value in fields.items())


class _Standard(logging.Formatter):
    """Libraries' own log records: logger, level and the unformatted message; arguments may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.msg if isinstance(record.msg, str) else type(record.msg).__name__,
        }
        if record.exc_info and isinstance(record.exc_info[1], BaseException):
            fields["error"] = type(record.exc_info[1]).__name__
            fields["frames"] = frames(record.exc_info[2])
        return json.dumps({name: _clean(value) for name, value in fields.items()})
