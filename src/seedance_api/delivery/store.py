"""Store: from the provider's finished file to one of ours. Fetch, measure, label, mark, put into the store."""

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog
from obstore.store import ObjectStore

from seedance_api.catalog import models, pixels
from seedance_api.catalog.order import Order
from seedance_api.delivery import certificate
from seedance_api.delivery.confined import Label, LabelQuestion, Measured, MeasureQuestion
from seedance_api.delivery.mark import Marked, Marking, Origin, Unsigned, content_id, mark
from seedance_api.delivery.rows import Asset
from seedance_api.foundation import objects
from seedance_api.foundation.confine import Confine, Failure
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.put_object import put_file
from seedance_api.foundation.store_trouble import is_silent
from seedance_api.providers.provider import Operation, Output, Provider, Unfetched

_SECONDS = 120.0
_CPU_SECONDS = 90
_MEMORY = 3 << 30
_LABEL_SECONDS, _LABEL_CPU_SECONDS = 900.0, 900
_LABEL_BYTES = 1 << 30
_ROOM = 64 << 20
"""With less on the disk than this, what a child could not read or write may be the disk's fault."""
_SHORT_SECONDS = 0.5
"""A video may be this much shorter than ordered, or a twentieth. A longer one is the customer's: he pays no more."""
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
        said: Output | None,
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
                folder, f"content/{generation_id}/{version}", order, said or Output(), provider, operation, origin
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
        said: Output,
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
        found = await self._measure(video, thumbnail, last_frame)
        if isinstance(found, Failure) and found.is_ours:
            return Unstored("output_unavailable", ours=f"the measuring process ended: {found.kind}", fetched=True)
        if not isinstance(found, Measured) or not is_as_ordered(order, found):
            return Unstored("output_invalid", wrong=True)
        files = [
            Unsigned("video.mp4", str(video), "video/mp4", parent=str(video)),
            Unsigned("thumbnail.webp", str(thumbnail), "image/webp"),
        ]
        if last_frame is not None and found.last_frame is not None:
            files.append(Unsigned("last_frame", str(last_frame), found.last_frame))
        if self._label is not None:
            labelled = await self._write_label(self._label, folder, files, found.seconds, origin)
            if isinstance(labelled, Unstored):
                return labelled
            files = labelled
        marked = folder / "marked"
        marked.mkdir()
        outcome = await mark(files, marked, origin, self._marking, self._confine)
        if not isinstance(outcome, Marked):
            return _unstored("marking_failed", outcome.reason, ours=outcome.ours)
        assets = [await self._put(prefix, one, marked / one.name) for one in files]
        output = msgspec.structs.replace(
            said,
            width=found.width,
            height=found.height,
            frames=found.frames,
            seconds=found.seconds,
            resolution=said.resolution or order.resolution,
            ratio=ratio_of(order, said, found),
            last_frame=order.return_last_frame,
        )
        return Stored(assets, output)

    async def _in_the_way(self) -> Unstored | None:
        """What of ours would make it fail, as far as can be seen."""
        try:
            await asyncio.to_thread(certificate.check, self._marking.certificate)
        except ValueError as error:
            return Unstored("marking_failed", ours=str(error))
        if (silence := await is_silent(self.objects)) is not None:
            return Unstored("output_unavailable", ours=silence)
        return None

    async def _measure(self, video: Path, thumbnail: Path, last_frame: Path | None) -> Measured | Failure | None:
        question = msgspec.json.encode(
            MeasureQuestion(
                video=str(video), thumbnail=str(thumbnail), last_frame=str(last_frame) if last_frame else None
            )
        )
        answer = await self._confine.run(
            "seedance_api.delivery.measure",
            question,
            seconds=_SECONDS,
            memory_bytes=_MEMORY,
            cpu_seconds=_CPU_SECONDS,
            read=[one for one in (video, last_frame) if one is not None],
            write=[thumbnail],
        )
        if isinstance(answer, Failure):
            return answer
        return msgspec.json.decode(answer, type=Measured | None)

    async def _write_label(
        self, label: Label, folder: Path, files: Sequence[Unsigned], seconds: float, origin: Origin
    ) -> list[Unsigned] | Unstored:
        """The same files with the visible label, the pictures too where they show a labelled moment."""
        labelled = folder / "labelled"
        labelled.mkdir()
        shown = [one for one in files if one.name != "last_frame" or seconds <= label.seconds]
        pairs = tuple((one.path, str(labelled / one.name)) for one in shown)
        question = LabelQuestion(
            label=label,
            producer=self._marking.operator,
            content_id=origin.content_id,
            video=pairs[0],
            pictures=pairs[1:],
        )
        answer = await self._confine.run(
            "seedance_api.delivery.label",
            msgspec.json.encode(question),
            seconds=_LABEL_SECONDS,
            memory_bytes=_MEMORY,
            cpu_seconds=_LABEL_CPU_SECONDS,
            file_bytes=_LABEL_BYTES,
            read=[source for source, _ in pairs] + ([label.font] if label.font else []),
            write=[target for _, target in pairs],
        )
        if isinstance(answer, Failure) or not msgspec.json.decode(answer, type=bool):
            reason = answer.kind if isinstance(answer, Failure) else "cannot be re-encoded"
            _log.error("label.failed", reason=reason)
            ours = isinstance(answer, Failure) and answer.is_ours
            return _unstored("marking_failed", f"the labelling process ended: {reason}", ours=ours)
        return [msgspec.structs.replace(one, path=str(labelled / one.name)) if one in shown else one for one in files]

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


def is_as_ordered(order: Order, found: Measured) -> bool:
    """Whether a playable file is near enough: as long and of the shape that was ordered, and whole."""
    if order.duration != -1 and found.seconds < order.seconds - max(_SHORT_SECONDS, order.seconds / 20):
        return False
    if order.return_last_frame and found.last_frame is None:
        return False
    return order.ratio == "adaptive" or abs(found.width / found.height - order.width / order.height) < 0.1


def ratio_of(order: Order, said: Output, found: Measured) -> str:
    """The ratio's usual name when the size is one of the model's table, else what the provider says."""
    model = models.find(order.model)
    resolution = said.resolution or order.resolution
    if model is not None and resolution in model.capabilities.resolutions:
        nearest = pixels.nearest_ratio(model, resolution, found.width, found.height)
        if pixels.size(model, resolution, nearest) == (found.width, found.height):
            return nearest
    return said.ratio or order.ratio


def _unstored(code: str, reason: str, *, ours: bool) -> Unstored:
    return Unstored(code, ours=reason, fetched=True) if ours else Unstored(code, wrong=True)


def _has_no_room(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < _ROOM


def _weigh(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), sha256
