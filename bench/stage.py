"""The stage: a folder, an embedded PostgreSQL, databases with an account and a key, servers, and wrk."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg
import msgspec

from bench.figures import SkippedError
from seedance_api.accounts.create import create_account, create_key
from seedance_api.accounts.keys import KeyMode
from seedance_api.app.install import join
from seedance_api.billing.books import Books
from seedance_api.billing.credit import credit
from seedance_api.billing.limits import set_limits
from seedance_api.billing.rows import Period
from seedance_api.foundation import installation
from seedance_api.foundation.db import Database
from seedance_api.foundation.migrations import migrate
from seedance_api.foundation.money import MICRO
from seedance_api.foundation.postgres import Embedded
from seedance_api.generations.announce import announce_news
from seedance_api.settings import read

ROOT = Path(__file__).resolve().parent.parent
PEPPER = "5e" * 32
_START_SECONDS = 60
_MONEY = 1_000_000_000 * MICRO
_SCRIPT = Path(__file__).with_name("load.lua")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Load(msgspec.Struct, frozen=True):
    """What wrk saw."""

    requests: int
    seconds: float
    bytes: int
    errors: int
    mean_ms: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class Ground(msgspec.Struct, frozen=True):
    """A migrated database with one account and its keys, and a data folder.

    The account has more money than any run can spend; it and its live key have a limit for the day and for the month.
    """

    url: str
    data: Path
    account_id: str
    key_id: str
    key: str
    live_key_id: str
    live_key: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to serve from here."""
        return clean_environment() | {
            "SEEDANCE_DATABASE_URL": self.url,
            "SEEDANCE_DATA_DIR": str(self.data),
            "SEEDANCE_PEPPER": PEPPER,
            "SEEDANCE_LOG_LEVEL": "warning",
            "SEEDANCE_LIVE_SANDBOX": "true",
        }


class Server:
    """A running server, known by its address; `name` names its log file."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, name: str) -> None:
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=ROOT, start_new_session=True
            )

    def wait(self) -> str:
        """The address, once it answers."""
        assert self.process.stdout is not None
        alarm = threading.Timer(_START_SECONDS, self.process.kill)
        alarm.start()
        line = self.process.stdout.readline()
        alarm.cancel()
        if not line:
            raise RuntimeError(f"a server did not start: {self._log.read_text()[-2000:]}")
        self.url = json.loads(line)["url"]
        return self.url

    def stop(self) -> None:
        """Terminate, and kill what is left of its group."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Stage:
    """Everything is below one temporary folder and stops when the stage is left, however it is left."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.rounds = 2 if quick else 3
        self._grounds = 0
        self._stack = ExitStack()
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="seedance-bench-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)  # the embedded server runs as a user of its own when we are root
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def say(self, text: str) -> None:
        """A line of progress on standard error."""
        print(f"{time.monotonic() - self._started:6.1f} s  {text}", file=sys.stderr, flush=True)

    def seconds(self, full: float, quick: float) -> float:
        """How long to measure."""
        return quick if self.quick else full

    def postgres(self) -> str:
        """The embedded server, started by the first who asks."""
        if not hasattr(self, "_postgres"):
            self.say("starting the embedded PostgreSQL")
            self._postgres = self._stack.enter_context(Embedded(self.folder / "postgres"))
        return self._postgres.url

    def ground(self) -> Ground:
        """A database of its own for one part."""
        url, data = self.database()
        migrate(url)
        ground = asyncio.run(_make_ground(url, data))
        asyncio.run(join(read(ground.environment), makes=True))
        return ground

    def database(self) -> tuple[str, Path]:
        """An empty database of its own, and a folder."""
        server = self.postgres()
        self._grounds += 1
        name = f"bench_{self._grounds}"
        asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
        data = self.folder / name
        data.mkdir()
        return server.replace("/postgres?", f"/{name}?"), data

    def serve(self, ground: Ground) -> Server:
        """`seedance-api serve` as an operator runs it: one API process and a worker."""
        command = [sys.executable, "-m", "seedance_api", "serve", "--port", "0", "--json"]
        return self._begin(command, ground.environment, "serve")

    def serve_alone(
        self, target: str, ground: Ground | None = None, *, connections: int = 4096, **settings: str
    ) -> Server:
        """One application with the same web server's settings and no worker."""
        environment = (ground.environment if ground else clean_environment()) | settings
        command = [sys.executable, "-m", "bench.host", target, str(connections)]
        return self._begin(command, environment, target.partition(":")[0])

    def run(self, command: list[str], seconds: float, environment: dict[str, str] | None = None) -> str:
        """A program's output. It is killed when it takes longer than it may, or when we are stopped."""
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            env=environment or clean_environment(),
            check=False,
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {output[-2000:]}")
        return output

    def wrk(self, url: str, key: str, *arguments: str, connections: int, seconds: float) -> Load:
        """One run of wrk with one thread and keep-alive connections; an answer that is an error is none."""
        command = [
            tool("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s",
            "-H", f"Authorization: Bearer {key}", "-s", str(_SCRIPT), url, "--", *arguments,
        ]  # fmt: skip
        output = self.run(command, seconds + 30)
        load = msgspec.json.decode(output.split("RESULT ")[-1], type=Load)
        if load.errors or not load.requests:
            raise RuntimeError(f"wrk saw {load.errors} errors in {load.requests} requests")
        return load

    def until_left(self, callback: object, *arguments: object) -> None:
        """Call this when the stage is left."""
        self._stack.callback(callback, *arguments)  # type: ignore[arg-type]

    def _begin(self, command: list[str], environment: dict[str, str], name: str) -> Server:
        server = Server(command, environment, self.folder, name)
        self._stack.callback(_stop, server)
        server.wait()
        return server


def tool(name: str) -> str:
    """A program of the system. Raises SkippedError when it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise SkippedError(f"`{name}` is not installed (on Debian: apt-get install {name})")
    return found


def clean_environment() -> dict[str, str]:
    """Ours, without the settings of some other installation. Requests are counted as ever; one client may send many."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEEDANCE_")}
    limits = {
        f"SEEDANCE_{rate}_PER_MINUTE": "10000000" for rate in ("READS", "WRITES", "CREATES", "UPLOADS", "ADDRESS")
    } | {"SEEDANCE_MAX_PENDING": "10000000", "SEEDANCE_MAX_PENDING_TEST": "10000000"}
    return kept | limits | {"PYTHONPATH": str(ROOT)}


def _stop(server: Server) -> None:
    if server.process.returncode is None:
        server.stop()


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _make_ground(url: str, data: Path) -> Ground:
    db = await Database.connect(url, max_connections=2)
    try:
        pepper = bytes.fromhex(PEPPER)
        await installation.make(db, pepper)
        await Books(db).latest()
        account = await create_account(db, "bench@example.org")
        test = await create_key(db, pepper, email=account.email, mode=KeyMode.TEST)
        live = await create_key(db, pepper, email=account.email, mode=KeyMode.LIVE)
        await credit(db, account.id, _MONEY, reason="to measure with", author="bench", announce=announce_news)
        for subject in (None, live.id):
            await set_limits(db, account.id, subject, {Period.DAY: _MONEY, Period.MONTH: _MONEY})
        return Ground(url, data, account.id, test.id, test.key, live.id, live.key)
    finally:
        await db.close()
