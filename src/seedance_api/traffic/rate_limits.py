"""Rate limits: how many requests of a class an account may make in a minute, and how many a client address may in all.

They are counted before anything is queried or read. Of a request that one of them refuses, nothing else is counted.

Where the store cannot tell, this process counts by itself, so that a flood is still bounded: clients read what they
have paid for, and can cancel and delete. What costs money, or sends to where a customer says, stops.
"""

import math
from collections.abc import Mapping
from typing import Literal

import msgspec

from seedance_api.foundation.errors import AppError
from seedance_api.traffic.gcra import Quota, Standing
from seedance_api.traffic.limit_stores import LimitStore, MemoryStore
from seedance_api.traffic.metrics import LIMITS_UNAVAILABLE, RATE_LIMIT_REFUSALS

RateClass = Literal["read", "write", "create", "upload", "verify", "webhook_test"]
"""What a limit of requests is for. A route says which it counts against; where there is no route, it is a read or a
write by the method."""

EXACT: frozenset[RateClass] = frozenset({"create", "upload", "verify", "webhook_test"})
"""Refused where nobody can tell how often they were asked for everywhere."""
_RETRY_SECONDS = 2


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`classes` are counted for each account, or for each address on routes that ask for no key; `address` counts all
    requests from an address."""

    classes: Mapping[RateClass, Quota]
    address: Quota


class RateLimits:
    """Counts requests, and refuses those above a limit."""

    def __init__(self, store: LimitStore, limits: Limits) -> None:
        self._store = store
        self._own = store if isinstance(store, MemoryStore) else MemoryStore()
        self._limits = limits
        self._multiplied: dict[tuple[RateClass, int], Quota] = {}
        """The quotas of accounts that have more than the installation's; a few, for tiers are few."""

    async def admit_address(self, network: str) -> None:
        """Count a request from an address. Raises AppError 429."""
        standing = await self._take(f"address {network}", self._limits.address)
        if standing.retry_seconds:
            RATE_LIMIT_REFUSALS.add("address")
            raise _refusal(standing, "from this address")

    async def admit(self, rate: RateClass, subject: str, *, is_account: bool, multiplier: int = 1) -> Standing:
        """Count a request of a class, for an account, which may have a multiple of the limit, or else for an address.

        Raises AppError 429, or 503.
        """
        standing = await self._take(f"{rate} {subject}", self._quota(rate, multiplier), exact=rate in EXACT)
        if standing.retry_seconds:
            RATE_LIMIT_REFUSALS.add(rate)
            whose = "with this account" if is_account else "from this address"
            raise _refusal(standing, f"of the class `{rate}` {whose}")
        return standing

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def _take(self, name: str, quota: Quota, *, exact: bool = False) -> Standing:
        if self._store is not self._own:
            try:
                return (await self._store.take([(name, quota)]))[0]
            except ConnectionError:
                if exact:
                    LIMITS_UNAVAILABLE.add()
                    raise AppError("limits_unavailable", headers={"Retry-After": str(_RETRY_SECONDS)}) from None
        return self._own.take_one(name, quota)

    def _quota(self, rate: RateClass, multiplier: int) -> Quota:
        if multiplier == 1:
            return self._limits.classes[rate]
        quota = self._multiplied.get((rate, multiplier))
        if quota is None:
            basic = self._limits.classes[rate]
            quota = self._multiplied[rate, multiplier] = Quota(basic.requests * multiplier, basic.seconds)
        return quota


def _refusal(standing: Standing, what: str) -> AppError:
    quota, wait = standing.quota, math.ceil(standing.retry_seconds)
    message = (
        f"There were more than {quota.requests:,} requests within {quota.seconds:g} seconds {what}. "
        f"Send the next one in {wait} s."
    )
    return AppError("rate_limited", message, headers={"Retry-After": str(wait)})


def limit_headers(rate: RateClass, standing: Standing) -> list[tuple[bytes, bytes]]:
    """The headers that tell a client how it stands: those of the IETF's draft, and the triple that clients know.

    draft-ietf-httpapi-ratelimit-headers-10. Times are whole seconds from now.
    """
    quota, reset = standing.quota, math.ceil(standing.reset_seconds)
    return [
        (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (rate.encode(), quota.requests, quota.seconds)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (rate.encode(), standing.remaining, reset)),
        (b"x-ratelimit-limit", b"%d" % quota.requests),
        (b"x-ratelimit-remaining", b"%d" % standing.remaining),
        (b"x-ratelimit-reset", b"%d" % reset),
    ]
