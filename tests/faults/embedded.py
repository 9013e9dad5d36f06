"""A service with an embedded database of its own, in its data folder."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stage import Service


class EmbeddedService(Service):
    """The service, whose database can be killed."""

    @property
    def postmaster(self) -> psutil.Process:
        """The server's first process."""
        return psutil.Process(int(self._pid_file().split()[0]))

    def kill_postgres(self) -> None:
        """kill −9 of the server."""
        os.kill(self.postmaster.pid, signal.SIGKILL)

    def introduce(self) -> None:
        """Make an account and a test key."""
        self.database_url = f"postgresql://postgres:@/postgres?host={self._pid_file().splitlines()[4]}"
        self.account = self.new_account()
        self.key = self.new_key()

    def _pid_file(self) -> str:
        return (self.folder / "data/postgres/postmaster.pid").read_text()


@contextmanager
def embedded_service(folder: Path, **settings: Any) -> Generator[EmbeddedService]:
    """Such a service below `folder`, which the database's own user must be able to reach."""
    service = EmbeddedService("", folder, started=False, **settings)
    service.environment.pop("SEEDANCE_DATABASE_URL")
    service.start()
    try:
        service.introduce()
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()
