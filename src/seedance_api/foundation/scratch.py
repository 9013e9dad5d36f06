"""Scratch folders: one for each process, locked while it lives, removed by the next one to start when it is dead."""

import fcntl
import shutil
import tempfile
from pathlib import Path

_LOCK = "lock"


class Scratch:
    """A folder of this process. The kernel drops its lock when the process ends, however it ends."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (parent / _LOCK).open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)  # nobody clears away a folder that is just being made
            self.path = Path(tempfile.mkdtemp(dir=parent))
            self._held = (self.path / _LOCK).open("w")
            fcntl.flock(self._held, fcntl.LOCK_EX)
            for folder in parent.iterdir():
                if folder.is_dir() and folder != self.path and _is_abandoned(folder):
                    _remove(folder)

    def close(self) -> None:
        """Remove the folder."""
        _remove(self.path)
        self._held.close()


def _remove(folder: Path) -> None:
    """The lock goes last: by it the rest is known as ours, if we are killed here."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether a dead process of ours had it. Somebody else's folder has no lock of ours in it and stays.

    So does one whose process was killed before it had put its lock there; it is empty.
    """
    try:
        with (folder / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True
