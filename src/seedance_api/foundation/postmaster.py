"""The PostgreSQL server of one data folder, whoever started it: is it there, start it, stop it.

A pid is believed only if the process that has it now is a server at work in the folder: pids are given out again.
"""

import hashlib
import os
import pwd
import select
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from seedance_api.foundation.initdb import USER, StartError, is_out_of_space, let_through, locked, run

_SOCKET = ".s.PGSQL.5432"
_MAX_SOCKET_PATH = 107  # unix(7)
_READY_SECONDS = 600.0
"""After a crash it replays its log before it answers."""
_ORPHAN_SECONDS = 10.0
_STOP_SECONDS = 60.0
_REASON_LINES, _REASON_BYTES = 4, 64 << 10


class Running(msgspec.Struct, frozen=True):
    """A server that is there; `ready` once it takes connections."""

    pid: int
    ready: bool
    socket_folder: str


class Postmaster:
    """The server of `folder`, an absolute path without symbolic links."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid_file = folder / "postmaster.pid"
        self._log = folder / "log"

    def running(self) -> Running | None:
        """The server, if it is there."""
        try:
            lines = self._pid_file.read_text().splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, IndexError, ValueError):  # half-written
            return None
        if not _works_in(pid, self._folder):
            return None
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        return Running(pid=pid, ready=ready, socket_folder=lines[4] if len(lines) > 4 else "")

    def start(self, stopping: threading.Event, relieve: Callable[[], object]) -> Running:
        """Return once it takes connections, or `stopping` is set. Raises StartError.

        `relieve` sees to it meanwhile that there is room. A server that finds none at the end of its recovery does not
        end: it begins to recover again, and again.
        """
        with locked(self._folder):  # several may notice at once that it is gone
            if self.running() is None:
                sockets = self._make_socket_folder()
                self._clear(sockets)
                size = self._log.stat().st_size if self._log.exists() else 0
                relieve()
                self._launch(sockets)
                if self.running() is None:
                    raise self._error(size)
            return self._wait(stopping, relieve)

    def stop(self) -> None:
        """Stop it, if it is there: fast, which ends every session, and at worst by force."""
        for number, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            with self.hold() as process:
                if process is None:
                    return
                signal.pidfd_send_signal(process, number)
                if is_over(process, seconds):
                    return

    @contextmanager
    def hold(self) -> Generator[int | None]:
        """A descriptor of the server's process, or None when it is not there. It never means another process."""
        found = self.running()
        try:
            process = None if found is None else os.pidfd_open(found.pid)
        except ProcessLookupError:
            process = None
        try:
            # the pid may have been given out again before we had a hold of it
            yield process if found is not None and self.running_pid() == found.pid else None
        finally:
            if process is not None:
                os.close(process)

    def running_pid(self) -> int | None:
        """The server's pid, if it is there."""
        found = self.running()
        return None if found is None else found.pid

    def _clear(self, sockets: Path) -> None:
        """Remove the lock files of a dead server. PostgreSQL would too, but it only looks whether the pid is taken:
        it may be by a stranger, or by the dead server itself where nobody reaps it.

        Its children end when they notice; the next server must not begin before, for they share its memory and files.
        """
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while any(
            _works_in(int(entry.name), self._folder) for entry in Path("/proc").iterdir() if entry.name.isdigit()
        ):
            if time.monotonic() > deadline:
                raise StartError("processes of the server before are still there")
            time.sleep(0.05)
        self._pid_file.unlink(missing_ok=True)
        (sockets / f"{_SOCKET}.lock").unlink(missing_ok=True)

    def _launch(self, sockets: Path) -> None:
        if USER is not None:
            let_through(self._folder)
        options = f"-h '' -k {sockets}"
        run("pg_ctl", "-w", "-t", "5", "-o", options, "-l", str(self._log), "-D", str(self._folder), "start")

    def _wait(self, stopping: threading.Event, relieve: Callable[[], object]) -> Running:
        deadline = time.monotonic() + _READY_SECONDS
        size = self._log.stat().st_size if self._log.exists() else 0
        while found := self.running():
            if found.ready or stopping.is_set():
                return found
            if time.monotonic() > deadline:
                raise StartError(f"it is not ready after {_READY_SECONDS:.0f} s")
            relieve()
            time.sleep(0.05)
        raise self._error(size)

    def _make_socket_folder(self) -> Path:
        """The data folder, or where its path is too long for a socket a folder that nobody else can enter either:
        the server asks nobody for a password."""
        if len(os.fsencode(self._folder / _SOCKET)) <= _MAX_SOCKET_PATH:
            return self._folder
        name = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"seedance-{name}"
        owner = pwd.getpwnam(USER).pw_uid if USER else os.geteuid()
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, owner, -1)
        found = folder.lstat()
        if found.st_uid != owner or found.st_mode & 0o777077 != 0o040000:
            raise StartError(f"{folder} is not ours alone")
        return folder

    def _error(self, log_size: int) -> StartError:
        reason = self._reason(log_size)
        out_of_space = is_out_of_space(self._folder, reason)
        return StartError(
            reason or ("the disk is full" if out_of_space else "no reason given"), out_of_space=out_of_space
        )

    def _reason(self, log_size: int) -> str:
        """The last lines of its log since then that tell of its end. Others may quote statements and values."""
        try:
            with self._log.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(log_size, end - _REASON_BYTES))
                lines = file.read(_REASON_BYTES).decode(errors="replace").splitlines()
        except OSError:
            return ""
        told = [text for line in lines for word in ("PANIC:", "FATAL:") if (text := line.partition(word)[2].strip())]
        return "; ".join(told[-_REASON_LINES:])


def is_over(process: int, seconds: float) -> bool:
    """Whether the process of this descriptor ends within so many seconds."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _works_in(pid: int, folder: Path) -> bool:
    """Whether this process is a PostgreSQL server, or a child of one, of this folder."""
    place = Path("/proc") / str(pid)
    try:
        return (place / "cwd").readlink() == folder and (place / "comm").read_text().strip() == "postgres"
    except OSError:  # it is gone, or it is another user's
        return False
