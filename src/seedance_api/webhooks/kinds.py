"""Kinds of events: what a customer can be told of."""

from typing import Literal, get_args

Kind = Literal[
    "video.queued",
    "video.in_progress",
    "video.completed",
    "video.failed",
    "video.canceled",
    "video.expiring",
    "video.purged",
    "balance.low",
    "key.limit_reached",
]
"""The same stands in the schema, as a CHECK of `event`."""
KINDS: tuple[Kind, ...] = get_args(Kind)
FINAL: frozenset[Kind] = frozenset({"video.completed", "video.failed", "video.canceled"})
"""Of these each generation has one; its `webhook_url` is told of them."""
