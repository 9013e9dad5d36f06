"""Limits: so many a minute for each name, in the memory of one process (GCRA, by throttled-py)."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from throttled.asyncio import MemoryStore, Throttled, rate_limiter

_NAMES = 20_000
_IPV6_PREFIX = 64
"""What one customer of an access provider has at least."""


class Limiter:
    """At most `per_minute`, at once or spread. Of more than 20,000 names, those longest unheard of are forgotten."""

    def __init__(self, *, per_minute: int) -> None:
        self._throttled = Throttled(
            using="gcra",
            quota=rate_limiter.per_min(per_minute, burst=per_minute),
            store=MemoryStore(options={"MAX_SIZE": _NAMES}),
        )

    async def take(self, name: str) -> float:
        """Leave for one: 0, or the seconds until there may be."""
        result = await self._throttled.limit(name)
        return max(result.state.retry_after, 0.001) if result.limited else 0.0


def neighbourhood(address: str | None) -> str:
    """The name for whoever calls from this address: the address itself, of an IPv6 one the network of its customer."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    match found:
        case IPv6Address(ipv4_mapped=IPv4Address() as inner):
            return str(inner)
        case IPv6Address():
            return str(IPv6Network((found, _IPV6_PREFIX), strict=False))
        case IPv4Address():
            return str(found)
