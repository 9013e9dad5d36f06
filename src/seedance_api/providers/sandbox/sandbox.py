"""The provider: takes work, answers for it from any process, and leaves the rendering to the studio."""

import asyncio
import hashlib
import re
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from obstore.store import ObjectStore

from seedance_api.catalog.models import MODELS
from seedance_api.foundation.disk import Disk
from seedance_api.providers.provider import (
    SANDBOX,
    Busy,
    Capabilities,
    Capacity,
    Check,
    Commission,
    Done,
    Failed,
    Fetched,
    FetchOutcome,
    FindOutcome,
    Listing,
    Lost,
    NotMade,
    NotSent,
    Operation,
    Pending,
    Refused,
    Search,
    Started,
    StartOutcome,
    Unclear,
    Unfetched,
)
from seedance_api.providers.sandbox.magic import Magic, Spell, read_magic
from seedance_api.providers.sandbox.records import Canceled, Outcome, Records, StoreTrouble
from seedance_api.providers.sandbox.studio import Studio
from seedance_api.providers.sandbox.workroom import Workroom

OVERLOADED_SECONDS = 3.0
_MAX_OVERLOADED = 1000
_READS_AT_ONCE = 32
_FILES = {"video": "video.mp4", "last_frame": "last_frame.png"}
_ATTEMPT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class Sandbox:
    """Renders real videos on this machine's CPU, at most `renderers` at once.

    All that it knows is in `store`, so any process with the same store can check, cancel and fetch, and takes up
    the work of one that died `stale_seconds` ago. `scratch` is a folder on the local disk. The first call binds it
    to its event loop.
    """

    name = SANDBOX

    def __init__(
        self,
        *,
        store: ObjectStore,
        scratch: Path,
        renderers: int,
        concurrency: int = 8,
        account_concurrency: int | None = None,
        heartbeat_seconds: float = 2.0,
        stale_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
        disk: Disk | None = None,
    ) -> None:
        owner = uuid.uuid4().hex
        self.capabilities = Capabilities(
            models={model.name: Capacity(concurrency=concurrency) for model in MODELS},
            concurrency=concurrency,
            account_concurrency=account_concurrency,
            check_seconds=0.5,
            sandbox=True,
        )
        self._records = Records(store)
        self._stale_seconds, self._clock = stale_seconds, clock
        self._overloaded: dict[str, float] = {}
        self._studio = Studio(
            records=self._records,
            workroom=Workroom(scratch, owner, disk=disk),
            owner=owner,
            renderers=renderers,
            heartbeat_seconds=heartbeat_seconds,
            stale_seconds=stale_seconds,
            clock=clock,
        )

    async def start(self, commission: Commission) -> StartOutcome:
        """Take the work, once for each attempt."""
        operation = _operation(commission.attempt_id)
        magic = read_magic(commission.prompt)
        if isinstance(magic, Refused):
            return magic
        if self._studio.closed:
            return NotSent("the sandbox is shutting down")
        try:
            if await self._records.is_taken(commission.attempt_id):
                return Started(operation)
            refusal = self._refuse(commission, magic)
        except StoreTrouble as trouble:
            return NotSent(f"the object store cannot be read: {type(trouble).__name__}")
        return refusal or await self._accept(commission, magic)

    async def find(self, search: Search) -> FindOutcome:
        """Say whether the work of an attempt was taken."""
        try:
            taken = await self._records.is_taken(_checked(search.attempt_id))
        except StoreTrouble as trouble:
            return Unclear(f"the object store cannot be read: {type(trouble).__name__}")
        return Started(_operation(search.attempt_id)) if taken else NotMade()

    async def check_many(self, operations: Sequence[Operation]) -> list[Check]:
        """Say how each stands: our own from memory, the others' from the store."""
        reads = asyncio.Semaphore(_READS_AT_ONCE)

        async def check(attempt_id: str) -> Check:
            progress = self._studio.progress(attempt_id)
            if progress is not None:
                return Pending(progress)
            async with reads:
                try:
                    return await self._look_up(attempt_id)
                except (*StoreTrouble, msgspec.MsgspecError):
                    return Pending()

        return await asyncio.gather(*(check(_attempt_id(operation)) for operation in operations))

    async def cancel(self, operation: Operation) -> bool:
        """Stop the work; False when it is finished already, or the store cannot be reached."""
        attempt_id = _attempt_id(operation)
        try:
            if not await self._records.is_taken(attempt_id):
                return True
            standing = await self._records.decide(attempt_id, Canceled())
        except StoreTrouble:
            return False
        if isinstance(standing, Done):
            return False
        await self._studio.stop(attempt_id)
        return True

    async def fetch(self, operation: Operation, variant: str, to: Path) -> FetchOutcome:
        """Write the finished file to `to`, streaming."""
        attempt_id = _attempt_id(operation)
        if variant not in _FILES:
            return Unfetched(f"there is no {variant}", gone=True)
        try:
            return Fetched(await self._records.download_result(attempt_id, _FILES[variant], to))
        except FileNotFoundError:
            finished = await self._is_over(attempt_id)
            return Unfetched("the file is not there", gone=finished)
        except StoreTrouble as trouble:
            return Unfetched(f"the object store cannot be read: {type(trouble).__name__}")

    async def forget(self, operation: Operation) -> bool:
        """Stop the work and delete all that is known about it. A store that cannot be reached keeps it."""
        attempt_id = _attempt_id(operation)
        await self._studio.stop(attempt_id)
        try:
            await self._records.delete(attempt_id)
        except StoreTrouble:
            return False
        return True

    async def known_since(self, moment: datetime) -> Listing | None:
        """It keeps no list: each record goes with its attempt."""
        del moment
        return None

    async def close(self) -> None:
        """Stop the renders of this process and hand their work back."""
        await self._studio.close()

    def _refuse(self, commission: Commission, magic: Magic) -> Refused | Busy | None:
        if Spell.INPUT_MODERATED in magic:
            return Refused("input_moderated", "The input was refused by moderation (sandbox).")
        if any(one.object_key is None for one in commission.inputs):
            return Refused("input_unreadable", "The sandbox has no assets of its own.")
        if Spell.OVERLOADED not in magic:
            return None
        fingerprint = _fingerprint(commission)
        if len(self._overloaded) > _MAX_OVERLOADED:
            self._overloaded.clear()
        now = self._clock()
        if now - self._overloaded.setdefault(fingerprint, now) < OVERLOADED_SECONDS:
            return Busy("the sandbox plays an overload")
        del self._overloaded[fingerprint]
        return None

    async def _accept(self, commission: Commission, magic: Magic) -> StartOutcome:
        try:
            if await self._records.take(commission):
                if Spell.VANISH in magic:
                    await self._records.decide(commission.attempt_id, Lost())
                else:
                    await self._studio.take(commission)
                if Spell.UNCLEAR in magic:
                    return Unclear("the answer was lost (sandbox)")
        except StoreTrouble as trouble:
            return Unclear(f"the object store did not confirm: {type(trouble).__name__}")
        return Started(_operation(commission.attempt_id))

    async def _look_up(self, attempt_id: str) -> Check:
        outcome = await self._records.outcome(attempt_id)
        if outcome is not None:
            return _as_check(outcome)
        state = await self._records.state(attempt_id)
        if state is not None and abs(self._clock() - state.heartbeat_at) <= self._stale_seconds:
            return Pending(state.progress)
        commission = await self._records.commission(attempt_id)
        if commission is None:
            return Lost()
        await self._studio.take(commission)
        return Pending(state.progress if state else 0)

    async def _is_over(self, attempt_id: str) -> bool:
        try:
            return await self._records.outcome(attempt_id) is not None or not await self._records.is_taken(attempt_id)
        except StoreTrouble:
            return False


def _as_check(outcome: Outcome) -> Check:
    match outcome:
        case Done() | Failed() | Lost():
            return outcome
        case Canceled():
            return Failed("canceled", "The work was canceled.")


def _operation(attempt_id: str) -> Operation:
    return {"id": _checked(attempt_id)}


def _attempt_id(operation: Operation) -> str:
    return _checked(str(operation.get("id")))


def _checked(attempt_id: str) -> str:
    """Attempt ids become keys and folder names."""
    if not _ATTEMPT_ID.fullmatch(attempt_id):
        raise ValueError("not an attempt id")
    return attempt_id


def _fingerprint(commission: Commission) -> str:
    """Names the same request across attempts without saying what it holds."""
    parts = [commission.prompt, str(commission.order.seed), *(i.object_key or "" for i in commission.inputs)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
