"""What tests run against: databases cloned from a migrated template, and running services."""

import asyncio
import json
import os
import signal
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx

import forkserver
from seedance_api.accounts import create, queries
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing.credit import credit as add
from seedance_api.foundation import installation
from seedance_api.foundation.db import Database
from seedance_api.foundation.migrations import migrate
from seedance_api.foundation.money import parse_amount
from seedance_api.generations.announce import announce_news

T = TypeVar("T")

PEPPER = "5e" * 32
_TEMPLATE = "seedance_template"
_LOCK = 0x7E57


class fresh_database:  # noqa: N801 used like a function
    """A clone of the migrated template, dropped at the end."""

    def __init__(self, postgres: str) -> None:
        self._postgres = postgres
        self._name = f"test_{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> str:
        asyncio.run(_execute(self._postgres, f'CREATE DATABASE "{self._name}" TEMPLATE {_TEMPLATE}'))
        return named(self._postgres, self._name)

    def __exit__(self, *_: object) -> None:
        asyncio.run(_execute(self._postgres, f'DROP DATABASE "{self._name}" WITH (FORCE)'))


def named(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    return url.replace("/postgres?", f"/{name}?")


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        # two clones of one template cannot be made at once
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(sql)
    finally:
        await connection.close()


async def make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _TEMPLATE):
            await connection.execute(f"CREATE DATABASE {_TEMPLATE}_making")
            await asyncio.to_thread(migrate, named(url, f"{_TEMPLATE}_making"))
            await connection.execute(f"ALTER DATABASE {_TEMPLATE}_making RENAME TO {_TEMPLATE}")
    finally:
        await connection.close()


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind((host, 0))
        return one.getsockname()[1]


LIMITED = ("READS", "WRITES", "CREATES", "UPLOADS", "ADDRESS")
"""What an account and an address may ask for in a minute: tests ask for more."""


class Service:
    """A running `seedance-api serve`, with a test key for one account."""

    def __init__(
        self, database_url: str, folder: Path, *, started: bool = True, port: int = 0, launcher: Sequence[str] = (),
        **settings: str,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.launcher = launcher
        """What goes before its command."""
        self.port = port
        self.webhook_port = 0
        """The one on 127.0.0.2 that webhooks may go to."""
        self.database_url = database_url
        self.environment = os.environ | {
            "SEEDANCE_DATABASE_URL": database_url,
            "SEEDANCE_DATA_DIR": str(folder / "data"),
            "SEEDANCE_PEPPER": PEPPER,
            "SEEDANCE_LEASE_SECONDS": "3",
            "SEEDANCE_DRAIN_SECONDS": "5",
            **{f"SEEDANCE_{name}_PER_MINUTE": "10000000" for name in LIMITED},
            "SEEDANCE_MAX_FAILED_KEYS": "1000000",
        } | {f"SEEDANCE_{name.upper()}": value for name, value in settings.items()}  # fmt: skip
        self.errors = folder / "stderr"
        if not started:  # for commands only
            if database_url:  # an embedded database is not there before the service is
                self._do(_nothing)
            return
        self.start()
        self.account = self.new_account()
        self.key = self.new_key()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.errors.open("ab") as errors:
            arguments = ["serve", "--port", str(self.port), "--json"]
            self.process = forkserver.start(arguments, self.environment, stderr=errors, launcher=self.launcher)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        self.url = json.loads(line)["url"]

    def command(self, *arguments: str) -> dict[str, Any]:
        """Run an operator's command."""
        done = forkserver.run([*arguments, "--json"], self.environment)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def new_account(self, email: str | None = None) -> dict[str, str]:
        """An account; by the command's own verb, for a command takes a second to start."""
        made = self._do(lambda db: create.create_account(db, email or f"{uuid.uuid4().hex[:8]}@example.org"))
        return {"id": made.id, "email": made.email}

    def new_key(self, mode: str = "test", email: str | None = None) -> str:
        """Another key."""
        mine, pepper = email or self.account["email"], bytes.fromhex(PEPPER)
        return self._do(lambda db: create.create_key(db, pepper, email=mine, mode=KeyMode(mode))).key

    def _do(self, verb: Callable[[Database], Awaitable[T]]) -> T:
        async def run() -> T:
            db = await Database.connect(self.database_url, max_connections=1)
            try:
                await installation.make(db, bytes.fromhex(PEPPER))
                return await verb(db)
            finally:
                await db.close()

        return asyncio.run(run())

    def credit(self, amount: str, email: str | None = None) -> None:
        """Money for the account."""

        async def credit(db: Database) -> None:
            account = await queries.account_by_email(db, email or self.account["email"])
            assert account is not None
            await add(db, account.id, parse_amount(amount), reason="a test", author="test", announce=announce_news)

        self._do(credit)

    def doctor(self) -> dict[str, Any]:
        """What `doctor --invariants` finds; it must be nothing."""
        done = forkserver.run(["doctor", "--invariants", "--json"], self.environment)
        found = json.loads(done.stdout)
        assert found["violations"] == 0, found
        assert done.returncode == 0
        return found

    def client(self, key: str | None = None) -> httpx.Client:
        """A plain HTTP client with the key."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def kill(self) -> None:
        """kill −9 of `serve`; what it started must die with it."""
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self) -> int:
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._close()
        return code

    def _close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()


async def _nothing(db: Database) -> None:
    """Only the installation is made."""


def until(condition: Callable[[], T], seconds: float = 60.0) -> T:
    """Wait for a condition, with a deadline; returns its truthy answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def finished(client: httpx.Client, video_id: str, seconds: float = 90.0) -> dict[str, Any]:
    """The video once it is in a final state."""

    def look() -> dict[str, Any] | None:
        video = client.get(f"/v1/videos/{video_id}").json()
        return video if video["status"] in ("completed", "failed", "canceled") else None

    found = until(look, seconds)
    assert isinstance(found, dict)
    return found
