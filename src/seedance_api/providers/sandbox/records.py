"""Records: what the sandbox knows about each attempt, in the object store, for every machine's worker to read.

`commission.json` is written once and says that the work was taken. `state.json` is its owner's note of how it
goes. `outcome.json` is written once, by whoever is first: a finished render, a cancel or a failure.
"""

# pyright: reportUnknownMemberType=false
# obstore's stubs leave the type of an Arrow batch open, which `list` could return.

import asyncio
from pathlib import Path
from typing import Literal

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from seedance_api.foundation import objects
from seedance_api.foundation.put_object import put_file
from seedance_api.providers.provider import Commission, Done, Failed, Lost

StoreTrouble = (BaseError, OSError)
"""What a store raises when it cannot be reached or does not have the thing."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How unfinished work stands. `heartbeat_at` is in Unix seconds; `progress` is 0–99."""

    state: Literal["queued", "running"]
    progress: int
    heartbeat_at: float
    owner: str


class Canceled(msgspec.Struct, frozen=True, tag=True):
    """The work was given up on request."""


Outcome = Done | Failed | Lost | Canceled


class Records:
    """All reading and writing of the store. Raises `StoreTrouble` unless said otherwise."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def take(self, commission: Commission) -> bool:
        """Write the commission down; False when it was there already."""
        return await self._create(_key(commission.attempt_id, "commission.json"), commission)

    async def is_taken(self, attempt_id: str) -> bool:
        """Say whether the work of an attempt was taken, and not forgotten since."""
        return await objects.exists(self._store, _key(attempt_id, "commission.json"))

    async def commission(self, attempt_id: str) -> Commission | None:
        """Read a commission."""
        data = await self._read(_key(attempt_id, "commission.json"))
        return msgspec.json.decode(data, type=Commission) if data else None

    async def note(self, attempt_id: str, state: State) -> None:
        """Write how the work stands."""
        objects.check(self._store)
        await obstore.put_async(self._store, _key(attempt_id, "state.json"), msgspec.json.encode(state))

    async def state(self, attempt_id: str) -> State | None:
        """Read how the work stands."""
        data = await self._read(_key(attempt_id, "state.json"))
        return msgspec.json.decode(data, type=State) if data else None

    async def decide(self, attempt_id: str, outcome: Outcome) -> Outcome:
        """End the work, once. Returns the outcome that stands, which may be an earlier one."""
        while not await self._create(_key(attempt_id, "outcome.json"), outcome):
            earlier = await self.outcome(attempt_id)
            if earlier is not None:
                return earlier
        return outcome

    async def outcome(self, attempt_id: str) -> Outcome | None:
        """Read how the work ended."""
        data = await self._read(_key(attempt_id, "outcome.json"))
        return msgspec.json.decode(data, type=Outcome) if data else None

    async def upload(self, attempt_id: str, path: Path) -> None:
        """Store a finished file under its own name, streaming."""
        await put_file(self._store, _key(attempt_id, path.name), path)

    async def download_result(self, attempt_id: str, name: str, to: Path) -> int:
        """Fetch a finished file, streaming; returns its bytes. Raises FileNotFoundError when it is gone."""
        return await self.download(_key(attempt_id, name), to)

    async def download(self, key: str, to: Path) -> int:
        """Fetch any object, streaming; returns its bytes. Raises FileNotFoundError when it is gone."""
        result = await self._get(key)
        written = 0
        file = to.open("wb")
        try:
            async for chunk in result.stream(min_chunk_size=1024 * 1024):
                written += await asyncio.to_thread(file.write, chunk)
        finally:
            await asyncio.to_thread(file.close)
        return written

    async def delete(self, attempt_id: str, *names: str) -> None:
        """Delete the files named, or everything that there is about an attempt."""
        keys = [_key(attempt_id, name) for name in names]
        if not names:
            async for page in obstore.list(self._store, prefix=f"sandbox/{attempt_id}/"):
                keys += [meta["path"] for meta in page]
        objects.check(self._store)
        for key in keys:
            await self._remove(key)

    async def _create(self, key: str, value: object) -> bool:
        objects.check(self._store)
        try:
            await obstore.put_async(self._store, key, msgspec.json.encode(value), mode="create")
        except AlreadyExistsError:
            return False
        return True

    async def _read(self, key: str) -> bytes | None:
        try:
            result = await self._get(key)
        except FileNotFoundError:
            return None
        return bytes(await result.bytes_async())

    async def _get(self, key: str) -> "obstore.GetResult":
        try:
            return await obstore.get_async(self._store, key)
        except FileNotFoundError:
            objects.check(self._store)
            raise

    async def _remove(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return


def _key(attempt_id: str, name: str) -> str:
    return f"sandbox/{attempt_id}/{name}"
