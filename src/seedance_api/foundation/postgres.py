"""The embedded PostgreSQL 18: a folder of data, a Unix socket, no TCP port, nothing to install.

It runs as long as any of our processes uses it. Each holds a shared lock on one file, which the kernel drops when
the process ends, however it ends; the one that can turn its lock into an exclusive one was the last. Those that run
for long supervise it: whoever notices first that it is dead starts it again.
"""

import fcntl
import os
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from seedance_api.foundation.disk import Ballast

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says where it puts its lock file when XDG_RUNTIME_DIR is unset
    from seedance_api.foundation.initdb import StartError, initialise
    from seedance_api.foundation.postmaster import Postmaster, is_over

_STARTS = 10
"""So many starts in a row that fail, or that last less than `_STEADY_SECONDS`, and it is given up."""
_STEADY_SECONDS = 30.0
_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 0.25, 15.0
_LOOK_SECONDS = 0.5
_BALLAST_SECONDS = 10.0
_log = structlog.get_logger()


class Embedded:
    """A use of the embedded server: `with Embedded(folder) as postgres: postgres.url`. Raises StartError.

    `ballast` is let go when it needs room to start. `on_start` is called first when it is not there yet, for starting
    it takes a while.
    """

    def __init__(
        self, folder: Path, *, ballast: Ballast | None = None, on_start: Callable[[], None] | None = None
    ) -> None:
        self._folder = folder.resolve()
        self._server = Postmaster(self._folder)
        self._ballast = ballast
        self._on_start = on_start
        self._stopping = threading.Event()
        self._supervisor: threading.Thread | None = None
        self._reason = "it dies again and again"
        self.failure: str | None = None
        """Why supervision gave up."""

    def __enter__(self) -> Self:
        self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = self._folder.with_name(self._folder.name + ".lock")
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.fchmod(self._lock, 0o600)
            if self._on_start is not None and self._server.running() is None:
                self._on_start()
            initialise(self._folder)
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # waits while the last user is stopping the server
            found = self._start()
        except BaseException:
            os.close(self._lock)
            raise
        self.url = f"postgresql://postgres:@/postgres?host={found}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.join()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else still uses it
        else:
            self._server.stop()
        finally:
            os.close(self._lock)

    def supervise(
        self, give_up: Callable[[], None], *, starts: int = _STARTS, backoff_seconds: float = _BACKOFF_SECONDS
    ) -> None:
        """Start it again whenever it dies, in a thread, until the use ends.

        After so many starts in a row that failed, or did not last, `failure` says why and `give_up` is called, in
        that thread.
        """
        self._supervisor = threading.Thread(
            target=self._supervise, args=(give_up, starts, backoff_seconds), name="postgres", daemon=True
        )
        self._supervisor.start()

    def _supervise(self, give_up: Callable[[], None], max_starts: int, backoff_seconds: float) -> None:
        starts = 0
        while not self._stopping.is_set():
            since = time.monotonic()
            self._wait_for_its_end()
            if time.monotonic() - since >= _STEADY_SECONDS:
                starts = 0
            if starts == max_starts:
                self.failure = f"the embedded PostgreSQL is given up after {max_starts} starts: {self._reason}"
                _log.error("postgres.given_up", reason=self._reason, starts=max_starts)
                give_up()
                return
            pause = min(backoff_seconds * 2**starts, _MAX_BACKOFF_SECONDS) if starts else 0.0
            if not self._stopping.wait(pause):
                starts += 1
                self._restart(starts)

    def _restart(self, starts: int) -> None:
        _log.error("postgres.died", starts=starts)
        try:
            self._start()
        except (StartError, OSError) as error:
            self._reason = str(error)
            _log.error("postgres.start_failed", reason=self._reason, starts=starts)
        else:
            self._reason = "it dies again and again"
            _log.warning("postgres.started_again", starts=starts)

    def _start(self) -> str:
        """Start it unless it is there; returns the folder of its socket. Raises StartError."""
        try:
            return self._server.start(self._stopping, self._relieve).socket_folder
        except StartError as error:
            if not error.out_of_space or self._ballast is None or not self._ballast.release():
                raise
        return self._server.start(self._stopping, self._relieve).socket_folder

    def _relieve(self) -> None:
        if self._ballast is not None:
            self._ballast.relieve()

    def _wait_for_its_end(self) -> None:
        """Return when the server is dead, or our use ends."""
        look_at = time.monotonic()
        with self._server.hold() as process:
            while process is not None and not is_over(process, 0) and not self._stopping.wait(_LOOK_SECONDS):
                if self._ballast is not None and time.monotonic() >= look_at:
                    look_at = time.monotonic() + _BALLAST_SECONDS
                    self._ballast.keep()
