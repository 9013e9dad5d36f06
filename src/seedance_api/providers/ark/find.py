"""Find the task of an attempt that never got a clear answer, or say that there is none.

The vendor takes no idempotency key. It echoes the customer's hash and `execution_expires_after`, by which the attempt's
nonce is told; with the model and the time of creation that tells a task from all others (82379/1521309). What else it
says of the task must be what was ordered, or the task is left alone until somebody knows better.
"""

import asyncio
from collections.abc import Mapping, Sequence

from seedance_api.catalog.models import find as find_model
from seedance_api.providers.ark.match import Match, Sought, match, sought
from seedance_api.providers.ark.note import write_note
from seedance_api.providers.ark.read import Task
from seedance_api.providers.ark.scan import REFUSED, Listed, Scans, ahead_of, scan
from seedance_api.providers.ark.wire import Gone, Seen, Trouble, Wire
from seedance_api.providers.ark.write import tier_of
from seedance_api.providers.provider import FindOutcome, NotMade, Operation, Search, Started, Unclear

RECORD_SECONDS = 7 * 86_400 - 3600
"""Records are kept for seven days (82379/1521675); of an older attempt nothing can be said."""

_LOOKS = 8


async def find(
    search: Search,
    *,
    vendor_id: str | None,
    vendor_ids: Sequence[str],
    wire: Wire,
    scans: Scans,
    settle_seconds: float,
) -> FindOutcome:
    """Look for the task: first the one that a callback told of, then in the list."""
    like = sought(search, vendor_ids)
    doubt: str | None = None
    if search.told is not None:
        seen = await wire.get(search.told)
        # the callback came to an address that only this attempt's create has named: no contradiction is enough
        if isinstance(seen, Seen) and match(seen.task, like, ahead_of(seen.now, like.now)) is not Match.NO:
            return Started(_note(seen.task, search, vendor_id))
        doubt = seen.reason if isinstance(seen, Trouble) else None
    listed, is_all = await _list(search, like, vendor_id, wire, scans)
    if isinstance(listed, Trouble):
        return Unclear(listed.reason)
    sure = await _made_sure(listed, like, wire)
    found = _choose(sure)
    if isinstance(found, Task) and search.rival:
        return Unclear("a task of the provider may be this one, or that of another attempt")
    if isinstance(found, Task):
        return Started(_note(found, search, vendor_id))
    reason = found or doubt or _too_soon_or_late(search, settle_seconds, listed.as_of)
    if listed.since is not None and listed.since > like.since + listed.ahead:
        reason = reason or "the provider's list is longer than can be read"
    if not is_all:
        reason = reason or "the provider's list may name the model otherwise"
    return NotMade(certain=False) if reason is None else Unclear(reason)


async def _list(
    search: Search, like: Sought, vendor_id: str | None, wire: Wire, scans: Scans
) -> tuple[Listed | Trouble, bool]:
    """The tasks among which it must be, and whether they are all: a key for single models has to name one, and of a
    list that is too long to be read that of one model may be short enough.

    An endpoint's tasks are listed under the model behind it, so that its own name may find nothing.
    """
    tier = tier_of(search.order)
    listed = await scans.since(like.since, tier=tier, our_now=like.now)
    cut = isinstance(listed, Listed) and listed.since is not None and listed.since > like.since + listed.ahead
    refused = isinstance(listed, Trouble) and listed.status in REFUSED
    if vendor_id is None or not (cut or refused):
        return listed, True
    named = await scan(wire, tier=tier, model=vendor_id, since=like.since, our_now=like.now, pages=scans.pages)
    return named, find_model(vendor_id) is not None


def _note(task: Task, search: Search, vendor_id: str | None) -> Operation:
    return write_note(task.id, tier=tier_of(search.order), model=vendor_id, at=task.created_at)


def _choose(sure: Mapping[Match, list[Task]]) -> Task | str | None:
    """The one task, or why it cannot be told which, or nothing."""
    ours = sure[Match.YES]
    if len(ours) == 1:
        return ours[0]
    if ours:
        return "several tasks of the provider look like this one"
    return "a task of the provider may be this one, but does not say enough" if sure[Match.PERHAPS] else None


def _too_soon_or_late(search: Search, settle_seconds: float, as_of: float | None) -> str | None:
    """`as_of` is when the list began to be read: a long one takes minutes."""
    read_after = search.seconds_since if as_of is None else as_of - search.sent_at.timestamp()
    if min(search.seconds_since, read_after) < settle_seconds:
        return "not in the provider's list, but it was sent too short a time ago"
    return "older than the provider's records" if search.seconds_since > RECORD_SECONDS else None


async def _made_sure(listed: Listed, like: Sought, wire: Wire) -> Mapping[Match, list[Task]]:
    """Sort the tasks, asking by id about those that say too little: a list's entries have fewer fields."""
    sorted_: dict[Match, list[Task]] = {kind: [] for kind in Match}
    for task in listed.tasks:
        sorted_[match(task, like, listed.ahead)].append(task)
    if sorted_[Match.YES]:
        return sorted_
    vague, sorted_[Match.PERHAPS] = sorted_[Match.PERHAPS], []
    answers = await asyncio.gather(*(wire.get(task.id) for task in vague[:_LOOKS]))
    for task, answer in zip(vague, [*answers, *[None] * len(vague[_LOOKS:])], strict=True):
        if isinstance(answer, Gone):
            continue
        known = answer.task if isinstance(answer, Seen) else task
        sorted_[match(known, like, listed.ahead)].append(known)
    return sorted_
