"""Where a download goes: a path, which appears only when whole, or an open file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias
from uuid import uuid4

from seedance.errors import DownloadFailed


class PathSink:
    """Writes beside the target and takes its name at the end."""

    def __init__(self, target: Path) -> None:
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a folder: name a file in it")
        self.path = str(target)
        self._target = target
        self._draft = target.with_name(f".{target.name}.{uuid4().hex[:12]}.part")
        self._file = self._draft.open("xb")

    def write(self, piece: bytes) -> None:
        self._file.write(piece)

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def commit(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._target)

    def abandon(self) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(FileNotFoundError):
            self._draft.unlink()


class FileSink:
    """Writes to an open binary file from where it stands, and leaves it open."""

    path = None

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell() if file.seekable() else None

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            # An unbuffered file may take less than it is given.
            rest = rest[self._file.write(rest) :]

    def restart(self) -> None:
        if self._start is None:
            raise DownloadFailed(
                "the download has to start over, and what was written to this stream cannot be taken back"
            )
        self._file.seek(self._start)
        self._file.truncate()

    def commit(self) -> None:
        self._file.flush()

    def abandon(self) -> None:
        pass


Sink: TypeAlias = PathSink | FileSink


def open_sink(to: str | Path | BinaryIO) -> Sink:
    return PathSink(Path(to)) if isinstance(to, str | Path) else FileSink(to)
