"""The tables of `upstreams.toml`: what each takes, and what is said of what is wrong. `upstreams.py` reads them."""

import re
from datetime import UTC, date, datetime, time
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal, cast
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from seedance_api.catalog.capabilities import Model
from seedance_api.foundation.money import is_currency, parse_amount
from seedance_api.foundation.toml import Table

_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def _like(form: re.Pattern[str], *, blank: bool = False) -> BeforeValidator:
    def check(said: object) -> object:
        if not isinstance(said, str) or not (form.fullmatch(said) or (blank and not said)):
            raise ValueError("must be text" if form is _LINE else f"must be text like {form.pattern}")
        return said

    return BeforeValidator(check)


def _texts(form: re.Pattern[str]) -> BeforeValidator:
    def check(said: object) -> tuple[str, ...]:
        texts = list_of_texts(said)
        wrong = [f"{one[:60]!r} must be like {form.pattern}" for one in texts if not form.fullmatch(one)]
        if wrong:
            raise ValueError("\n".join(wrong))
        return tuple(texts)

    return BeforeValidator(check)


def list_of_texts(said: object) -> list[str]:
    """A list of texts. Raises ValueError for anything else."""
    if not isinstance(said, list) or not all(isinstance(one, str) for one in cast("list[object]", said)):
        raise ValueError("must be a list of texts")
    return cast("list[str]", said)


def _one_of(*allowed: str, needed: bool = True) -> BeforeValidator:
    def check(said: object) -> object:
        if said is None and needed:
            raise ValueError(f"is missing: one of {', '.join(allowed)}")
        if said in allowed:
            return said
        if not needed and said == "":
            return None
        raise ValueError(f"must be one of {', '.join(allowed)}")

    return BeforeValidator(check)


def _from(least: float, most: float, kind: str = "number") -> BeforeValidator:
    def check(said: object) -> object:
        kinds = (int,) if kind == "whole number" else (int, float)
        if isinstance(said, bool) or not isinstance(said, kinds) or not least <= said <= most:
            raise ValueError(f"must be a {kind} from {least:.10g} to {most:.10g}")
        return said

    return BeforeValidator(check)


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for one in texts:
        try:
            ip_network(one)
        except ValueError:
            raise ValueError(f"{one[:60]!r} is not a network such as 10.0.0.0/8") from None
    return texts


def _ports(said: object) -> tuple[int, ...]:
    ports = cast("list[object]", said) if isinstance(said, list) else [None]
    # `True` is an int, and no port
    if not all(type(one) is int and 1 <= one <= 65535 for one in ports):
        raise ValueError("must be a list of ports, such as [8444]: whole numbers from 1 to 65535")
    return tuple(cast("list[int]", ports))


def _base_url(said: str) -> str:
    url = said.rstrip("/")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 – reading it checks it
    except ValueError:
        raise ValueError("is not a URL") from None
    if url and (parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("must be https://host/path, without a query")
    if url and "@" in parts.netloc:
        raise ValueError("must not hold a user or a password")
    if parts.scheme == "http" and not _is_loopback(parts):
        raise ValueError("must start with https:// unless it is on this machine")
    return url


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _moment(said: object) -> datetime:
    """Of a date the beginning, in UTC."""
    if isinstance(said, datetime) and said.tzinfo is not None:
        return said.astimezone(UTC)
    if isinstance(said, date) and not isinstance(said, datetime):
        return datetime.combine(said, time(), UTC)
    raise ValueError("must be a date such as 2027-01-31")


def _amount(said: object) -> int:
    if not isinstance(said, str):
        raise ValueError("must be text")  # noqa: TRY004 a fault of the file, not of the program
    return parse_amount(said)


def _currency(said: str) -> str:
    if not is_currency(said):
        raise ValueError("must be a currency such as USD")
    return said


def _resolutions(said: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...] | None:
    has = cast("Model", info.context).capabilities.resolutions
    wrong = [f"{one[:20]} is not one of {', '.join(has)}" for one in said if one not in has]
    if wrong:
        raise ValueError("\n".join(wrong))
    return said or None


def _lines(said: object) -> tuple[object, ...]:
    """An amount for everything, or lines of amounts for what each covers."""
    match said:
        case str():
            return ({"cost": said},)
        case dict():
            return (cast("object", said),)
        case list():
            return tuple(cast("list[object]", said))
        case _:
            raise ValueError('must be an amount such as "3.5", or lines [[….cost]]')


Line = Annotated[str, _like(_LINE)]


class Cost(Table):
    """What the upstream asks for a million tokens, in micro-units of the currency; None is "whatever it is"."""

    currency: Annotated[Line, AfterValidator(_currency)] = "USD"
    cost: Annotated[int, BeforeValidator(_amount)]
    resolutions: Annotated[tuple[str, ...] | None, AfterValidator(_resolutions), _texts(_LINE)] = None
    input_video: bool | None = None
    audio: bool | None = None
    service_tier: Annotated[str | None, _one_of("default", "flex", needed=False)] = None

    def covers(self, *, resolution: str, input_video: bool, audio: bool, service_tier: str) -> bool:
        """Whether this line is for such a use. The first that is counts."""
        return (
            (self.resolutions is None or resolution in self.resolutions)
            and self.input_video in (None, input_video)
            and self.audio in (None, audio)
            and self.service_tier in (None, service_tier)
        )


class ModelTable(Table):
    """A model, `[upstreams.NAME.models."MODEL"]`. The context of its check is the catalogue's `Model`."""

    id: Annotated[str, _like(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII), blank=True)] = ""
    at_once: Annotated[int, _from(1, 100_000, "whole number")] = 10
    a_minute: Annotated[int, _from(1, 1_000_000, "whole number")] = 600
    ends_at: Annotated[datetime | None, BeforeValidator(_moment)] = None
    cost: Annotated[tuple[Cost, ...], BeforeValidator(_lines)] = ()


class UpstreamTable(Table):
    """An upstream, `[upstreams.NAME]`."""

    kind: Annotated[Literal["ark"], _one_of("ark")]
    base_url: Annotated[Line, AfterValidator(_base_url)]
    cloud: Annotated[Literal["volcengine", "byteplus"] | None, _one_of("volcengine", "byteplus", needed=False)] = None
    region: Line
    data_region: Line
    legal_entity: Line
    key_env: Annotated[str, _like(re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII))]
    media: Annotated[Literal["link", "data"], _one_of("link", "data")] = "link"
    callbacks: bool = True
    list_a_second: Annotated[float, _from(0.01, 100)] = 1.0
    result_hosts: Annotated[tuple[str, ...], _texts(re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII))] = ()
    allow_networks: Annotated[
        tuple[str, ...],
        AfterValidator(_networks),
        _texts(re.compile(r"[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?", re.ASCII)),
    ] = ()
    result_ports: Annotated[tuple[int, ...], BeforeValidator(_ports)] = ()
    models: Any = None
