"""Follow: a generation from now on until it is finished, one state after another, for whoever holds a stream open; or
only until the next state, for whoever waits for an answer."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager

from seedance_api.foundation.errors import AppError
from seedance_api.generations.read import Reader
from seedance_api.generations.rows import Seen

KEEP_ALIVE_SECONDS = 15.0
MAX_WAIT_SECONDS = 55
"""Many proxies give up on an answer after 60 seconds."""
_TOO_LONG_SECONDS = 6 * 3600.0
_RETRY_SECONDS = 5


class Changes:
    """Wakes those who wait for a change of a generation or a key. `pg_notify` brings the changes to every process."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.stopped = False
        """Whether nobody is to wait here any more: the process is stopping."""

    def stop(self) -> None:
        """Let go of those who wait, now and from now on."""
        self.stopped = True
        self.tell_all()

    def tell(self, subject: str) -> None:
        """The generation or key with this id changed."""
        for event in self._waiting.get(subject, ()):
            event.set()

    def tell_all(self) -> None:
        """Anything may have changed: notifications may have been missed."""
        for events in self._waiting.values():
            for event in events:
                event.set()

    @asynccontextmanager
    async def of(self, *subjects: str) -> AsyncGenerator[asyncio.Event, None]:
        """An event that is set at each change of one of them; the caller clears it."""
        event = asyncio.Event()
        for subject in subjects:
            self._waiting[subject].add(event)
        try:
            yield event
        finally:
            for subject in subjects:
                self._waiting[subject].discard(event)
                if not self._waiting[subject]:
                    del self._waiting[subject]


class Streams:
    """The event streams that this process holds open, and the requests that wait for a change: `most` of one account,
    for each keeps a connection."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def of(self, account_id: str) -> Generator[None]:
        """Hold one more open. Raises AppError 429."""
        if self._open[account_id] >= self._most:
            message = f"This account has {self._open[account_id]} event streams or waiting requests open; "
            message += f"it may have {self._most}. Close one, or poll the video instead."
            raise AppError("too_many_streams", message, headers={"Retry-After": str(_RETRY_SECONDS)})
        self._open[account_id] += 1
        try:
            yield
        finally:
            self._open[account_id] -= 1
            if not self._open[account_id]:
                del self._open[account_id]


async def follow(
    account_id: str,
    livemode: bool,
    generation_id: str,
    *,
    key_id: str,
    reader: Reader,
    changes: Changes,
    is_allowed: Callable[[], Awaitable[bool]],
    gone: asyncio.Future[None],
) -> AsyncGenerator[Seen | None, None]:
    """The generation as it is, and again whenever it may have changed; None when nothing has happened for a while.

    It ends with the generation, when that is deleted, when the process stops, when the follower is `gone` or not
    allowed any more: a change of his key wakes it. Raises AppError 404 when there is none to begin with.
    """
    now = asyncio.get_running_loop().time
    async with changes.of(generation_id, key_id) as changed:
        seen = await reader.find(account_id, livemode, generation_id)
        end = now() + _TOO_LONG_SECONDS
        while not gone.done() and now() < end:
            yield seen
            if seen.finished_at is not None or changes.stopped:
                return
            if not await _woken(changed, gone):
                yield None
            changed.clear()
            if not await is_allowed():
                return
            try:
                seen = await reader.find(account_id, livemode, generation_id)
            except AppError:  # deleted while it was watched
                return


async def next_state(
    following: AsyncGenerator[Seen | None, None],
    seconds: float,
    *,
    says: Callable[[Seen], str],
    is_known: Callable[[str], bool],
) -> Seen | None:
    """The next state that says something else than the present one, or the present one where that is not known.

    None when there was none within so many seconds, or there is nothing more to wait for: look again then.
    """
    first = ""
    limit = asyncio.timeout(seconds)
    try:
        async with limit, aclosing(following):
            async for seen in following:
                if seen is None:
                    continue
                now = says(seen)
                if now != first if first else not is_known(now):
                    return seen
                first = first or now
    except TimeoutError:
        if not limit.expired():  # it was the database's
            raise
    return None


async def _woken(changed: asyncio.Event, gone: asyncio.Future[None]) -> bool:
    """Whether there was a change, or the follower left, within a while: a lost notification delays but never hides."""
    waiter = asyncio.create_task(changed.wait())
    try:
        done, _ = await asyncio.wait({waiter, gone}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
    return bool(done)
