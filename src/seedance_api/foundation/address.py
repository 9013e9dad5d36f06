"""Judge a URL that somebody else chose: pure, before any network. `outbound` judges where its name leads."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

import httpx
import msgspec
import ssrfguard

MAX_URL_CHARACTERS = 8192
_MAX_SHOWN = 80
UNREACHABLE = "the address could not be reached from here"

# Azure's wire server (learn.microsoft.com, "What is IP address 168.63.129.16?"):
# a public address that answers every Azure machine with secrets of that machine. No IANA registry lists it.
OWN_DENIED = ("168.63.129.16/32",)

# What a URL parser may drop, turn into "/" or take for the end of the host, each in its own way.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")
_SHAPE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)")
# A last label that is a number makes the whole host an IPv4 address to getaddrinfo, in any of inet_aton's
# spellings (WHATWG URL §3.5, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

# How files begin in base64: PNG, JPEG, GIF, RIFF, MP4, ID3, Ogg; and what is as long as only a file is.
_BASE64 = re.compile(
    r"iVBORw|/9j/|R0lGOD|UklGR|AAAA|SUQz|T2dnU|[^,]{0,60};base64,|[A-Za-z0-9+/_=\s-]{40,}\Z|[A-Za-z0-9+/_-]+={1,2}\Z"
)

Code = Literal["url", "scheme", "userinfo", "fragment", "host", "port", "address", "downgrade", "redirects"]


class Blocked(msgspec.Struct, frozen=True):
    """Our own rules refuse it. `code` and `host` are for the security log, `message` is for the customer."""

    code: Code
    message: str
    host: str = ""


def policy(
    *,
    allow_http: bool,
    extra_ports: frozenset[int],
    allow_networks: tuple[str, ...],
    deny_networks: tuple[str, ...],
) -> ssrfguard.Policy:
    """Raises `ValueError` when a network or a port is none."""
    return ssrfguard.Policy(
        allowed_schemes=frozenset({"https", "http"} if allow_http else {"https"}),
        allowed_ports=extra_ports | ({80, 443, 8443} if allow_http else {443, 8443}),
        denied_networks=_table(OWN_DENIED + deny_networks),
        allowed_networks=tuple(ip_network(network) for network in allow_networks),
    )


def _table(denied: tuple[str, ...]) -> ssrfguard.AddressTable:
    """IANA's special-purpose registries as `ssrfguard` has them, with `denied` on top.

    The longest prefix decides, so the exceptions and translations inside a denied range have to go.
    """
    ours = [ip_network(network) for network in dict.fromkeys(denied)]
    kept = [
        block
        for block in ssrfguard.DEFAULT_DENIED.blocks
        if block.network not in ours
        and (block.reach is ssrfguard.Reach.DENIED or not any(_inside(block.network, range_) for range_ in ours))
    ]
    added = [ssrfguard.Block(range_, "operator's range", "-", ssrfguard.Reach.DENIED) for range_ in ours]
    return ssrfguard.AddressTable(blocks=(*kept, *added))


def _inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def vet(url: str, rules: ssrfguard.Policy) -> httpx.URL | Blocked:
    """Parse with the parser that also connects, once nothing is left that two parsers read in two ways."""
    code = _misspelt(url, rules.allowed_schemes)
    if code is not None:
        return Blocked(code, _no_url(url) if code == "url" else _MESSAGES[code])
    parsed = parse(url)
    if parsed is None:
        return Blocked("url", _MESSAGES["url"])
    if port_of(parsed) not in rules.allowed_ports:
        ports = ", ".join(str(port) for port in sorted(rules.allowed_ports))
        return Blocked("port", f"port {port_of(parsed)}: the port must be one of {ports}", parsed.host)
    code = _bad_host(parsed, rules)
    return parsed if code is None else Blocked(code, _MESSAGES[code], parsed.host)


def parse(url: str) -> httpx.URL | None:
    """The one reading of a URL that others chose; None for what is none.

    `httpx` takes `https://xn--a.com/`, and raises `idna.IDNAError` whenever somebody asks for its host: so it is asked
    here, once.
    """
    try:
        parsed = httpx.URL(url)
        parsed.host  # noqa: B018 – reading it checks it
    except (httpx.InvalidURL, ValueError):  # the errors of `idna` and of encodings are ValueErrors
        return None
    return parsed


_MESSAGES: dict[Code, str] = {
    "url": "this is not a usable https address: check its spelling, and the host's if it starts with xn-- (RFC 5891)",
    "scheme": "the address must start with https://",
    "userinfo": "the address must not carry a user name or password",
    "fragment": "the address must not carry a fragment (#…)",
    "host": "the host must be a plain name (an international one as xn--…, RFC 5890) or a plain IP address",
    "address": UNREACHABLE,
}


def is_address(text: str) -> bool:
    """Whether a text begins like an address: a scheme and `://`."""
    return _SHAPE.match(text) is not None


def is_base64(text: str) -> bool:
    """Whether a text that is no address may be a file in base64."""
    return _BASE64.match(text) is not None


def shown(text: str) -> str:
    """What was given in place of an address, for a message: quoted up to 80 characters where it is one word, such as a
    file's name; only named where it may be content, a sentence or a secret."""
    if not text:
        return "an empty text"
    if text[0] in "{[":
        return "JSON in quotes"
    if is_base64(text):
        return "base64"
    word = re.split("[?#]", text[: _MAX_SHOWN + 1], maxsplit=1)[0]
    if not word.isprintable() or " " in word or "`" in word or "@" in word or "sda_" in text:
        return "a text"
    return f"`{word}`" if len(word) <= _MAX_SHOWN else f"`{word[:_MAX_SHOWN]}…`"


def _no_url(url: str) -> str:
    if not is_address(url):
        return "this is not an address: it must start with https://"
    if len(url) > MAX_URL_CHARACTERS:
        return f"the address has more than {MAX_URL_CHARACTERS} characters"
    return "the address holds a space, a control character or a backslash: write it percent-encoded"


def _misspelt(url: str, schemes: frozenset[str]) -> Code | None:
    shape = _SHAPE.match(url)
    if shape is None or len(url) > MAX_URL_CHARACTERS or _AMBIGUOUS.search(url):
        return "url"
    if shape["scheme"].lower() not in schemes:
        return "scheme"
    if "@" in shape["authority"]:
        return "userinfo"
    if "#" in url:
        return "fragment"
    return None if shape["authority"].isascii() and "%" not in shape["authority"] else "host"


def port_of(url: httpx.URL) -> int:
    return url.port if url.port is not None else (80 if url.scheme == "http" else 443)


def host_of(url: str) -> str:
    """The host of an address, which may be shown where the rest may not; empty when it has none."""
    parsed = parse(url)
    return "" if parsed is None else parsed.host


def _bad_host(url: httpx.URL, rules: ssrfguard.Policy) -> Code | None:
    try:
        ip_address(url.host)
    except ValueError:
        if url.host.endswith(".") or _NUMBER.fullmatch(url.host.split(".")[-1]):
            return "host"
    try:
        rules.check_url(str(url))
    except ssrfguard.SSRFGuardError as refused:
        return "address" if isinstance(refused.__cause__, ssrfguard.BlockedAddressError) else "host"
    return None


def next_hop(url: httpx.URL, location: str, rules: ssrfguard.Policy) -> httpx.URL | Blocked:
    """Judge where a redirect leads (RFC 9110 §10.2.2); its text is not the customer's, who learns nothing."""
    try:
        joined = "\\" if _AMBIGUOUS.search(location) else str(url.join(location))
    except (httpx.InvalidURL, ValueError):
        joined = ""
    vetted = vet(joined, rules)
    if isinstance(vetted, Blocked):
        return msgspec.structs.replace(vetted, message=UNREACHABLE)
    if url.scheme == "https" and vetted.scheme != "https":
        return Blocked("downgrade", UNREACHABLE, vetted.host)
    return vetted
