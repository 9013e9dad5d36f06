"""Parts of a media file: boxes, chunks and segments, and how they are read."""

from typing import BinaryIO, NamedTuple

MAX_PACKET = 1 << 20


class MalformedError(Exception):
    """The file's own structure does not add up."""


class Part(NamedTuple):
    """A box or a chunk: its kind, where it starts, where its content starts, where it ends."""

    kind: bytes
    start: int
    body: int
    stop: int


def read(file: BinaryIO, start: int, stop: int, max_bytes: int = MAX_PACKET) -> bytes:
    """These bytes of a file. Raises MalformedError where they cannot be what the file says."""
    if not 0 <= stop - start <= max_bytes:
        raise MalformedError
    file.seek(start)
    return file.read(stop - start)
