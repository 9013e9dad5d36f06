"""The operator's upstreams, out of `upstreams.toml`: who makes live videos, in which order of preference. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import msgspec
from pydantic import ValidationError

from seedance_api.catalog.models import MODELS, find
from seedance_api.foundation.toml import below, faults, parse_toml
from seedance_api.providers.provider import is_sandbox
from seedance_api.providers.table import ModelTable, UpstreamTable
from seedance_api.providers.upstream import Served, Upstream
from seedance_api.providers.values import list_of_texts

_RENAMED = {"at_once": "concurrency", "a_minute": "per_minute"}
"""Keys of a model that release 0.1.0 had, and their names since. They are accepted for one release."""
RETIRING = timedelta(days=30)
"""A model that ends within this time is warned about."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_HOSTS: Mapping[str, Literal["volcengine", "byteplus"]] = {"volces.com": "volcengine", "bytepluses.com": "byteplus"}


class Upstreams(msgspec.Struct, frozen=True, kw_only=True):
    """All upstreams in their order of preference, and what the operator should know of them."""

    upstreams: tuple[Upstream, ...]
    warnings: tuple[str, ...] = ()


def load_upstreams(file: Path, key: Callable[[str], str] | None) -> Upstreams:
    """Read the operator's file; `key` reads the secret of a name. Raises ValueError as `read_upstreams` does.

    Without it the keys are not looked for: enough to show what the file says, and not to call anybody.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {type(error).__name__}") from None
    try:
        found = read_upstreams(text)
    except ValueError as error:
        raise ValueError(f"{file}:\n{error}") from None
    lines = [f"upstreams.{one.name}: {says}" for one in found.upstreams if key and (says := _keyless(one, key))]
    if lines:
        raise ValueError("\n".join([f"{file}:", *lines]))
    return found


def _keyless(upstream: Upstream, key: Callable[[str], str]) -> str | None:
    try:
        return None if key(upstream.key_env) else f"the environment variable {upstream.key_env} holds no key"
    except ValueError as error:
        return str(error)


def read_upstreams(text: str, *, today: date | None = None) -> Upstreams:
    """Read the file. Raises ValueError whose text lists everything that is wrong, a line each, with its place."""
    said = parse_toml(text)
    problems = [f"{below('', key)}: is not known here" for key in said if key != "upstreams"]
    warnings: list[str] = []
    tables = _tables("upstreams", said.get("upstreams", {}), problems)
    if not tables and not problems:
        problems.append("there is no upstream; it needs a table such as [upstreams.byteplus]")
    on = today or datetime.now(UTC).date()
    read = [_upstream(name, table, problems, warnings, on) for name, table in tables.items()]
    if problems:
        raise ValueError("\n".join(problems))
    return Upstreams(upstreams=tuple(one for one in read if one is not None), warnings=tuple(warnings))


def _tables(place: str, said: object, problems: list[str]) -> dict[str, dict[str, Any]]:
    """A table of tables."""
    if not isinstance(said, dict):
        problems.append(f"{place}: must be a table")
        return {}
    parts = cast("dict[str, Any]", said)
    problems += [f"{below(place, name)}: must be a table" for name, one in parts.items() if not isinstance(one, dict)]
    return {name: one for name, one in parts.items() if isinstance(one, dict)}


def _upstream(
    name: str, said: dict[str, Any], problems: list[str], warnings: list[str], today: date
) -> Upstream | None:
    place, before = below("upstreams", name), len(problems)
    if not _NAME.fullmatch(name) or is_sandbox(name):
        problems.append(f"{place}: the name must be of a-z, 0-9 and -, and not `sandbox`")
    table = None
    try:
        table = UpstreamTable.model_validate({"kind": None} | said)
    except ValidationError as error:
        problems += faults(error, place, first=1)
    tables = _named(below(place, "models"), said.get("models", {}), problems)
    models: dict[str, Served] = {}
    for key, part in tables.items():
        at = below(below(place, "models"), key)
        served = _served(at, key, _renamed(at, part, problems, warnings), table, problems)
        if served is not None and _is_served(name, key, served, warnings, today):
            models[key] = served
    # what else is wrong may be why there is none, but for a key that is not known
    if not tables and all(one.endswith("is not known here") for one in problems[before:]):
        problems.append(f"{place}.models: must name at least one model")
    if table is None or len(problems) > before:
        return None
    facts = table.model_dump(exclude={"cloud", "models"})
    return Upstream(name=name, models=models, **facts)


def _cloud_of(base_url: str) -> Literal["volcengine", "byteplus"] | None:
    try:
        host = urlsplit(base_url).hostname or ""
    except ValueError:
        return None
    return next((cloud for suffix, cloud in _HOSTS.items() if host == suffix or host.endswith("." + suffix)), None)


def _named(place: str, said: object, problems: list[str]) -> dict[str, dict[str, Any]]:
    """A table of tables, or a list of names with nothing to say about each."""
    if not isinstance(said, list):
        return _tables(place, said, problems)
    try:
        names = list_of_texts(cast("object", said))
    except ValueError as error:
        problems.append(f"{place}: {error}")
        return {}
    problems += [f"{place}: names {name} twice" for name in {name for name in names if names.count(name) > 1}]
    return {name: {} for name in names}


def _renamed(place: str, said: dict[str, Any], problems: list[str], warnings: list[str]) -> dict[str, Any]:
    """The same table with today's keys."""
    table = dict(said)
    for old, new in _RENAMED.items():
        if old not in table:
            continue
        if new in table:
            problems.append(f"{place}.{old}: is the old name of `{new}`, which is given too; remove `{old}`")
        else:
            warnings.append(
                f"{place}.{old}: is named `{new}` now; the old name will not be accepted by the next release"
            )
        table[new] = table.pop(old)
    return table


def _served(
    place: str, name: str, said: dict[str, Any], upstream: UpstreamTable | None, problems: list[str]
) -> Served | None:
    model = find(name)
    if model is None or model.name != name:
        names = ", ".join(known.name for known in MODELS)
        problems.append(f"{place}: is not the name of a model; there are {names}")
        return None
    try:
        table = ModelTable.model_validate(said, context=model)
    except ValidationError as error:
        problems += faults(error, place, first=1)
        return None
    if upstream is None:
        return None
    chosen = upstream.cloud or _cloud_of(upstream.base_url)
    cloud = next((entry for entry in model.clouds if entry.cloud == chosen), None)
    if not table.id and cloud is None:
        problems.append(f"{place}.id: must be given, or `cloud` (volcengine or byteplus) for the upstream")
    return Served(
        ids=(table.id,) if table.id else (cloud.ids if cloud else ()),
        concurrency=table.concurrency,
        per_minute=table.per_minute,
        ends_at=table.ends_at or (cloud.ends_at if cloud else None),
        costs=table.cost,
    )


def _is_served(upstream: str, name: str, served: Served, warnings: list[str], today: date) -> bool:
    """Whether the model is still to be had there. The day on which it ends already counts as ended."""
    model = find(name)
    if served.ends_at is None or model is None:
        return True
    instead = f"; its successor is {model.replacement}" if model.replacement else ""
    ends_on = served.ends_at.date()
    if ends_on <= today:
        warnings.append(f"upstreams.{upstream}: {name} ended there on {ends_on} and is not served{instead}")
        return False
    if ends_on - today <= RETIRING:
        warnings.append(f"upstreams.{upstream}: {name} ends there on {ends_on}{instead}")
    return True
