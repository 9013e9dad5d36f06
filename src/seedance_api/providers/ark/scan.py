"""Read the vendor's list back to a moment: all of it, or the reason why that cannot be said (82379/1521675)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import msgspec
import structlog

from seedance_api.providers.ark.read import Page, Task
from seedance_api.providers.ark.wire import PAGE_SIZE, Trouble, Wire

PAGES = 200
"""Pages of one scan, so that it holds 100,000 tasks at most: at one page a second, some three minutes."""
SHARE_SECONDS = 3.0
SPAN_SECONDS = 900.0
REFUSED = frozenset({400, 403})
_log = structlog.get_logger()


class Listed(msgspec.Struct, frozen=True):
    """The tasks since the moment. `ahead` is how many seconds the vendor's clock is ahead of ours.

    `since` is a later moment than was asked for, by the vendor's clock, where there were more than can be read: the
    list is whole from there on. `as_of` is the time at which the reading began, by the clock that was given.
    """

    tasks: tuple[Task, ...]
    ahead: float = 0.0
    since: float | None = None
    as_of: float | None = None


async def scan(
    wire: Wire, *, tier: str, model: str | None, since: float, our_now: float | None = None, pages: int = PAGES
) -> Listed | Trouble:
    """Everything made since a moment: by our clock if `our_now` says what time it has, else by the vendor's.

    The order of the list is not documented. Where it runs from the newest back, the scan ends at the moment; else it
    reads on to the end. When the list has become shorter since the page before, tasks may have moved past us, to where
    we have been: the scan goes back there.
    """
    found: dict[str, Task] = {}
    ahead, number, total = 0.0, 1, None
    oldest: float | None = None  # while the list runs from the newest back
    for read in range(pages):
        page = await wire.list(tier=tier, page=number, model=model)
        if isinstance(page, Trouble):
            return page
        if not read:
            ahead, oldest = ahead_of(page.now, our_now), float("inf")
        if not page.clean:
            return Trouble("the list holds what could not be read")
        gone = 0 if page.total is None or total is None else total - page.total
        total = page.total
        if gone > 0:
            number = max(1, number - 1 - gone // PAGE_SIZE)
            continue
        found |= {one.id: one for one in page.tasks if one.created_at is None or one.created_at >= since + ahead}
        if _is_last(page, number) or _reaches(page.tasks, since + ahead):
            return Listed(tuple(found.values()), ahead, as_of=our_now)
        oldest = _runs_back(page.tasks, oldest)
        number += 1
    _log.warning("ark.list_cut", tier=tier, model=model, pages=pages)
    if oldest is None:
        return Trouble("the list is longer than can be read")
    # of one second there may be more behind
    return Listed(tuple(found.values()), ahead, since=oldest + 1, as_of=our_now)


class Scans:
    """Scans for those who look for an attempt: they come in crowds, and share one list for some seconds.

    A scan goes on when the one who asked for it has waited long enough: the next one has the use of it.
    """

    def __init__(self, wire: Wire, *, pages: int = PAGES) -> None:
        self._wire, self.pages = wire, pages
        self._kept: dict[str, tuple[float, float, Listed]] = {}
        self._running: dict[str, tuple[float, asyncio.Task[Listed | Trouble]]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def since(self, moment: float, *, tier: str, our_now: float) -> Listed | Trouble:
        """Everything made since a moment, in this tier, of every model: an endpoint may be listed by another name."""
        async with self._locks[tier]:
            clock = asyncio.get_running_loop().time
            taken_at, reaches, kept = self._kept.get(tier, (-SHARE_SECONDS, 0.0, Listed(())))
            if clock() - taken_at < SHARE_SECONDS and reaches <= moment:
                return kept
            reaches, running = self._running.get(tier, (0.0, None))
            if running is None or running.done() or reaches > moment:
                if running is not None:
                    await asyncio.wait({running})
                reaches = min(moment, our_now - SPAN_SECONDS)
                running = asyncio.create_task(self._scan(tier, reaches, our_now))
                self._running[tier] = reaches, running
            return await asyncio.shield(running)

    async def _scan(self, tier: str, reaches: float, our_now: float) -> Listed | Trouble:
        listed = await scan(self._wire, tier=tier, model=None, since=reaches, our_now=our_now, pages=self.pages)
        if isinstance(listed, Listed):
            whole = reaches if listed.since is None else listed.since - listed.ahead
            self._kept[tier] = asyncio.get_running_loop().time(), whole, listed
        return listed

    async def close(self) -> None:
        """End what is still read."""
        running = [task for _, task in self._running.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def scan_all(
    wire: Wire, *, vendor_ids: Sequence[str], since: float
) -> tuple[list[tuple[str, Task]], float] | Trouble:
    """Everything made since a moment in both tiers, each with its tier; with a key for single models, theirs.

    With it comes the moment from which on it is everything: the one asked for, or a later one.
    """
    found: list[tuple[str, Task]] = []
    whole = since
    for tier in ("default", "flex"):
        listed = await scan(wire, tier=tier, model=None, since=since)
        if isinstance(listed, Trouble) and listed.status in REFUSED:
            listed = await _scan_each(wire, tier=tier, models=vendor_ids, since=since)
        if isinstance(listed, Trouble):
            return listed
        found += [(tier, task) for task in listed.tasks]
        whole = max(whole, listed.since or since)
    return found, whole


async def _scan_each(wire: Wire, *, tier: str, models: Sequence[str], since: float) -> Listed | Trouble:
    tasks: list[Task] = []
    whole: float | None = None
    for model in models:
        listed = await scan(wire, tier=tier, model=model, since=since)
        if isinstance(listed, Trouble):
            return listed
        tasks += listed.tasks
        whole = max(whole or since, listed.since) if listed.since is not None else whole
    return Listed(tuple(tasks), since=whole)


def ahead_of(now: int | None, our_now: float | None) -> float:
    """How many seconds the vendor's clock is ahead of the database's; none where either is not known."""
    return 0.0 if now is None or our_now is None else now - our_now


def _is_last(page: Page, number: int) -> bool:
    if not page.tasks:
        return True
    return len(page.tasks) < PAGE_SIZE if page.total is None else number * PAGE_SIZE >= page.total


def _runs_back(tasks: Sequence[Task], after: float | None) -> float | None:
    """The time of the last task, if the list runs from the newest back to it."""
    times = [task.created_at for task in tasks if task.created_at is not None]
    back = after is not None and len(times) == len(tasks) and times == sorted(times, reverse=True)
    return float(times[-1]) if back and times else None


def _reaches(tasks: Sequence[Task], since: float) -> bool:
    """Whether the page runs from the newest back and ends before the moment."""
    last = _runs_back(tasks, float("inf"))
    return last is not None and last < since
