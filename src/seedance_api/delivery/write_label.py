"""Write the visible label into a video, in a confined process, and into the pictures that show a labelled moment."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from seedance_api.delivery.confined import Label, LabelQuestion
from seedance_api.delivery.mark import Unmarked, Unsigned
from seedance_api.foundation.confine import Confine, Failure

_SECONDS, _CPU_SECONDS = 900.0, 900
_MEMORY = 3 << 30
_BYTES = 1 << 30
_log = structlog.get_logger()


async def write_label(
    label: Label,
    folder: Path,
    files: Sequence[Unsigned],
    seconds: float,
    producer: str,
    content_id: str,
    confine: Confine,
) -> list[Unsigned] | Unmarked:
    """The same files with the visible label, the pictures too where they show a labelled moment."""
    labelled = folder / "labelled"
    labelled.mkdir()
    shown = [file for file in files if file.name != "last_frame" or seconds <= label.seconds]
    pairs = tuple((file.path, str(labelled / file.name)) for file in shown)
    question = LabelQuestion(
        label=label,
        producer=producer,
        content_id=content_id,
        video=pairs[0],
        pictures=pairs[1:],
    )
    answer = await confine.run(
        "seedance_api.delivery.label",
        msgspec.json.encode(question),
        seconds=_SECONDS,
        memory_bytes=_MEMORY,
        cpu_seconds=_CPU_SECONDS,
        file_bytes=_BYTES,
        read=[source for source, _ in pairs] + ([label.font] if label.font else []),
        write=[target for _, target in pairs],
    )
    if isinstance(answer, Failure) or not msgspec.json.decode(answer, type=bool):
        reason = answer.kind if isinstance(answer, Failure) else "cannot be re-encoded"
        _log.error("label.failed", reason=reason)
        ours = isinstance(answer, Failure) and answer.is_ours
        return Unmarked(f"the labelling process ended: {reason}", ours=ours)
    return [msgspec.structs.replace(file, path=str(labelled / file.name)) if file in shown else file for file in files]
