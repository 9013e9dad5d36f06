"""Verify: whether a file is one of ours, says that it is AI-generated, and is as it was. Look, then judge (pure)."""

import asyncio
import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from seedance_api.delivery import queries
from seedance_api.delivery.certificate import Certificate, Recognised, recognised
from seedance_api.delivery.rows import Delivered
from seedance_api.foundation.confine import Confine, Failure
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError

_CHILD = "seedance_api.delivery.recognise"
_SECONDS, _CPU_SECONDS = 60.0, 30
_MEMORY = 1 << 30
_PREVIEW = " More exactly, it is a preview that the sandbox drew in the place of the AI model."


class Question(msgspec.Struct, frozen=True):
    """What the child is told."""

    file: str
    recognised: Recognised


class Seen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a file says of itself. `ours`: our signature is on it; `changed`: it is not what was signed."""

    found: bool = False
    ours: bool = False
    changed: bool = False
    model: str | None = None
    sandbox: bool = False
    source_type: str | None = None
    content_id: str | None = None
    signed_by: str | None = None
    marked_at: int | None = None
    time_stamped: bool = False
    codes: tuple[str, ...] = ()


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """It is of no kind that can carry our mark, or cannot be read within bounds."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file. Nothing here says that a file is not AI-generated: that cannot be known."""

    sha256: str
    """The file's SHA-256, in hexadecimal."""
    bytes: int
    """The file's size."""
    ours: bool
    """Whether this service signed its mark, or delivered this very file."""
    basis: tuple[Literal["signature", "fingerprint"], ...]
    """On what: `signature` by one of our certificates, `fingerprint` of a file that we delivered, purged or not. Empty
    when it is not ours."""
    ai_generated: Literal[True] | None
    """True when it is ours and untouched. Null when that cannot be said; never false, for a mark can be lost."""
    mark: Literal["found", "none_found"]
    """`found` when it carries Content Credentials of anybody, else `none_found`."""
    integrity: Literal["untouched", "changed", "unknown"]
    """`untouched` when the file is what was signed or delivered, `changed` when its mark does not fit it, `unknown`
    without a mark. What the format leaves out of the signature, such as padding, does not count."""
    model: str | None
    """The model that the mark names."""
    sandbox: bool | None
    """Whether it is a preview that the sandbox drew, and no AI model; null when it is not ours."""
    source_type: str | None
    """What the mark says of how it was made, in IPTC's words: `trainedAlgorithmicMedia`, or
    `compositeWithTrainedAlgorithmicMedia` when pictures or videos went into it."""
    content_id: str | None
    """The SHA-256 of the video's id, in a mark of ours."""
    signed_by: str | None
    """Whom the signer's certificate names. Anybody may write anything there unless `ours` is true."""
    marked_at: int | None
    """When, in Unix seconds."""
    time_stamped: bool
    """Whether a time-stamping authority vouches for the time."""
    codes: tuple[str, ...]
    """What C2PA's validation found, in its own codes."""
    message: str
    """The same in a sentence."""


async def verify(file: Path, *, certificate: Certificate, db: Database, confine: Confine, owner: str = "") -> Verdict:
    """Look at a file of an `owner` and say what is known of it. Raises AppError 400 for one that cannot be read, 503
    when there is no place to look at it in time."""
    size, sha256 = await asyncio.to_thread(_weigh, file)
    delivered = await queries.delivered_as(db, sha256)
    seen = await look(file, await asyncio.to_thread(recognised, certificate), confine, owner)
    if isinstance(seen, Unreadable):
        if delivered is None:
            raise AppError("unreadable_file", param="file")
        seen = Seen()
    return judge(seen, delivered, sha256=sha256, size=size)


async def look(file: Path, known: Recognised, confine: Confine, owner: str = "") -> Seen | Unreadable:
    """What the file says of itself."""
    answer = await confine.run(
        _CHILD,
        msgspec.json.encode(Question(str(file), known)),
        seconds=_SECONDS,
        memory_bytes=_MEMORY,
        cpu_seconds=_CPU_SECONDS,
        file_bytes=0,
        read=[file],
        owner=owner,
    )
    return Unreadable() if isinstance(answer, Failure) else msgspec.json.decode(answer, type=Seen | Unreadable)


def judge(seen: Seen, delivered: Delivered | None, *, sha256: str, size: int) -> Verdict:
    """What follows from what was seen. A mark that does not fit its file proves nothing of the file."""
    mine = seen.ours or delivered is not None
    whole = delivered is not None or (seen.found and not seen.changed)
    basis: list[Literal["signature", "fingerprint"]] = []
    if seen.ours:
        basis.append("signature")
    if delivered is not None:
        basis.append("fingerprint")
    sandbox = seen.sandbox or (delivered is not None and delivered.sandbox)
    return Verdict(
        sha256=sha256,
        bytes=size,
        ours=mine,
        basis=tuple(basis),
        ai_generated=True if mine and whole else None,
        mark="found" if seen.found else "none_found",
        integrity="untouched" if whole else "changed" if seen.found else "unknown",
        model=seen.model or (delivered.model if delivered else None),
        sandbox=sandbox if mine else None,
        source_type=seen.source_type,
        content_id=seen.content_id,
        signed_by=seen.signed_by,
        marked_at=seen.marked_at,
        time_stamped=seen.time_stamped,
        codes=seen.codes,
        message=_sentence(seen, delivered, whole=whole) + (_PREVIEW if mine and whole and sandbox else ""),
    )


def _sentence(seen: Seen, delivered: Delivered | None, *, whole: bool) -> str:
    if delivered is not None:
        return "This is, byte for byte, a file that this service delivered: it is AI-generated."
    if seen.ours and whole:
        return "It carries this service's signature, and its content is as it was signed: it is AI-generated."
    if seen.ours:
        return (
            "It carries this service's signature, and its content is not what was signed: the file was changed, or the "
            "mark was taken from another."
        )
    if seen.found and whole:
        return (
            "It carries Content Credentials that this service did not sign. What they say is in the answer; this "
            "service does not vouch for it."
        )
    if seen.found:
        return "It carries Content Credentials that are damaged, or do not fit the file: nothing follows from them."
    return "No mark was found. That does not mean that it is not AI-generated: marks can be lost or removed."


def _weigh(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), sha256
