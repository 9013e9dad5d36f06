"""Mark: sign a file's Content Credentials (C2PA), in a process of its own. The last thing that is done to a file."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import structlog

from seedance_api.delivery.certificate import Certificate
from seedance_api.foundation.confine import Confine, Failure

CONTENT_ID, SANDBOX = "org.seedance-api.content_id", "org.seedance-api.sandbox"
_CHILD = "seedance_api.delivery.sign"
_SECONDS, _CPU_SECONDS = 90.0, 60
_MEMORY = 2 << 30
_GROWTH = 64 << 20
"""A mark has some kilobytes; one that keeps a provider's has those as well."""
_log = structlog.get_logger()


class Marking(msgspec.Struct, frozen=True, kw_only=True):
    """Who marks, and with what. `tsa_url` is a time-stamping authority's address (RFC 3161)."""

    operator: str
    certificate: Certificate
    tsa_url: str | None = None


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a mark says of how a video was made. `composite`: pictures or videos of the customer went into it."""

    model: str
    sandbox: bool
    composite: bool
    content_id: str


class Unsigned(msgspec.Struct, frozen=True):
    """A file to mark, and its name. `parent` is the file as it was fetched, with what marks it had."""

    name: str
    path: str
    media_type: str
    parent: str | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is told: everything but the key, which it reads itself."""

    files: tuple[Unsigned, ...]
    folder: str
    origin: Origin
    marking: Marking


class Marked(msgspec.Struct, frozen=True, tag=True):
    """Every file is signed, read back and valid. `upstream` is what became of the provider's own mark."""

    upstream: Literal["none", "kept", "broken"] = "none"


class Unmarked(msgspec.Struct, frozen=True, tag=True):
    """Why there is no mark, for the operator. `ours`: for the certificate's, the key's or the machine's sake."""

    reason: str
    ours: bool = False


def content_id(generation_id: str) -> str:
    """What a mark calls the video: whoever has its id can find it by this, and from this nobody learns the id."""
    return hashlib.sha256(generation_id.encode()).hexdigest()


async def mark(
    files: Sequence[Unsigned], folder: Path, origin: Origin, marking: Marking, confine: Confine
) -> Marked | Unmarked:
    """Write marked files into the folder, or say why not. Without its authority, a mark is not time-stamped."""
    question = Question(files=tuple(files), folder=str(folder), origin=origin, marking=marking)
    outcome = await _mark(question, confine)
    if isinstance(outcome, Unmarked) and marking.tsa_url is not None:
        _log.warning("marking.not_time_stamped", reason=outcome.reason)
        without = msgspec.structs.replace(marking, tsa_url=None)
        outcome = await _mark(msgspec.structs.replace(question, marking=without), confine)
    match outcome:
        case Unmarked(reason):
            _log.error("marking.failed", reason=reason, operator_must_act=True)
        case Marked("broken"):
            _log.warning("marking.broken_upstream_mark", model=origin.model)
        case _:
            pass
    return outcome


def _keys(marking: Marking) -> tuple[str, ...]:
    ours = marking.certificate
    return (ours.certificate, ours.key, ours.trusted)


def _ports(marking: Marking) -> tuple[int, ...]:
    """Where the authority is asked for the time."""
    if marking.tsa_url is None:
        return ()
    authority = urlsplit(marking.tsa_url)
    return (authority.port or (443 if authority.scheme == "https" else 80),)


def _largest(files: Sequence[Unsigned]) -> int:
    return max(Path(file.path).stat().st_size for file in files)


async def _mark(question: Question, confine: Confine) -> Marked | Unmarked:
    answer = await confine.run(
        _CHILD,
        msgspec.json.encode(question),
        seconds=_SECONDS,
        memory_bytes=_MEMORY,
        cpu_seconds=_CPU_SECONDS,
        file_bytes=await asyncio.to_thread(_largest, question.files) + _GROWTH,
        # the key among them: this child alone may read it
        read=[
            *(path for file in question.files for path in (file.path, file.parent) if path),
            *_keys(question.marking),
        ],
        write=[Path(question.folder) / file.name for file in question.files],
        ports=_ports(question.marking),
    )
    if isinstance(answer, Failure):
        return Unmarked(f"the signing process ended: {answer.kind}", ours=answer.is_ours)
    return msgspec.json.decode(answer, type=Marked | Unmarked)
