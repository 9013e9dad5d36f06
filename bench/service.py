"""A whole service of our own: `seedance-api serve` as an operator runs it, with live keys on the sandbox."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from bench.stage import PEPPER, Server, Stage, clean_environment, free_port


class Service:
    """A database, a data folder and a port of its own; it can be started and killed any number of times."""

    def __init__(self, stage: Stage, *, workers: int, **settings: str) -> None:
        url, data = stage.database()
        self.database_url = url
        self.data = data
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = stage.folder / "serve.log"
        self._folder = stage.folder
        self._workers = workers
        self.environment = clean_environment() | {
            "SEEDANCE_DATABASE_URL": url,
            "SEEDANCE_DATA_DIR": str(data),
            "SEEDANCE_PEPPER": PEPPER,
            "SEEDANCE_LOG_LEVEL": "warning",
            "SEEDANCE_LIVE_SANDBOX": "true",
        } | {f"SEEDANCE_{name.upper()}": value for name, value in settings.items()}  # fmt: skip
        self._server: Server | None = None
        stage.until_left(self.kill)

    def start(self) -> None:
        """Start it and wait until it answers."""
        port = self.url.rpartition(":")[2]
        command = [
            sys.executable, "-m", "seedance_api", "serve", "--port", port, "--workers", str(self._workers), "--json",
        ]  # fmt: skip
        self._server = Server(command, self.environment, self._folder, "serve")
        self._server.wait()

    @property
    def is_running(self) -> bool:
        """Whether `serve` itself runs."""
        return self._server is not None and self._server.process.poll() is None

    @property
    def gave_up(self) -> bool:
        """Whether `serve` has ended by itself."""
        return self._server is not None and self._server.process.poll() is not None

    def kill(self) -> None:
        """SIGKILL for `serve`; what it started must die with it, and is waited for."""
        if self._server is None:
            return
        family = self.children(recursive=True)
        self._server.process.kill()
        self._server.process.wait()
        if self._server.process.stdout is not None:
            self._server.process.stdout.close()
        self._server = None
        _, left = psutil.wait_procs(family, timeout=10)
        if left:
            names = ", ".join(f"{one.pid} {' '.join(words(one))}" for one in left)
            for one in left:
                one.kill()
            raise RuntimeError(f"these outlived `serve`: {names}")

    def stop(self) -> None:
        """SIGTERM for `serve`, as an operator stops it."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def children(self, *, recursive: bool = False) -> list[psutil.Process]:
        """The processes that `serve` started."""
        if self._server is None:
            return []
        try:
            return psutil.Process(self._server.process.pid).children(recursive=recursive)
        except psutil.Error:
            return []

    def apis(self) -> list[psutil.Process]:
        """The API's processes."""
        return [one for one in self.children() if (line := words(one)) and "serve" in line]  # forks have its words

    def worker(self) -> list[psutil.Process]:
        """The worker; nothing while there is none."""
        return [one for one in self.children() if words(one)[-1:] == ["worker"]]

    def command(self, *arguments: str) -> dict[str, Any]:
        """An operator's command. Raises RuntimeError with what it said when it refuses."""
        return self.ask(*arguments, codes=(0,))

    def ask(self, *arguments: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """The same for one whose exit code is an answer too."""
        done = subprocess.run(
            [sys.executable, "-m", "seedance_api", *arguments, "--json"],
            capture_output=True,
            env=self.environment,
            timeout=120,
            check=False,
        )
        if done.returncode not in codes or not done.stdout:
            raise RuntimeError(f"{' '.join(arguments[:2])}: {done.stderr.decode(errors='replace').strip()[-2000:]}")
        return json.loads(done.stdout)

    def doctor(self, accepted: Path | None = None) -> dict[str, Any]:
        """`doctor --invariants`."""
        more = ("--accepted", str(accepted)) if accepted else ()
        return self.ask("doctor", "--invariants", *more, codes=(0, 1))

    def account(self, email: str) -> tuple[str, str]:
        """A new account with a live key: the key and its id."""
        self.command("account", "create", email)
        made = self.command("key", "create", "--account", email, "--mode", "live")
        return made["key"], made["id"]


def words(process: psutil.Process) -> list[str]:
    """Its command line; nothing for one that is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill(process: psutil.Process) -> bool:
    """SIGKILL; False when it was gone already."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def violations(report: dict[str, Any]) -> list[str]:
    """What `doctor --invariants` found, a line each."""
    return [
        f"{one['name']}: {line}"
        for one in report["invariants"]
        for line in [*one["violations"], *([f"{one['count']} in all"] if one["count"] > len(one["violations"]) else [])]
    ]
