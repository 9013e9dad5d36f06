"""Admit: from a source that a customer names to a file in the store, looked into and clean."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from obstore.store import ObjectStore

from seedance_api.accounts.authenticate import Principal
from seedance_api.catalog.order import Kind
from seedance_api.foundation import objects
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.outbound import Outbound
from seedance_api.references.fetch import fetch
from seedance_api.references.inspect import BadMedia, Inspected, Staged, inspect
from seedance_api.references.queries import NewFile

_AT_ONCE = 4


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a medium comes from: an address or data URL, an uploaded file's id, a file that came with the request, or
    an upstream's own asset, by its `asset://` address.

    `kind` is what it must be; None takes any kind.
    """

    path: str
    kind: Kind | None
    url: str | None = None
    file_id: str | None = None
    upload: Staged | None = None
    asset: str | None = None

    @property
    def arrives(self) -> bool:
        """Whether it comes with this request: to be fetched, looked into and kept."""
        return self.file_id is None and self.asset is None


ASSET = "asset://"
_ASSET = re.compile(r"asset://[A-Za-z0-9_-]{1,128}")


def is_asset(url: str) -> bool:
    """Whether an address that begins like one names an asset of an upstream."""
    return _ASSET.fullmatch(url) is not None


class Admitted(msgspec.Struct, frozen=True):
    """A medium that was looked into and is fit to be kept."""

    inspected: Inspected


class References:
    """Fetches, inspects and keeps reference media."""

    def __init__(self, *, store: ObjectStore, confine: Confine, outbound: Outbound) -> None:
        self._store = store
        self._confine = confine
        self._outbound = outbound

    async def admit(self, sources: Sequence[Source], folder: Path) -> dict[str, Admitted]:
        """Every source's medium by its path. Raises AppError 400 that lists every one that cannot be used."""
        if not sources:
            return {}
        await asyncio.to_thread(folder.mkdir, mode=0o700, exist_ok=True)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def stage(number: int, source: Source) -> Staged | BadMedia:
            async with gate:
                return await self._stage(source, folder, number)

        staged = await asyncio.gather(*(stage(number, source) for number, source in enumerate(sources)))
        arrived = [one for one in staged if isinstance(one, Staged)]
        looked = iter(await inspect(arrived, confine=self._confine)) if arrived else iter(())
        outcomes = [one if isinstance(one, BadMedia) else next(looked) for one in staged]
        problems = [
            Problem(path=source.path, code="bad_media", message=f"`{source.path}`: {outcome.message}.")
            for source, outcome in zip(sources, outcomes, strict=True)
            if isinstance(outcome, BadMedia)
        ]
        if problems:
            raise AppError("invalid_media", problems[0].message, problems=problems)
        return {
            source.path: Admitted(outcome)
            for source, outcome in zip(sources, outcomes, strict=True)
            if isinstance(outcome, Inspected)
        }

    async def keep(
        self, one: Admitted, principal: Principal, *, file_id: str, inline: bool, keep_seconds: int
    ) -> NewFile:
        """Put an admitted medium into the store, under a key of its own; its row is the caller's to write."""
        key = f"files/{new_id('obj')}"
        await objects.put_file(self._store, key, one.inspected.path)
        return NewFile(
            id=file_id,
            account_id=principal.account_id,
            livemode=principal.livemode,
            inline=inline,
            kind=one.inspected.kind,
            object_key=key,
            sha256=one.inspected.sha256,
            facts=one.inspected.facts,
            keep_seconds=keep_seconds,
        )

    async def discard(self, files: Iterable[NewFile]) -> None:
        """Delete objects whose rows were not written."""
        await objects.delete(self._store, [file.object_key for file in files])

    async def _stage(self, source: Source, folder: Path, number: int) -> Staged | BadMedia:
        if source.upload is not None:
            return msgspec.structs.replace(source.upload, kind=source.kind)
        assert source.url is not None, "a source is an upload, a file's id or an address"
        assert source.kind is not None, "a source with an address stands in a list of one kind"
        return await fetch(source.url, folder / f"fetched-{number}", kind=source.kind, outbound=self._outbound)
