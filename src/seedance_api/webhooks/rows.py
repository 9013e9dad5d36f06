"""Rows of webhooks."""

import msgspec


class Lane(msgspec.Struct, frozen=True):
    """An endpoint that something is due at, and whether it waits among the slow ones."""

    endpoint_id: str
    slow: bool
