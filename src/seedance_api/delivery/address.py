"""Address: where a file can be fetched without a key: in the object store itself, or by a signed link of ours."""

from collections.abc import Callable

import msgspec
from obstore.store import ObjectStore

from seedance_api.delivery import link
from seedance_api.delivery.rows import Held
from seedance_api.foundation import objects


class Address(msgspec.Struct, frozen=True):
    """An address that is good until `expires_at`, in Unix seconds."""

    url: str
    expires_at: int


class Addresses:
    """Makes them. The store's own are good for `redirect_seconds`; 0 where we send content ourselves."""

    def __init__(self, *, store: ObjectStore, key: bytes, redirect_seconds: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._key = key
        self._redirect_seconds = redirect_seconds
        self._clock = clock

    async def in_store(self, held: Held) -> str | None:
        """Where a download is sent on to; None where we send it ourselves. Raises TornError for what is not whole."""
        if not self._redirect_seconds:
            return None
        url = await self._presign(held, min(self._redirect_seconds, int(held.purge_at.timestamp() - self._clock())))
        if url is not None and not await objects.is_whole(self._store, held.object_key, held.bytes):
            raise objects.TornError("the object is gone, or not whole")
        return url

    async def link(self, held: Held, seconds: int, *, place: str) -> Address:
        """A link for so many seconds, but none that outlives what it leads to. Ours is a token behind `place`."""
        expires_at = min(int(self._clock()) + seconds, int(held.purge_at.timestamp()))
        url = None
        if self._redirect_seconds:
            url = await self._presign(held, expires_at - int(self._clock()))
        if url is None:
            url = place + link.sign(self._key, held.generation_id, held.variant, held.sha256, expires_at)
        return Address(url, expires_at)

    async def _presign(self, held: Held, seconds: int) -> str | None:
        return await objects.presign(self._store, held.object_key, max(1, seconds))
