"""Store: from the provider's finished file to one of ours. Fetch, measure, label, mark, put into the store."""

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog
from obstore.store import ObjectStore

from seedance_api.catalog.order import Order
from seedance_api.delivery import certificate
from seedance_api.delivery.confined import Label, Measured
from seedance_api.delivery.judge import is_as_ordered, measure, output_of
from seedance_api.delivery.mark import Marked, Marking, Origin, Unmarked, Unsigned, content_id, mark
from seedance_api.delivery.rows import Asset
from seedance_api.delivery.write_label import write_label
from seedance_api.foundation import objects
from seedance_api.foundation.confine import Confine, Failure
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.put_object import put_file
from seedance_api.foundation.store_trouble import is_silent
from seedance_api.providers.provider import Operation, Output, Provider, Unfetched

_ROOM = 64 << 20
"""With less on the disk than this, what a child could not read or write may be the disk's fault."""
_NO_ROOM = "no room on the disk of scratch files"
_log = structlog.get_logger()


class Stored(msgspec.Struct, frozen=True):
    """The objects are in the store; `output` says what was measured on the file."""

    assets: list[Asset]
    output: Output


class Unstored(msgspec.Struct, frozen=True):
    """It could not be stored. `code` is a failure code; `gone` and `wrong` are as for `Unfetched`.

    `ours` is what of ours was in the way, for the operator: it says nothing of the file, which is not `wrong` then.
    `fetched`: the file had been fetched for it already.
    """

    code: str
    gone: bool = False
    wrong: bool = False
    ours: str | None = None
    fetched: bool = False


StoreOutcome = Stored | Unstored


class Storage:
    """The object store with the scratch folder and the confined processes that guard the way into it.

    Nothing gets into the store that is not marked.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        scratch: Path,
        confine: Confine,
        marking: Marking,
        label: Label | None = None,
        disk: Disk | None = None,
    ) -> None:
        self.objects = store
        self._scratch = scratch
        self._confine = confine
        self._marking = marking
        self._label = label
        self._disk = disk

    async def store(
        self,
        generation_id: str,
        version: int,
        order: Order,
        reported: Output | None,
        provider: Provider,
        operation: Operation,
        *,
        composite: bool,
    ) -> StoreOutcome:
        """Bring the provider's file home. Each try writes under its own version: two workers never share an object.

        `composite` says that pictures or videos of the customer went into it. What is known to be in the way is seen
        before anything is fetched: a provider has its file fetched so often and no more.
        """
        if (before := await self._in_the_way()) is not None:
            return before
        folder = self._scratch / f"{generation_id}.{version}"
        origin = Origin(
            model=order.model,
            sandbox=provider.capabilities.sandbox,
            composite=composite,
            content_id=content_id(generation_id),
        )
        try:
            if self._disk is not None:
                self._disk.check_work()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            outcome = await self._store(
                folder, f"content/{generation_id}/{version}", order, reported or Output(), provider, operation, origin
            )
            if isinstance(outcome, Unstored) and outcome.wrong and await asyncio.to_thread(_has_no_room, folder):
                return Unstored("output_unavailable", ours=_NO_ROOM, fetched=True)  # the file may be right
        except Exception as error:  # noqa: BLE001 scratch, the store, a process that cannot be made: none is the file's
            _log.error("store.failed", generation_id=generation_id, exc_info=True)
            return Unstored("output_unavailable", ours=type(error).__name__, fetched=(folder / "fetched.mp4").exists())
        else:
            return outcome
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    async def _store(
        self,
        folder: Path,
        prefix: str,
        order: Order,
        reported: Output,
        provider: Provider,
        operation: Operation,
        origin: Origin,
    ) -> StoreOutcome:
        video, thumbnail = folder / "fetched.mp4", folder / "thumbnail.webp"
        last_frame = folder / "last_frame" if order.return_last_frame else None
        for variant, path in (("video", video), ("last_frame", last_frame)):
            fetched = await provider.fetch(operation, variant, path) if path else None
            if isinstance(fetched, Unfetched):
                return Unstored("output_unavailable", fetched.gone, fetched.wrong, ours=fetched.ours)
        measured = await measure(self._confine, video, thumbnail, last_frame)
        if isinstance(measured, Failure) and measured.is_ours:
            return Unstored("output_unavailable", ours=f"the measuring process ended: {measured.kind}", fetched=True)
        if not isinstance(measured, Measured) or not is_as_ordered(order, measured):
            return Unstored("output_invalid", wrong=True)
        files = [
            Unsigned("video.mp4", str(video), "video/mp4", parent=str(video)),
            Unsigned("thumbnail.webp", str(thumbnail), "image/webp"),
        ]
        if last_frame is not None and measured.last_frame is not None:
            files.append(Unsigned("last_frame", str(last_frame), measured.last_frame))
        marked = await self._mark(folder, files, measured.seconds, origin)
        if isinstance(marked, Unmarked):
            if not marked.ours:
                return Unstored("marking_failed", wrong=True)
            return Unstored("marking_failed", ours=marked.reason, fetched=True)
        assets = [await self._put(prefix, file, marked / file.name) for file in files]
        return Stored(assets, output_of(order, reported, measured))

    async def _mark(self, folder: Path, files: Sequence[Unsigned], seconds: float, origin: Origin) -> Path | Unmarked:
        """The folder with the marked files."""
        if self._label is not None:
            producer, name = self._marking.operator, origin.content_id
            labelled = await write_label(self._label, folder, files, seconds, producer, name, self._confine)
            if isinstance(labelled, Unmarked):
                return labelled
            files = labelled
        marked = folder / "marked"
        marked.mkdir()
        outcome = await mark(files, marked, origin, self._marking, self._confine)
        return marked if isinstance(outcome, Marked) else outcome

    async def _in_the_way(self) -> Unstored | None:
        """What of ours would make it fail, as far as can be seen."""
        try:
            await asyncio.to_thread(certificate.check, self._marking.certificate)
        except ValueError as error:
            return Unstored("marking_failed", ours=str(error))
        if (silence := await is_silent(self.objects)) is not None:
            return Unstored("output_unavailable", ours=silence)
        return None

    async def _put(self, prefix: str, file: Unsigned, path: Path) -> Asset:
        size, sha256 = await asyncio.to_thread(_weigh, path)
        if self._disk is not None:
            self._disk.check_work(size)
        key = f"{prefix}/{file.name}"
        await put_file(self.objects, key, path)
        variant = file.name.partition(".")[0]
        return Asset(variant=variant, object_key=key, media_type=file.media_type, bytes=size, sha256=sha256)


async def discard(stored: Stored, storage: Storage) -> None:
    """Delete objects that no row will ever name, because another worker was quicker."""
    await objects.delete(storage.objects, [asset.object_key for asset in stored.assets])


def _has_no_room(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < _ROOM


def _weigh(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), sha256
