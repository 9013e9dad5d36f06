"""Splice: read a file with bytes put in and left out, as one stream. Nothing of it is copied first."""

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Piece = bytes | range
"""Bytes of its own, or a range of those of the file below."""


class Spliced(io.RawIOBase):
    """These pieces, one after the other; to be read and sought in. The file below stays the caller's to close."""

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file = file
        self._pieces = [piece for piece in pieces if len(piece)]
        self._starts = [0, *accumulate(len(piece) for piece in self._pieces)]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            raise ValueError("before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        if self._at >= self._starts[-1]:
            return 0
        view = memoryview(buffer).cast("B")
        number = bisect_right(self._starts, self._at) - 1
        piece, at = self._pieces[number], self._at - self._starts[number]
        part = piece[at : at + len(view)]
        if isinstance(part, range):
            self._file.seek(part.start)
            part = self._file.read(len(part))
        view[: len(part)] = part
        self._at += len(part)
        return len(part)
