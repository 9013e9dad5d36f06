"""Admit: from a source that a customer names to a file in the store, looked into and clean."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, TypeVar

import msgspec
import structlog
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from seedance_api.accounts.authenticate import Principal
from seedance_api.catalog.order import Kind
from seedance_api.foundation import objects
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.fair_queue import FairQueue
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.intake import Folder
from seedance_api.foundation.outbound import CONNECTIONS, Outbound
from seedance_api.foundation.put_object import put_file
from seedance_api.references.fetch import fetch
from seedance_api.references.inline import is_data_url
from seedance_api.references.inspect import BadMedia, Inspected, Staged, inspect
from seedance_api.references.object_queries import replace_object
from seedance_api.references.queries import File, NewFile, Room, files_alike, files_of_account
from seedance_api.references.source import Source

T = TypeVar("T")
_AT_ONCE = 4
_log = structlog.get_logger()


class References:
    """Fetches, inspects and keeps reference media."""

    def __init__(
        self,
        *,
        db: Database,
        store: ObjectStore,
        confine: Confine,
        outbound: Outbound,
        disk: Disk | None = None,
        fetching: FairQueue | None = None,
        room: Mapping[bool, Room] | None = None,
    ) -> None:
        self._room = room or {}
        """What an account may have, in live and in test mode."""
        self._db = db
        self._fetching = fetching or FairQueue(CONNECTIONS)
        self._store = store
        self._confine = confine
        self._outbound = outbound
        self._disk = disk

    async def admit(self, sources: Sequence[Source], folder: Folder) -> dict[str, Inspected]:
        """Every source's medium by its path. Raises AppError 400 that lists every one that cannot be used, and 503 when
        others have all of what it takes to fetch and to look into them."""
        if not sources:
            return {}
        await folder.make()
        gate = asyncio.Semaphore(_AT_ONCE)

        async def stage(number: int, source: Source) -> Staged | BadMedia:
            async with gate:
                return await self._stage(source, folder, number)

        staged = await all_or_none(stage(number, source) for number, source in enumerate(sources))
        arrived = [one for one in staged if isinstance(one, Staged)]
        looked = iter(await inspect(arrived, confine=self._confine, owner=folder.owner)) if arrived else iter(())
        outcomes = [one if isinstance(one, BadMedia) else next(looked) for one in staged]
        problems = [
            Problem(path=source.path, code="bad_media", message=f"`{source.path}`: {outcome.message}.")
            for source, outcome in zip(sources, outcomes, strict=True)
            if isinstance(outcome, BadMedia)
        ]
        if problems:
            raise AppError("invalid_media", problems=problems)
        return {
            source.path: outcome
            for source, outcome in zip(sources, outcomes, strict=True)
            if isinstance(outcome, Inspected)
        }

    async def put(
        self, inspected: Mapping[str, Inspected], principal: Principal, *, inline: bool, keep_seconds: int
    ) -> dict[str, NewFile]:
        """Put inspected media into the store; returns the files whose rows the caller writes, by their paths.

        What the account keeps already, in this mode, is not put again: the new file shares its object. One that is lost
        or damaged is not shared; once the rows are written, `repair` gives the older files the new one.
        """
        if not inspected:
            return {}
        files = {
            path: self._file(medium, principal, inline=inline, keep_seconds=keep_seconds)
            for path, medium in inspected.items()
        }
        shared = await self._share(files, principal)
        await self._put(shared, inspected)
        return shared

    async def unshare(self, files: Mapping[str, NewFile], inspected: Mapping[str, Inspected]) -> dict[str, NewFile]:
        """The same files when an object that they share was deleted meanwhile: each has an object of its own now."""
        own = {
            path: msgspec.structs.replace(file, object_key=_new_key(), shares=None)
            for path, file in files.items()
            if file.shares is not None
        }
        await self._put(own, inspected)
        return {**files, **own}

    async def repair(self, files: Iterable[NewFile]) -> None:
        """Give older files whose object is lost that of a new file with the same content, whose row is written."""
        for file in files:
            if file.replaces is not None and (ids := await replace_object(self._db, file.replaces, file)):
                _log.warning("file.repaired", file_id=ids[0], count=len(ids))

    async def discard(self, files: Iterable[NewFile]) -> None:
        """Delete objects whose rows were not written; never one that another file shares."""
        await objects.delete(self._store, list({file.object_key for file in files if file.shares is None}))

    async def _share(self, new: Mapping[str, NewFile], principal: Principal) -> dict[str, NewFile]:
        """The same files, each with the object of an earlier one or of an equal one beside it where there is one."""
        contents = [(file.kind, file.sha256) for file in new.values()]
        alike = await files_alike(self._db, principal.account_id, principal.livemode, contents)
        bad = await self._lost(alike)
        first: dict[tuple[Kind, str], tuple[str, str | None]] = {
            (file.kind, file.sha256): (file.object_key, file.id) for file in alike if file.id not in bad
        }
        lost = {(file.kind, file.sha256): file.object_key for file in alike if file.id in bad}
        shared: dict[str, NewFile] = {}
        for path, file in new.items():
            content = (file.kind, file.sha256)
            replaces = lost.get(content) if content not in first else None
            object_key, owner = first.setdefault(content, (file.object_key, None))
            shared[path] = msgspec.structs.replace(file, object_key=object_key, shares=owner, replaces=replaces)
        return shared

    async def _lost(self, files: Sequence[File]) -> set[str]:
        """Those of these files whose object is not there, not whole, or known to be another."""
        whole = await asyncio.gather(
            *(objects.is_whole(self._store, file.object_key, file.facts.bytes) for file in files)
        )
        return {
            file.id for file, is_there in zip(files, whole, strict=True) if file.damaged_at is not None or not is_there
        }

    async def find(self, ids: Sequence[str], principal: Principal) -> tuple[dict[str, File], set[str]]:
        """The account's unexpired files with these ids, and which of them are lost: to be uploaded once more."""
        files = await files_of_account(self._db, principal.account_id, principal.livemode, list(ids)) if ids else []
        return {file.id: file for file in files}, await self._lost(files)

    async def _put(self, files: Mapping[str, NewFile], inspected: Mapping[str, Inspected]) -> None:
        own = {file.object_key: inspected[path].path for path, file in files.items() if file.shares is None}
        if self._disk is not None and own:
            self._disk.check_work(sum(one.stat().st_size for one in own.values()))
        try:
            for key, file in own.items():
                await put_file(self._store, key, file)
        except BaseException:
            with suppress(OSError, BaseError):  # of a store that refuses; `collect` deletes them then
                await asyncio.shield(objects.delete(self._store, list(own)))
            raise

    async def _stage(self, source: Source, folder: Folder, number: int) -> Staged | BadMedia:
        if source.upload is not None:
            return msgspec.structs.replace(source.upload, kind=source.kind)
        assert source.url is not None, "a source is an upload, a file's id or an address"
        assert source.kind is not None, "a source with an address stands in a list of one kind"
        place = nullcontext() if is_data_url(source.url.strip()) else self._fetching.place(folder.owner)
        async with place:
            return await fetch(
                source.url,
                folder.path / f"fetched-{number}",
                kind=source.kind,
                outbound=self._outbound,
                take=folder.take,
            )

    def _file(self, medium: Inspected, principal: Principal, *, inline: bool, keep_seconds: int) -> NewFile:
        return NewFile(
            id=new_id("file", at=self._db.clock()),
            account_id=principal.account_id,
            livemode=principal.livemode,
            inline=inline,
            kind=medium.kind,
            object_key=_new_key(),
            sha256=medium.sha256,
            facts=medium.facts,
            keep_seconds=keep_seconds,
            room=self._room.get(principal.livemode),
        )


def _new_key() -> str:
    return f"files/{new_id('obj')}"


async def all_or_none(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each gives; the first that fails ends the others, which have their folder no more."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
