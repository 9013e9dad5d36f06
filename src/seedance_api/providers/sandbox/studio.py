"""The studio: the work that this process has taken on, rendered a few at a time, first come first served."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import structlog

from seedance_api.providers.provider import Commission, Done, Failed
from seedance_api.providers.sandbox.child import ChildDiedError, render_in_child
from seedance_api.providers.sandbox.magic import Magic, Spell, read_magic
from seedance_api.providers.sandbox.records import Outcome, Records, State, StoreTrouble
from seedance_api.providers.sandbox.workroom import Workroom

_BROKEN = Failed(code="provider_failed", message="The sandbox could not render this video.")
_LATE = Failed(code="deadline_exceeded", message="The sandbox did not finish before the deadline.")
_NO_INPUT = Failed(code="input_unreadable", message="An input file is no longer there.")
_log = structlog.get_logger()


@dataclass(eq=False)
class _Work:
    commission: Commission
    state: Literal["queued", "running"] = "queued"
    progress: int = 0
    noted_at: float = 0.0
    task: asyncio.Task[None] | None = field(default=None)


class Studio:
    """Queue, renders and heartbeats of one process. All methods belong to one event loop."""

    def __init__(
        self,
        *,
        records: Records,
        workroom: Workroom,
        owner: str,
        renderers: int,
        heartbeat_seconds: float,
        stale_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._records, self._workroom, self._owner = records, workroom, owner
        self._slots = asyncio.Semaphore(renderers)
        self._heartbeat_seconds, self._stale_seconds, self._clock = heartbeat_seconds, stale_seconds, clock
        self._works: dict[str, _Work] = {}
        self._heart: asyncio.Task[None] | None = None
        self.closed = False

    def progress(self, attempt_id: str) -> int | None:
        """How far our own work is (0–99), or None for work that is not ours."""
        work = self._works.get(attempt_id)
        return work.progress if work else None

    async def take(self, commission: Commission) -> None:
        """Put work at the end of the queue, in our name, unless we have it. Raises StoreTrouble."""
        if self.closed or commission.attempt_id in self._works:
            return
        work = self._works[commission.attempt_id] = _Work(commission)
        try:
            await self._note(work)
        except BaseException:
            del self._works[commission.attempt_id]
            raise
        work.task = asyncio.create_task(self._work(work))
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beat())

    async def stop(self, attempt_id: str) -> None:
        """Drop work of ours; its child is dead afterwards."""
        work = self._works.get(attempt_id)
        if work and work.task:
            work.task.cancel()
            await asyncio.wait([work.task])

    async def close(self) -> None:
        """Drop everything, and hand it back so that another process takes it at once."""
        self.closed = True
        works = list(self._works.values())
        await asyncio.gather(*(self.stop(work.commission.attempt_id) for work in works))
        if self._heart:
            self._heart.cancel()
            await asyncio.wait([self._heart])
        for work in works:
            given_back = State(state="queued", progress=0, heartbeat_at=0, owner="")
            try:
                if await self._records.is_taken(work.commission.attempt_id):
                    await self._records.note(work.commission.attempt_id, given_back)
            except StoreTrouble:
                _log.warning("sandbox_hand_back_failed", attempt_id=work.commission.attempt_id)
        await self._workroom.close()

    async def _work(self, work: _Work) -> None:
        """See work through to an outcome. Trouble with the store drops it: it is taken up again later."""
        attempt_id = work.commission.attempt_id
        try:
            outcome = await self._make(work)
            await self._end(attempt_id, outcome)
        except StoreTrouble as trouble:
            _log.warning("sandbox_work_dropped", attempt_id=attempt_id, trouble=type(trouble).__name__)
        finally:
            del self._works[attempt_id]
            await self._workroom.clear_room(attempt_id)

    async def _make(self, work: _Work) -> Outcome:
        magic = read_magic(work.commission.prompt)
        remaining = work.commission.deadline_at.timestamp() - self._clock()
        try:
            async with asyncio.timeout(max(remaining, 0)):
                if isinstance(magic, Magic) and Spell.STALL in magic:
                    await asyncio.Event().wait()
                async with self._slots:
                    work.state = "running"
                    return await self._render(work)
        except TimeoutError:
            return _LATE

    async def _render(self, work: _Work) -> Outcome:
        """Render and upload. A child that dies gets a second try: it may have been somebody else's fault."""
        for final in (False, True):
            try:
                return await self._render_once(work)
            except ChildDiedError as died:
                _log.warning("sandbox_child_died", attempt_id=work.commission.attempt_id, final=final, how=str(died))
        return _BROKEN

    async def _render_once(self, work: _Work) -> Done | Failed:
        commission = work.commission
        room = await self._workroom.make_room(commission.attempt_id)
        files = [room / f"input-{i}" for i in range(len(commission.inputs))]
        try:
            for given, file in zip(commission.inputs, files, strict=True):
                if given.object_key is None:  # somebody else's asset: `start` refuses those
                    return _NO_INPUT
                await self._records.download(given.object_key, file)
        except FileNotFoundError:
            return _NO_INPUT

        def on_progress(progress: int) -> None:
            work.progress = progress

        result = await render_in_child(commission, files, room, on_progress)
        if isinstance(result, Done):
            await self._records.upload(commission.attempt_id, room / "video.mp4")
            if result.output.last_frame:
                await self._records.upload(commission.attempt_id, room / "last_frame.png")
        return result

    async def _end(self, attempt_id: str, outcome: Outcome) -> None:
        """Publish. Files go when another outcome was quicker, and everything when it was forgotten."""
        standing = await self._records.decide(attempt_id, outcome)
        if not await self._records.is_taken(attempt_id):
            await self._records.delete(attempt_id)
        elif not isinstance(standing, Done):
            await self._records.delete(attempt_id, "video.mp4", "last_frame.png")

    async def _beat(self) -> None:
        """Tell the others that our work is alive, and hear from them when it is no longer wanted."""
        while self._works:
            await asyncio.sleep(self._heartbeat_seconds)
            for attempt_id, work in list(self._works.items()):
                pace = self._heartbeat_seconds if work.state == "running" else self._stale_seconds / 3
                if abs(self._clock() - work.noted_at) >= pace * 0.9:  # it may be set back
                    try:
                        await self._look_after(attempt_id, work)
                    except StoreTrouble as trouble:
                        _log.warning("sandbox_heartbeat_failed", trouble=type(trouble).__name__)

    async def _look_after(self, attempt_id: str, work: _Work) -> None:
        if not await self._records.is_taken(attempt_id):
            await self.stop(attempt_id)
            await self._records.delete(attempt_id)
        elif await self._records.outcome(attempt_id) is not None or await self._is_anothers(attempt_id):
            await self.stop(attempt_id)
        elif attempt_id in self._works:
            await self._note(work)

    async def _is_anothers(self, attempt_id: str) -> bool:
        """Two processes may take up dead work at the same time: the one that wrote last keeps it."""
        state = await self._records.state(attempt_id)
        return state is not None and state.owner not in {self._owner, ""}

    async def _note(self, work: _Work) -> None:
        work.noted_at = self._clock()
        state = State(state=work.state, progress=work.progress, heartbeat_at=work.noted_at, owner=self._owner)
        await self._records.note(work.commission.attempt_id, state)
