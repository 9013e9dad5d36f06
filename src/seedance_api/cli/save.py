"""Save a file that a command makes: it appears under its name only when it is whole."""

import os
import stat
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from seedance_api.cli.answer import fail

STDOUT = Path("-")


@contextmanager
def saving(path: Path, option: str) -> Generator[IO[bytes]]:
    """The file to write to: `-` is standard output. One that was there stays until the new one is whole.

    Ends the command where no file can be made there.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(os.path.realpath(path))  # a symbolic link stays
    if target.is_dir():
        fail(f"{option} {path} is a folder: name a file in it", 2)
    if not target.parent.is_dir():
        fail(f"{option} {path} cannot be made: the folder {path.parent} does not exist", 2)
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):  # a pipe or a device
        with target.open("wb") as file:
            yield file
        return
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        with draft.open("xb") as file:
            if target.exists():  # nobody reads the new one who could not read the old
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
