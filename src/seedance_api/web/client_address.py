"""The client's address: that of the connection, or what a trusted proxy says of the one behind it.

A proxy appends the address of whoever connected to it. So the chain is read from its end, over the proxies that are
trusted, and the first address that is no trusted proxy is the client's: what stands before it, the client may have
written itself. Only the one header that the operator's proxies write is read; another one came through them unread.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

Network = IPv4Network | IPv6Network
Header = Literal["x-forwarded-for", "forwarded"]
_MAX_HOPS = 32
"""More than any chain of proxies; what is longer was written to be read for long."""
_MAX_BYTES = 4096


class ClientAddress:
    """Tells a request's client address. `proxies` are the networks of trusted proxies, `header` is what they write."""

    def __init__(self, proxies: Sequence[Network] = (), header: Header = "x-forwarded-for") -> None:
        self._proxies = tuple(proxies)
        self._header = header.encode()
        self._read = lru_cache(maxsize=8192)(self._read_peer)  # asked for each request, and mostly for the same

    def __call__(self, peer: str | None, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """The address as text, an IPv4 one in IPv6 form as IPv4, without a zone; None for a peer without one."""
        if not peer:
            return None
        text, proxy = self._read(peer)
        if proxy is not None:
            lines = [value for name, value in headers if name == self._header]
            if lines:
                return str(self._behind(proxy, b",".join(lines)))
        return text

    def _read_peer(self, peer: str) -> tuple[str | None, IPv4Address | IPv6Address | None]:
        """Its address as text, and the address once more where it is a trusted proxy."""
        address = parsed(peer)
        if address is None:
            return None, None
        return str(address), address if _is_in(address, self._proxies) else None

    def _behind(self, peer: IPv4Address | IPv6Address, chain: bytes) -> IPv4Address | IPv6Address:
        """The client behind a trusted proxy. Where the chain says nothing that can be read, the last proxy it names."""
        found = peer
        hops = chain[-_MAX_BYTES:].decode("latin-1").split(",")
        for hop in reversed(hops[-_MAX_HOPS:]):
            text = hop if self._header == b"x-forwarded-for" else _for_of(hop)
            address = parsed(_without_port(text.strip()))
            if address is None:
                return found
            found = address
            if not _is_in(address, self._proxies):
                return found
        return found


@lru_cache(maxsize=8192)
def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address, of an IPv4 one in IPv6 form the IPv4 one; None for anything else, such as a name."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=8192)
def _is_in(address: IPv4Address | IPv6Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _without_port(text: str) -> str:
    """`192.0.2.1:80`, `[2001:db8::1]:80` and `[2001:db8::1]` without port and brackets."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, _ = text.partition(":")
    return host if colon and text.count(":") == 1 else text


def _for_of(element: str) -> str:
    """The value of `for` in an element of `Forwarded` (RFC 7239 §4), without its quotes; empty where there is none."""
    for pair in element.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value.strip('"')
    return ""
