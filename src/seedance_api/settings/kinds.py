"""The kinds of values that settings have: how each is read from a text, and what makes it wrong."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator

_NONE = "none"
"""Says of a list that it is empty; a blank text means the default."""
_MAX_MULTIPLIER = 1000


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _whole(text: str) -> float:
    number = _number(text)
    return int(number) if number.is_integer() else number


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("must be true or false")
    return text.lower() in ("true", "1")


def _text(text: str) -> str | None:
    return text or None


def _path(text: str) -> Path | None:
    return Path(text).expanduser().resolve() if text else None


def _starts(*beginnings: str) -> Callable[[str], str | None]:
    *others, last = beginnings
    choices = f"{', '.join(others)} or {last}" if others else last

    def check(text: str) -> str | None:
        if text and not text.startswith(beginnings):
            raise ValueError(f"must start with {choices}")
        return text or None

    return check


def _database(text: str) -> str | None:
    if text and not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    for host in urlsplit(text).netloc.rpartition("@")[2].split(","):
        name, _, port = host.rpartition("]")[2].partition(":")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            raise ValueError(f"the port after {name or 'the host'} must be a number from 1 to 65535")
    return text.replace("postgres://", "postgresql://", 1) or None


def _redis(text: str) -> str | None:
    # the address may hold a password, so what was given is not repeated
    if text and not (_REDIS.fullmatch(text) and (text.startswith("unix:") or _has_usable_port(text))):
        raise ValueError("must be redis://[user:password@]host[:port][/number], rediss://… or unix:///path")
    return text or None


_REDIS_OPTION = (
    r"(db=[0-9]{1,4}|ssl_(ca_certs|ca_path|certfile|keyfile)=[^\s&#]+"
    r"|ssl_cert_reqs=(none|optional|required)|ssl_check_hostname=(true|false))"
)
_REDIS = re.compile(
    r"(rediss?://([^\s/?#@]*@)?([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[0-9]{0,4})?"
    rf"|unix://([^\s/?#@]*@)?/[^\s?#]+)(\?{_REDIS_OPTION}(&{_REDIS_OPTION})*)?"
)


def _pepper(text: str) -> str | None:
    if text and (len(text) != 64 or set(text.lower()) - set("0123456789abcdef")):
        raise ValueError("must be 64 hexadecimal digits")
    return text or None


def _notice(text: str) -> str | None:
    # the address may hold a secret, so what was given is not repeated
    if text and not (_NOTICE.fullmatch(text) and _has_usable_port(text)):
        raise ValueError("must be https://host/path, or http:// with SEEDANCE_FETCH_HTTP")
    return text or None


def _has_usable_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:  # no number, too large, or a bracket that is left open
        return False


_NOTICE = re.compile(r"https?://[^\s/@?#]{1,253}([/?][^\s#]*)?")


def _public_url(text: str) -> str | None:
    if text and not _PUBLIC_URL.fullmatch(text):
        raise ValueError("must be https://host, optionally with a port and a path")
    return text.rstrip("/") or None


_PUBLIC_URL = re.compile(
    r"https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,200})?"
)


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(part.strip())) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8, separated by commas") from None


def _proxies(text: str) -> tuple[str, ...]:
    networks = () if text == _NONE else _networks(text)
    if any(ip_network(network).prefixlen == 0 for network in networks):
        raise ValueError("must not be all addresses: then every client could name any address as its own")
    return networks


def _proxy_header(text: str) -> str:
    if text.lower() not in ("x-forwarded-for", "forwarded"):
        raise ValueError("must be x-forwarded-for or forwarded")
    return text.lower()


def _tiers(text: str) -> tuple[tuple[int, int], ...]:
    tiers: list[tuple[int, int]] = []
    for part in () if text == _NONE else text.split(","):
        found = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,4})", part.strip())
        tier = (int(found[1]), int(found[2])) if found else (0, 0)
        before = tiers[-1] if tiers else (0, 1)
        if tier[0] <= before[0] or not before[1] < tier[1] <= _MAX_MULTIPLIER:
            raise ValueError("must be pairs spending:multiplier that grow in both, such as 100:2,1000:5 (at most 1000)")
        tiers.append(tier)
    return tuple(tiers)


def _ports(text: str) -> frozenset[int]:
    ports = [part.strip() for part in text.split(",") if part.strip()]
    if any(not port.isdecimal() or not 1 <= int(port) <= 65535 for port in ports):
        raise ValueError("must be port numbers from 1 to 65535, separated by commas")
    return frozenset(int(port) for port in ports)


def _port(text: str) -> int | None:
    if text and (not text.isdecimal() or not 1 <= int(text) <= 65535):
        raise ValueError("must be a port number from 1 to 65535")
    return int(text) if text else None


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return text.lower()


def _label_seconds(text: str) -> int:
    if text not in map(str, (0, *range(2, 11))):
        raise ValueError("must be 0 or a whole number from 2 to 10")
    return int(text)


def line(max_length: int) -> Callable[[str], str]:
    """The check of a text of one line."""

    def check(text: str) -> str:
        if len(text) > max_length or not text.isprintable():
            raise ValueError(f"must be one line of at most {max_length} characters")
        return text

    return check


Whole = Annotated[int, BeforeValidator(_whole)]
Real = Annotated[float, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str | None, BeforeValidator(_text)]
Folder = Annotated[Path, BeforeValidator(_path)]
File = Annotated[Path | None, BeforeValidator(_path)]
DatabaseUrl = Annotated[str | None, BeforeValidator(_database)]
RedisUrl = Annotated[str | None, BeforeValidator(_redis)]
StorageUrl = Annotated[str | None, BeforeValidator(_starts("s3://", "gs://", "az://", "file:///"))]
SmtpUrl = Annotated[str | None, BeforeValidator(_starts("smtp://", "smtps://"))]
HttpUrl = Annotated[str | None, BeforeValidator(_starts("https://", "http://"))]
NoticeUrl = Annotated[str | None, BeforeValidator(_notice)]
PublicUrl = Annotated[str | None, BeforeValidator(_public_url)]
Pepper = Annotated[str | None, BeforeValidator(_pepper)]
Networks = Annotated[tuple[str, ...], BeforeValidator(_networks)]
Proxies = Annotated[tuple[str, ...], BeforeValidator(_proxies)]
ProxyHeader = Annotated[Literal["x-forwarded-for", "forwarded"], BeforeValidator(_proxy_header)]
Tiers = Annotated[tuple[tuple[int, int], ...], BeforeValidator(_tiers)]
Ports = Annotated[frozenset[int], BeforeValidator(_ports)]
PortOrNone = Annotated[int | None, BeforeValidator(_port)]
Level = Annotated[str, BeforeValidator(_level)]
LabelSeconds = Annotated[int, BeforeValidator(_label_seconds)]
