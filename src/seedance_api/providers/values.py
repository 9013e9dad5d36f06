"""What a value of `upstreams.toml` may be, and what is said of one that is something else."""

import re
from datetime import UTC, date, datetime, time
from ipaddress import ip_address, ip_network
from typing import Annotated, cast
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from seedance_api.catalog.capabilities import Model
from seedance_api.foundation.money import is_currency, parse_amount

_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def like(form: re.Pattern[str], *, blank: bool = False) -> BeforeValidator:
    """Text of a form; with `blank` also none."""

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


def one_of(*allowed: str, needed: bool = True) -> BeforeValidator:
    """One of these words; where it is not `needed`, none stands for nothing."""

    def check(said: object) -> object:
        if said is None and needed:
            raise ValueError(f"is missing: one of {', '.join(allowed)}")
        if said in allowed:
            return said
        if not needed and said == "":
            return None
        raise ValueError(f"must be one of {', '.join(allowed)}")

    return BeforeValidator(check)


def within(minimum: float, maximum: float, kind: str = "number") -> BeforeValidator:
    """A number of a range."""

    def check(said: object) -> object:
        kinds = (int,) if kind == "whole number" else (int, float)
        if isinstance(said, bool) or not isinstance(said, kinds) or not minimum <= said <= maximum:
            raise ValueError(f"must be a {kind} from {minimum:.10g} to {maximum:.10g}")
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


Line = Annotated[str, like(_LINE)]
Currency = Annotated[Line, AfterValidator(_currency)]
Amount = Annotated[int, BeforeValidator(_amount)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
BaseUrl = Annotated[Line, AfterValidator(_base_url)]
Ports = Annotated[tuple[int, ...], BeforeValidator(_ports)]
Hosts = Annotated[tuple[str, ...], _texts(re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII))]
Networks = Annotated[
    tuple[str, ...], AfterValidator(_networks), _texts(re.compile(r"[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?", re.ASCII))
]
Resolutions = Annotated[tuple[str, ...] | None, AfterValidator(_resolutions), _texts(_LINE)]
