"""Hours: requests counted by hour, account, key, endpoint and class of status, from what is about to be logged."""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from seedance_api.traffic.rows import Request

OWN_MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""The upper bounds of the histogram's cells; one more cell holds what took longer."""
_HOUR = 3600


class Hour(msgspec.Struct, kw_only=True):
    """What is added to a row of `request_hour`. Requests without an account or a key have empty ids."""

    hour: datetime
    account_id: str
    key_id: str
    endpoint: str
    status_class: int
    requests: int = 0
    latency_us: int = 0
    own_us: int = 0
    own_histogram: list[int]


def count_hours(requests: Iterable[Request]) -> list[Hour]:
    """The rows that these requests add to, in the order of their key, so that no two writers wait for each other."""
    counted: dict[tuple[int, str, str, str, int], Hour] = {}
    for request in requests:
        hour = int(request.at) // _HOUR * _HOUR
        key = (hour, request.account_id or "", request.key_id or "", request.endpoint, request.status // 100)
        found = counted.get(key)
        if found is None:
            found = counted[key] = Hour(
                hour=datetime.fromtimestamp(hour, UTC),
                account_id=key[1],
                key_id=key[2],
                endpoint=key[3],
                status_class=key[4],
                own_histogram=[0] * (len(OWN_MILLISECONDS) + 1),
            )
        found.requests += 1
        found.latency_us += request.latency_us
        found.own_us += request.own_us
        found.own_histogram[bisect_left(OWN_MILLISECONDS, request.own_us / 1000)] += 1
    return [counted[key] for key in sorted(counted)]
