"""Small file systems that tests may fill."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_file_system(size: str) -> Iterator[Path]:
    """A file system of its own, of so many bytes, such as `24m`; the test is skipped where nobody lets us mount."""
    with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
        Path(folder).chmod(0o711)  # the database's own user passes
        place = Path(folder) / "disk"
        place.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            pytest.skip("needs the right to mount a tmpfs: run as root, with CAP_SYS_ADMIN")
        place.chmod(0o711)
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Take all that is free but so many bytes; called again, also what was freed since."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    if leave:
        with filler.open("r+b") as file:
            file.truncate(filler.stat().st_size - leave)
    return filler
