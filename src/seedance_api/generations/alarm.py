"""Alarm: the operator hears when finished videos wait for something of this installation, and when none does any more.

What is told follows from the rows and from the notices before it, so any worker may tell it, and a kill loses nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from obstore.store import ObjectStore

from seedance_api.foundation import installation
from seedance_api.foundation.db import Database
from seedance_api.foundation.store_trouble import is_silent
from seedance_api.generations import outages
from seedance_api.generations.outages import Waiting
from seedance_api.notifications.outbox import put
from seedance_api.notifications.queries import latest_notice
from seedance_api.notifications.rows import Message

BEGUN, OVER = "outage", "outage_over"
_PATIENCE_SECONDS = 60.0
"""What is over by then was a hiccup."""
_PAUSE_SECONDS = 3600.0
"""Between two notices that something is down: so many may come as there are hours, however it comes and goes."""
_AGAIN_SECONDS = 86_400.0
_MAX_REASONS = 10
_log = structlog.get_logger()


async def alarm(db: Database, store: ObjectStore, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
    """Tell of an outage once, again every day and when a new reason comes up, and once that it is over."""
    unusable = await is_silent(store)
    if unusable is not None:
        _log.error("store.unreachable", reason=unusable)
    async with db.transaction() as connection:
        await installation.lock(connection)  # two that look at one time must not both tell
        waiting = await outages.waiting(connection, patience_seconds)
        reasons = _reasons(waiting, unusable)
        last = await latest_notice(connection, (BEGUN, OVER))
        began = await latest_notice(connection, (BEGUN,))
        told = last[1] if last is not None and last[0] == BEGUN else None
        if reasons and is_news(reasons, told, began[2] if began else None):
            since = min([one.since for one in waiting], default=await outages.now(connection))
            detail = {"reasons": reasons[:_MAX_REASONS], "since": told["since"] if told else since.isoformat()}
            await put(connection, [Message(kind=BEGUN, detail=detail)])
        elif not reasons and told is not None and not await outages.waiting(connection):
            completed, failed = await outages.ended(connection, datetime.fromisoformat(told["since"]))
            detail = {"since": told["since"], "completed": completed, "failed": failed}
            await put(connection, [Message(kind=OVER, detail=detail)])


def _reasons(waiting: Sequence[Waiting], unusable: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"reason": one.reason, "videos": one.videos, "seconds_left": round(one.seconds_left)} for one in waiting
    ]
    if unusable is not None and all(one.reason != unusable for one in waiting):
        found.append({"reason": unusable, "videos": 0, "seconds_left": None})
    return found


def is_news(reasons: Sequence[dict[str, Any]], told: dict[str, Any] | None, seconds: float | None) -> bool:
    """Whether the operator is to hear of these reasons: `told` is what he was last told of an outage that is not over
    yet, `seconds` how long ago he was told of any."""
    if seconds is not None and seconds < _PAUSE_SECONDS:
        return False
    known = {one["reason"] for one in told["reasons"]} if told else set[str]()
    return (
        told is None
        or seconds is None
        or seconds >= _AGAIN_SECONDS
        or any(one["reason"] not in known for one in reasons)
    )
