"""Rows of the request log."""

from datetime import datetime
from typing import NamedTuple

import msgspec


class Request(NamedTuple):
    """A request that has ended, as the log gets it: the policy's fields, whose it was, and nothing else.

    `endpoint` is method and route template. `address` is None where the connection has none. `status` is 499 where the
    client left before the answer was whole. `own_us` leaves out the time that was spent waiting for the client's body.
    """

    id: str
    at: float
    endpoint: str
    account_id: str | None
    key_id: str | None
    address: str | None
    status: int
    latency_us: int
    own_us: int


class LoggedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `request_log`. `address` has the length of its network once it is truncated."""

    id: str
    at: datetime
    endpoint: str
    account_id: str | None
    key_id: str | None
    address: str | None
    status: int
    latency_us: int
    own_us: int


class RequestFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests are asked for; None leaves a field open. `status_class` is the first digit of the status."""

    account_id: str | None = None
    key_id: str | None = None
    endpoint: str | None = None
    status_class: int | None = None
    since: datetime | None = None
    until: datetime | None = None
