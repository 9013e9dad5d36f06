"""Where a download goes: a file, which appears only when whole; anything else that has a name; or an open file."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias
from uuid import uuid4

from seedance.errors import DownloadFailed

STDOUT = "-"


class PathSink:
    """Writes beside the target and takes its name at the end. A file that was there keeps its mode and its owner.

    A symbolic link stays: what it leads to is what is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path: str | None = str(path)
        self._target = Path(os.path.realpath(path))
        self._draft = self._target.with_name(f".{self._target.name}.{uuid4().hex[:12]}.part")
        mode = 0o666 if found(self._target) is None else 0o600  # nobody reads the new one who could not read the old
        with naming(path):
            self._file = os.fdopen(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode), "wb")

    def write(self, piece: bytes) -> None:
        with naming(self.path):
            self._file.write(piece)

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def commit(self) -> None:
        with naming(self.path):
            self._file.flush()
            self._take_after(found(self._target))
            os.fsync(self._file.fileno())
            self._file.close()
            self._draft.replace(self._target)

    def _take_after(self, old: os.stat_result | None) -> None:
        if old is None:
            return
        if not stat.S_ISREG(old.st_mode):  # somebody has put it there while we were downloading
            raise FileExistsError(errno.EEXIST, "is not a regular file any more", str(self._target))
        if hasattr(os, "fchown"):
            with suppress(PermissionError):
                os.fchown(self._file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(self._file.fileno(), old.st_mode & 0o777)

    def abandon(self) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(FileNotFoundError):
            self._draft.unlink()


class FileSink:
    """Writes to an open binary file from where it stands, and leaves it open."""

    path: str | None = None

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._written = 0

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        with naming(self.path or _name_of(self._file)):
            while rest:
                # An unbuffered file may take less than it is given.
                count = self._file.write(rest)
                self._written += count
                rest = rest[count:]

    def restart(self) -> None:
        if not self._written:
            return
        if not self._file.seekable():
            raise DownloadFailed(
                "the download has to start over, and what was written to this stream cannot be taken back"
            )
        # Reckoned from the end: a file that is appended to does not stand where it is written.
        self._file.flush()
        self._file.seek(self._file.tell() - self._written)
        self._written = 0
        if not is_device(self._file):
            self._file.truncate()

    def commit(self) -> None:
        with naming(self.path or _name_of(self._file)):
            self._file.flush()

    def abandon(self) -> None:
        pass


class DeviceSink(FileSink):
    """Writes straight into a device or a named pipe. A pipe waits for its reader."""

    def __init__(self, path: Path) -> None:
        with naming(path):
            super().__init__(os.fdopen(os.open(path, os.O_WRONLY | _BINARY | _NO_TERMINAL), "wb", buffering=0))
        self.path = str(path)

    def commit(self) -> None:
        self._file.close()

    def abandon(self) -> None:
        with suppress(OSError):
            self._file.close()


_BINARY = getattr(os, "O_BINARY", 0)
_NO_TERMINAL = getattr(os, "O_NOCTTY", 0)
Sink: TypeAlias = PathSink | FileSink


def open_sink(to: str | Path | BinaryIO) -> Sink:
    """The sink for a path, for an open file, or for standard output, whose name is `-`. Raises OSError."""
    if not isinstance(to, str | Path):
        return FileSink(to)
    if str(to) == STDOUT:
        return FileSink(sys.stdout.buffer)
    path = Path(to)
    check_target(path)
    there = found(path)
    return PathSink(path) if there is None or stat.S_ISREG(there.st_mode) else DeviceSink(path)


def check_target(path: Path) -> None:
    """Find out what can be known before anything is downloaded. Raises OSError that says what is wrong."""
    there = found(path)
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if there is not None and stat.S_ISSOCK(there.st_mode):
        raise OSError(f"{path} is a socket, which cannot be written to: name a file, a pipe or a device")
    if there is not None and not stat.S_ISREG(there.st_mode):
        if not may(path, os.W_OK):
            raise PermissionError(f"{path} may not be written to")
        return
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder if path.is_symlink() else path.parent} does not exist")
    if not may(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"no file may be made in the folder {folder}: name a file in another one")


@contextmanager
def naming(path: str | Path | None) -> Generator[None]:
    """An OSError says of which file it is: a write that fails does not know, and the draft's name means nothing."""
    try:
        yield
    except OSError as error:
        if path is None or error.errno is None or error.strerror is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def _name_of(file: BinaryIO) -> str | None:
    if file is getattr(sys.stdout, "buffer", None):
        return "standard output"
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else None


def found(path: Path) -> os.stat_result | None:
    """What is at the path, or at the end of its links; None when there is nothing."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def is_device(file: BinaryIO) -> bool:
    """Whether it is a file of the system that is not a regular one, and so has no length to cut."""
    try:
        return not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (OSError, io.UnsupportedOperation, AttributeError):
        return False
