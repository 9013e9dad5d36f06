"""Read the vendor's list back to a moment: all of it, or the reason why that cannot be said (82379/1521675)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from seedance_api.providers.ark.read import Page, Task
from seedance_api.providers.ark.wire import PAGE_SIZE, Trouble, Wire

PAGES = 8
ALL_PAGES = 20
SHARE_SECONDS = 3.0
SPAN_SECONDS = 900.0
REFUSED = frozenset({400, 403})


class Listed(msgspec.Struct, frozen=True):
    """The tasks since the moment. `ahead` is how many seconds the vendor's clock is ahead of ours."""

    tasks: tuple[Task, ...]
    ahead: float = 0.0


async def scan(
    wire: Wire, *, tier: str, model: str | None, since: float, our_now: float | None = None, pages: int = PAGES
) -> Listed | Trouble:
    """Everything made since a moment: by our clock if `our_now` says what time it has, else by the vendor's.

    The order of the list is not documented. Where it runs from the newest back, the scan ends at the moment; else it
    reads on to the end. A list that has become shorter meanwhile may have moved a task past us.
    """
    found: dict[str, Task] = {}
    first: Page | None = None
    seen = 0
    ahead = 0.0
    for number in range(1, pages + 1):
        page = await wire.list(tier=tier, page=number, model=model)
        if isinstance(page, Trouble):
            return page
        if first is None:
            first = page
            ahead = ahead_of(page.now, our_now)
        if not page.clean:
            return Trouble("the list holds what could not be read")
        if _is_shorter(page, first):
            return Trouble("the list changed while it was read")
        seen += len(page.tasks)
        found |= {one.id: one for one in page.tasks if one.created_at is None or one.created_at >= since + ahead}
        if _is_last(page, seen) or _reaches(page.tasks, since + ahead):
            return Listed(tuple(found.values()), ahead)
    return Trouble("the list is longer than can be read")


class Scans:
    """Scans for those who look for an attempt: they come in crowds, and share one list for some seconds."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._kept: dict[str, tuple[float, float, Listed]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def since(self, moment: float, *, tier: str, our_now: float) -> Listed | Trouble:
        """Everything made since a moment, in this tier, of every model: an endpoint may be listed by another name."""
        async with self._locks[tier]:
            clock = asyncio.get_running_loop().time
            taken_at, reaches, kept = self._kept.get(tier, (-SHARE_SECONDS, 0.0, Listed(())))
            if clock() - taken_at < SHARE_SECONDS and reaches <= moment:
                return kept
            reaches = min(moment, our_now - SPAN_SECONDS)
            listed = await scan(self._wire, tier=tier, model=None, since=reaches, our_now=our_now)
            if isinstance(listed, Listed):
                self._kept[tier] = clock(), reaches, listed
            return listed


async def scan_all(wire: Wire, *, vendor_ids: Sequence[str], since: float) -> list[tuple[str, Task]] | Trouble:
    """Everything made since a moment in both tiers, each with its tier; with a key for single models, theirs."""
    found: list[tuple[str, Task]] = []
    for tier in ("default", "flex"):
        listed = await scan(wire, tier=tier, model=None, since=since, pages=ALL_PAGES)
        if isinstance(listed, Trouble) and listed.status in REFUSED:
            listed = await _scan_each(wire, tier=tier, models=vendor_ids, since=since)
        if isinstance(listed, Trouble):
            return listed
        found += [(tier, task) for task in listed.tasks]
    return found


async def _scan_each(wire: Wire, *, tier: str, models: Sequence[str], since: float) -> Listed | Trouble:
    tasks: list[Task] = []
    for model in models:
        listed = await scan(wire, tier=tier, model=model, since=since, pages=ALL_PAGES)
        if isinstance(listed, Trouble):
            return listed
        tasks += listed.tasks
    return Listed(tuple(tasks))


def ahead_of(now: int | None, our_now: float | None) -> float:
    """How many seconds the vendor's clock is ahead of the database's; none where either is not known."""
    return 0.0 if now is None or our_now is None else now - our_now


def _is_shorter(page: Page, first: Page) -> bool:
    return page.total is not None and first.total is not None and page.total < first.total


def _is_last(page: Page, seen: int) -> bool:
    if not page.tasks:
        return True
    return len(page.tasks) < PAGE_SIZE if page.total is None else seen >= page.total


def _reaches(tasks: Sequence[Task], since: float) -> bool:
    """Whether the page runs from the newest back and ends before the moment."""
    times = [task.created_at for task in tasks if task.created_at is not None]
    return len(times) == len(tasks) and times == sorted(times, reverse=True) and times[-1] < since
