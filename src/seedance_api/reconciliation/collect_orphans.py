"""Collect orphans: what lies in the object store and no row names goes, slowly, for a row may be missing by mistake.

What the database knows to be over (the content of a purged generation, the sandbox's copy of a finished attempt) is
deleted at once. Of what it merely does not name, deletion is by absence: such an object is noted, and only when run
after run for a day has seen it so does it go to `trash/`, and from there after three days. An object in the trash that
a row names again comes back. When too much would go, nothing does, and the operator is told.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog
from obstore.store import ObjectStore

from seedance_api.foundation import claim, objects
from seedance_api.foundation.db import Database
from seedance_api.notifications.outbox import put_daily
from seedance_api.notifications.rows import Message
from seedance_api.reconciliation import orphans

TRASH = "trash/"
PREFIXES = ("content/", "files/", "sandbox/", TRASH)
"""Everything that is kept in an object store, but for the mark that says whose it is."""
_LOOKED_AT = ("content/", "files/", "sandbox/", "doctor/")
_PAGE = 1000
_log = structlog.get_logger()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How old an object is before it is looked at, how long it is watched and then kept in the trash.

    Nothing goes when more than `count` objects and more than this share of all would.
    """

    age: timedelta = timedelta(hours=1)
    watched: timedelta = timedelta(days=1)
    trashed: timedelta = timedelta(days=3)
    count: int = 20
    share: float = 0.05


LIMITS = Limits()
OVERDUE = LIMITS.watched + timedelta(hours=2, minutes=15)
"""It runs hourly: what has been noted for longer than this should be in the trash."""


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw and did. `due` objects were to go; `stopped` says why none went."""

    seen: int = 0
    due: int = 0
    deleted: int = 0
    trashed: int = 0
    restored: int = 0
    emptied: int = 0
    stopped: str | None = None


async def collect_orphans(
    db: Database, store: ObjectStore, limits: Limits = LIMITS, *, confirmed: bool = False
) -> Collected:
    """One run. With `confirmed` an operator has looked at what would go, and however much it is, it does.

    Nothing is deleted from a store that carries another installation's id.
    """
    if not await claim.agrees(db, store):
        await _alarm(db, "foreign_store", 0, 0)
        return Collected(stopped="foreign_store")
    run = await orphans.begin(db)
    seen, deleted = 0, 0
    for prefix in _LOOKED_AT:
        async for page in objects.listed(store, prefix):
            seen += len(page)
            deleted += await _look(db, store, [key for key, at in page if at < run - limits.age], run)
    restored = await _look_into_trash(db, store, run)
    await orphans.forget_unseen(db, run)
    due = await orphans.count_due(db, run, limits.watched)
    stopped = due > limits.count and due > limits.share * seen and not confirmed
    if stopped:
        await _alarm(db, "too_many", due, seen)
    done = Collected(
        seen=seen,
        due=due,
        deleted=deleted,
        trashed=0 if stopped else await _throw_away(db, store, run, limits.watched),
        restored=restored,
        emptied=await _empty_trash(db, store, run, limits.trashed),
        stopped="too_many" if stopped else None,
    )
    if done.deleted or done.trashed:
        _log.warning("collect.orphans", count=done.deleted + done.trashed)
    return done


async def _look(db: Database, store: ObjectStore, keys: Sequence[str], run: datetime) -> int:
    """Delete what is known to be over, and note what nobody names; returns how many were deleted."""
    over, nobodys = await orphans.judge(db, keys)
    await objects.delete(store, over)
    await orphans.note(db, nobodys, run)
    return len(over)


async def _throw_away(db: Database, store: ObjectStore, run: datetime, watched: timedelta) -> int:
    """Move what is due to the trash: what nobody names even now. A kill in between leaves it in either place."""
    count = 0
    while keys := await orphans.due(db, run, watched, _PAGE):
        _, nobodys = await orphans.judge(db, keys)
        for key in nobodys:
            count += await objects.move(store, key, TRASH + key)
        await orphans.replace(db, keys, [TRASH + key for key in nobodys], run)
    return count


async def _look_into_trash(db: Database, store: ObjectStore, run: datetime) -> int:
    """Note what lies there, and bring back what a row names again; returns how many came back."""
    count = 0
    async for page in objects.listed(store, TRASH):
        keys = [key.removeprefix(TRASH) for key, _ in page]
        named = await orphans.named(db, keys)
        for key in named:
            if not await objects.exists(store, key):
                count += await objects.move(store, TRASH + key, key)
        await orphans.note(db, [TRASH + key for key in keys if key not in named], run)
    if count:
        _log.warning("collect.restored", count=count)
    return count


async def _empty_trash(db: Database, store: ObjectStore, run: datetime, trashed: timedelta) -> int:
    count = 0
    while keys := await orphans.due(db, run, trashed, _PAGE, trash=True):
        await objects.delete(store, keys)
        await orphans.replace(db, keys, [], run)
        count += len(keys)
    return count


async def _alarm(db: Database, reason: str, due: int, seen: int) -> None:
    """Each run says it in the log; the operator is told once a day."""
    _log.error("collect.stopped", reason=reason, count=due)
    async with db.transaction() as connection:
        detail = {"reason": reason, "objects": due, "of": seen}
        await put_daily(connection, Message(kind="collect_stopped", detail=detail))
