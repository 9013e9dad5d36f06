"""Look into what a customer sent, in a child process, and keep what is safe: images come back re-encoded.

The limits are the widest of any model in `catalog/limits.py`; a model's own are the catalogue's affair.
"""

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path

import msgspec

from seedance_api.catalog.limits import NAMES, WIDEST, files_taken
from seedance_api.catalog.misfit import A, check_size
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts
from seedance_api.foundation.confine import Confine, Failure
from seedance_api.references.sniff import HEAD_BYTES, Sniffed, name_other, sniff

MAX_BYTES = {kind: limits.max_bytes for kind, limits in WIDEST.items()}

CHILD = "seedance_api.references.decode"
READY = b"ready"  # its first line: until then no file can be to blame
# 36 megapixels, the most that is taken, are 144 MB in a decoder; four such pictures live at once at most.
CHILD_MEMORY_BYTES = 1536 << 20
CHILD_SECONDS, FILE_SECONDS = 20, 10
MAX_DEATHS = 4
FILES_OF_A_CHILD = 4
"""Then another's files have their turn."""


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has arrived and that nobody has looked into.

    `kind` is what it must be, None if any kind will do; `clean` is where a re-encoded image goes, by default
    beside the file.
    """

    path: Path
    bytes: int
    kind: Kind | None = None
    clean: Path | None = None


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """Fit for use. `path`, `sha256` and `facts` are the kept file's: for an image, the re-encoded one's."""

    kind: Kind
    path: Path
    sha256: str
    facts: Facts


class BadMedia(msgspec.Struct, frozen=True):
    """Unfit, and why, in words for the customer; neither an address nor a byte of the content is in them, only what was
    given in place of an address."""

    code: str
    message: str


class Work(msgspec.Struct, frozen=True):
    """What the child is told about one file; `image_bytes` is the most a re-encoded image may have."""

    path: str
    clean: str
    media_type: str
    image_bytes: int


class Found(msgspec.Struct, frozen=True, tag=True):
    """What the child answers about a file that will do."""

    sha256: str
    facts: Facts


class Refused(msgspec.Struct, frozen=True, tag=True):
    """What the child answers about a file that will not do."""

    code: str
    message: str


TOO_MUCH = Refused("media_too_complex", "the file takes too much time or memory to decode")
UNREADABLE = Refused("media_unreadable", "the file is damaged or cannot be decoded")
NO_ROOM = Refused("no_room", "our own disk is full")


async def inspect(staged: Sequence[Staged], *, confine: Confine, owner: str = "") -> list[Inspected | BadMedia]:
    """Inspect the files of one request of an `owner`, a few in a child; the answers stand in the order of the files.

    A file that kills its child is refused and the rest go to another, until `MAX_DEATHS`. A refused image
    leaves no clean file. Raises `OSError` when a file cannot be read or the disk is full, `RuntimeError` when no child
    can start, AppError 503 when there is no place for one in time.
    """
    known = await asyncio.gather(*(asyncio.to_thread(_recognise, file) for file in staged))
    todo = [at for at, sniffed in enumerate(known) if isinstance(sniffed, Sniffed)]
    works = [_work(staged[at], known[at]) for at in todo]
    answers: list[Found | Refused] = []
    deaths = 0
    while len(answers) < len(works) and deaths < MAX_DEATHS:
        some = works[len(answers) : len(answers) + FILES_OF_A_CHILD]
        given, died = await _one_child(some, confine, owner)
        answers += given
        deaths += died
    if NO_ROOM in answers:  # the files are not to blame
        raise OSError(errno.ENOSPC, NO_ROOM.message)
    answers += [_GIVEN_UP] * (len(works) - len(answers))
    answered = dict(zip(todo, answers, strict=True))
    return [_outcome(file, known[at], answered.get(at)) for at, file in enumerate(staged)]


def _recognise(file: Staged) -> Sniffed | BadMedia:
    """What a file is. Its bytes decide: what a server, a client or a name says of it is often wrong."""
    if file.bytes == 0:
        return BadMedia("media_unknown", "the file is empty (0 bytes)")
    with file.path.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    sniffed = sniff(head)
    if sniffed is None:
        found = name_other(head)
        given = f"the file is {found}, which is not supported" if found else "the file is of no supported kind"
        taken = f"{A[file.kind]} must be {files_taken(file.kind)}" if file.kind else f"send {files_taken()}"
        return BadMedia("media_unknown", f"{given}: {taken}")
    if file.kind is not None and file.kind is not sniffed.kind:
        given = f"the file is {A[sniffed.kind]} ({NAMES[sniffed.media_type]})"
        return BadMedia("media_kind", f"{given}: {A[file.kind]} is needed here, {files_taken(file.kind)}")
    return too_large(sniffed.kind, file.bytes) or sniffed


def too_large(kind: Kind, size: int) -> BadMedia | None:
    """The cap on a file of `size` bytes, before anything decodes it."""
    misfit = check_size(kind, size, MAX_BYTES[kind])
    return BadMedia(misfit.code, misfit.message) if misfit else None


def clean_path(file: Staged) -> Path:
    return file.clean or file.path.with_name(f"{file.path.name}.clean")


def _work(file: Staged, sniffed: Sniffed | BadMedia) -> Work:
    assert isinstance(sniffed, Sniffed)
    path, clean = file.path.resolve(), clean_path(file).resolve()
    return Work(str(path), str(clean), sniffed.media_type, MAX_BYTES[Kind.IMAGE] - 1)


async def _one_child(works: Sequence[Work], confine: Confine, owner: str) -> tuple[list[Found | Refused], bool]:
    """Answers from the first file on, and whether the child died: the last one is a refusal then."""
    seconds = CHILD_SECONDS + FILE_SECONDS * len(works)
    answer = await confine.run(
        CHILD,
        msgspec.json.encode(works),
        seconds=2 * seconds,
        memory_bytes=CHILD_MEMORY_BYTES,
        cpu_seconds=seconds,
        read=[work.path for work in works],
        write=[work.clean for work in works if work.media_type.startswith("image/")],
        owner=owner,
    )
    ready, *lines = (answer.partial if isinstance(answer, Failure) else answer).split(b"\n")[:-1] or [b""]
    if ready != READY:
        raise RuntimeError(f"the decoder does not start: {answer.kind if isinstance(answer, Failure) else 'mute'}")
    try:
        answers = [msgspec.json.decode(line, type=Found | Refused) for line in lines[: len(works)]]
    except msgspec.MsgspecError:  # no longer our program that writes
        return [UNREADABLE] * len(works), False
    died = len(answers) < len(works)
    if died:
        answers.append(_REFUSALS[answer.kind if isinstance(answer, Failure) else "crashed"])
    return answers, died


_GIVEN_UP = Refused("media_unreadable", "the file was not looked into: too many before it cannot be decoded")
_REFUSALS = {
    "timeout": TOO_MUCH,
    "cpu": TOO_MUCH,
    "memory": TOO_MUCH,
    "crashed": UNREADABLE,
    "answer_too_large": UNREADABLE,
    "killed": TOO_MUCH,
    "not_started": UNREADABLE,
}


def _outcome(file: Staged, sniffed: Sniffed | BadMedia, answer: Found | Refused | None) -> Inspected | BadMedia:
    if isinstance(sniffed, BadMedia):
        return sniffed
    clean = clean_path(file)
    if not isinstance(answer, Found):
        clean.unlink(missing_ok=True)
        refused = answer or UNREADABLE
        return BadMedia(refused.code, refused.message)
    path = clean if sniffed.kind is Kind.IMAGE else file.path
    return Inspected(kind=sniffed.kind, path=path, sha256=answer.sha256, facts=answer.facts)
