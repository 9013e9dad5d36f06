"""The operator's upstreams, out of `upstreams.toml`: who makes live videos, in which order of preference. Pure."""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, cast
from urllib.parse import SplitResult, urlsplit

import msgspec

from seedance_api.catalog.capabilities import Cloud, Model
from seedance_api.catalog.models import MODELS, find
from seedance_api.catalog.order import Mode
from seedance_api.providers.table import Cost, Table

RETIRING = timedelta(days=30)
"""A model that ends within this time is warned about."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_TAKEN = frozenset({"sandbox"})
_HOSTS: Mapping[str, Literal["volcengine", "byteplus"]] = {"volces.com": "volcengine", "bytepluses.com": "byteplus"}


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A model at an upstream: the vendor's ids, and how much it takes. Seedance 1.0 lite has an id for text alone."""

    ids: tuple[str, ...]
    at_once: int = 10
    a_minute: int = 600
    ends_at: datetime | None = None
    costs: tuple[Cost, ...] = ()

    def vendor_id(self, mode: Mode) -> str:
        """The id to order by."""
        return self.ids[0] if mode is Mode.TEXT else self.ids[-1]


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """One account of one vendor. The key itself is in the environment, under the name `key_env`."""

    name: str
    kind: Literal["ark"]
    base_url: str
    region: str
    data_region: str
    legal_entity: str
    key_env: str
    media: Literal["link", "data"] = "link"
    callbacks: bool = True
    list_a_second: float = 1.0
    result_hosts: tuple[str, ...] = ()
    allow_networks: tuple[str, ...] = ()
    result_ports: tuple[int, ...] = ()
    models: Mapping[str, Served]

    def cost(
        self, model: str, currency: str, *, resolution: str, input_video: bool, audio: bool, service_tier: str
    ) -> int | None:
        """What it asks for a million tokens of such a use, in micro-units; None where that is not agreed here."""
        for line in self.models[model].costs if model in self.models else ():
            fits = line.covers(resolution=resolution, input_video=input_video, audio=audio, service_tier=service_tier)
            if line.currency == currency and fits:
                return line.cost
        return None

    @property
    def allow_http(self) -> bool:
        """Whether results may come over plain http: where the upstream itself does, on this machine."""
        return self.base_url.startswith("http://")

    @property
    def extra_ports(self) -> frozenset[int]:
        """Further ports that results may come from: those that are named, and a private upstream's own."""
        own = urlsplit(self.base_url).port if self.allow_networks else None
        return frozenset(self.result_ports if own is None else (*self.result_ports, own))


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
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    except RecursionError:
        raise ValueError("not TOML: it is nested too deeply") from None
    problems: list[str] = []
    warnings: list[str] = []
    root = Table("", cast("dict[str, object]", said), problems)
    tables = root.tables("upstreams")
    root.end()
    if not tables and not problems:
        problems.append("there is no upstream; it needs a table such as [upstreams.byteplus]")
    read = [_upstream(name, table, warnings, today or datetime.now(UTC).date()) for name, table in tables.items()]
    if problems:
        raise ValueError("\n".join(problems))
    return Upstreams(upstreams=tuple(one for one in read if one is not None), warnings=tuple(warnings))


def _upstream(name: str, table: Table, warnings: list[str], today: date) -> Upstream | None:
    if not _NAME.fullmatch(name) or name in _TAKEN:
        table.fault("", "the name must be of a-z, 0-9 and -, and not `sandbox`")
    table.choice("kind", ("ark",))
    base_url = _base_url(table)
    cloud = table.choice("cloud", ("volcengine", "byteplus"), default=_cloud_of(base_url) or "")
    made = {
        "region": table.text("region"),
        "data_region": table.text("data_region"),
        "legal_entity": table.text("legal_entity"),
        "key_env": table.text("key_env", re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)),
        "media": table.choice("media", ("link", "data"), default="link"),
        "callbacks": table.boolean("callbacks", default=True),
        "list_a_second": table.number("list_a_second", default=1.0, least=0.01, most=100),
        "result_hosts": table.texts("result_hosts", re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII)),
        "allow_networks": table.networks("allow_networks"),
        "result_ports": table.ports("result_ports"),
    }
    models = _models(name, table, cloud, warnings, today)
    table.end()
    if table.faulty:
        return None
    return msgspec.convert({"name": name, "kind": "ark", "base_url": base_url, "models": models, **made}, Upstream)


def _base_url(table: Table) -> str:
    url = table.text("base_url").rstrip("/")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 – reading it checks it
    except ValueError:
        table.fault("base_url", "is not a URL")
        return ""
    if url and (parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment):
        table.fault("base_url", "must be https://host/path, without a query")
    elif url and "@" in parts.netloc:
        table.fault("base_url", "must not hold a user or a password")
    elif parts.scheme == "http" and not _is_loopback(parts):
        table.fault("base_url", "must start with https:// unless it is on this machine")
    return url


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _cloud_of(base_url: str) -> Literal["volcengine", "byteplus"] | None:
    try:
        host = urlsplit(base_url).hostname or ""
    except ValueError:
        return None
    return next((cloud for suffix, cloud in _HOSTS.items() if host == suffix or host.endswith("." + suffix)), None)


def _models(name: str, table: Table, cloud: str, warnings: list[str], today: date) -> dict[str, Served]:
    served: dict[str, Served] = {}
    tables = table.tables_or_names("models")
    if not tables and not table.faulty:
        table.fault("models", "must name at least one model")
    for key, part in tables.items():
        model = find(key)
        if model is None or model.name != key:
            names = ", ".join(known.name for known in MODELS)
            part.fault("", f"is not the name of a model; there are {names}")
            continue
        one = _served(model, part, next((entry for entry in model.clouds if entry.cloud == cloud), None))
        if _is_served(name, model, one, warnings, today):
            served[key] = one
    return served


def _served(model: Model, table: Table, cloud: Cloud | None) -> Served:
    given = table.text("id", re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII), default="")
    if not given and cloud is None:
        table.fault("id", "must be given, or `cloud` (volcengine or byteplus) for the upstream")
    ends_at = table.moment("ends_at") or (cloud.ends_at if cloud else None)
    served = Served(
        ids=(given,) if given else (cloud.ids if cloud else ()),
        at_once=int(table.number("at_once", default=10, least=1, most=100_000, whole=True)),
        a_minute=int(table.number("a_minute", default=600, least=1, most=1_000_000, whole=True)),
        ends_at=ends_at,
        costs=table.costs("cost", model),
    )
    table.end()
    return served


def _is_served(name: str, model: Model, served: Served, warnings: list[str], today: date) -> bool:
    """Whether the model is still to be had there. The day on which it ends already counts as ended."""
    if served.ends_at is None:
        return True
    instead = f"; its successor is {model.replacement}" if model.replacement else ""
    ends_on = served.ends_at.date()
    if ends_on <= today:
        warnings.append(f"upstreams.{name}: {model.name} ended there on {ends_on} and is not served{instead}")
        return False
    if ends_on - today <= RETIRING:
        warnings.append(f"upstreams.{name}: {model.name} ends there on {ends_on}{instead}")
    return True
