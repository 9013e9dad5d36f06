"""A real redis-server for a test, on a socket of its own: frozen, killed and started as the test says."""

import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from seedance_api.traffic.gcra import Quota, Standing
from seedance_api.traffic.redis_store import RedisStore
from stage import until

PROGRAM = shutil.which("redis-server")
LONG = 86_400.0
"""Seconds of a quota of which nothing comes back while a test runs."""


class Server:
    """A server in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._socket = folder / "redis"
        self._options = options
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it listens."""
        where = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._socket.parent)]
        self._process = subprocess.Popen([str(PROGRAM), *where, *self._options], stdout=subprocess.DEVNULL)
        until(self._listens, 20)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as one:
            return one.connect_ex(str(self._socket)) == 0

    def freeze(self) -> None:
        """It keeps its connections, and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, frozen or not."""
        self._process.kill()
        self._process.wait()


@contextmanager
def redis_server(*options: str) -> Iterator[Server]:
    """A server for a test, which is skipped where there is none."""
    if PROGRAM is None:
        pytest.skip("redis-server is not installed (on Debian: apt-get install redis-server)")
    # the address of a socket has 107 bytes at most: too few for pytest's folders
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = Server(Path(folder), *options)
        try:
            yield server
        finally:
            server.kill()


@asynccontextmanager
async def store(url: str) -> AsyncGenerator[RedisStore, None]:
    """A store in it, as each process has its own."""
    one = RedisStore(url)
    try:
        yield one
    finally:
        await one.close()


async def take(one: RedisStore, *wanted: tuple[str, Quota]) -> list[Standing]:
    """Count a request."""
    return await one.take(wanted)
