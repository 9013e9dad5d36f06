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

MEANINGS: dict[Kind, str] = {
    "video.queued": "A video was created.",
    "video.in_progress": "A video left the queue. Once for each video.",
    "video.completed": "A video is finished; `expires_at` says until when it can be downloaded.",
    "video.failed": "There will be no video; `error.code` says why. Nothing is charged.",
    "video.canceled": "A video was canceled.",
    "video.expiring": "A video that was not downloaded will soon be deleted.",
    "video.purged": "A video was deleted.",
    "balance.low": "The balance fell below the amount that the account wants to hear of.",
    "key.limit_reached": "A spending limit of a key, or of the account, is reached.",
}
