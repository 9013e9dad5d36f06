"""Start the fake and steer it: for tests, demonstrations and benchmarks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

_TESTS = Path(__file__).parents[2]


class FakeArk:
    """A running fake. Options are those of the command line, with underscores: `FakeArk(speed=1000, rpm=0)`.

    True stands for a bare flag, False for its `--no-` form, a list for one that is repeated, a tuple for several
    values.
    """

    def __init__(self, *, key: str = "fake-ark-key", speed: float = 60.0, **options: object) -> None:
        self.key = key
        command = [sys.executable, "-m", "fakes.ark", "--with-parent", f"--key={key}", f"--speed={speed}"]
        for name, value in options.items():
            command += _arguments(f"--{name.replace('_', '-')}", value)
        paths = os.pathsep.join(part for part in (str(_TESTS), os.environ.get("PYTHONPATH")) if part)
        environment = os.environ | {"PYTHONPATH": paths}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the fake did not start; its exit code is {self.process.wait()}")
        told = json.loads(line)
        self.url: str = told["url"]
        """What the product's base URL is set to."""
        self.control: str = told["control"]
        self._client = _client(self.control)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def client(self, key: str | None = None) -> httpx.Client:
        """A plain client of the API, with the key."""
        return _client(self.url, {"Authorization": f"Bearer {key or self.key}"})

    def faults(self, *rules: dict[str, Any]) -> None:
        """Add rules."""
        self._do("POST", "/faults", list(rules))

    def clear_faults(self) -> None:
        """Take all rules away."""
        self._do("DELETE", "/faults")

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force, and how often each was met."""
        return self._do("GET", "/faults")

    def calls(self, on: str | None = None, limit: int = 1000) -> dict[str, Any]:
        """What was called: counts, statuses, times, bodies."""
        return self._do("GET", f"/calls?limit={limit}" + (f"&on={on}" if on else ""))

    def callbacks(self) -> list[dict[str, Any]]:
        """The callbacks that were sent, and how each was answered."""
        return self._do("GET", "/callbacks")

    def tasks(self, limit: int = 1000) -> list[dict[str, Any]]:
        """The tasks, the newest first."""
        return self._do("GET", f"/tasks?limit={limit}")

    def make(self, count: int = 1, **fields: object) -> list[str]:
        """Make tasks that nobody has asked for; returns their ids."""
        return self._do("POST", "/tasks", {"make": count, **fields})["ids"]

    def alter(self, *ids: str, **fields: object) -> list[str]:
        """Alter these tasks, or all."""
        return self._do("POST", "/tasks", {"ids": list(ids) or None, **fields})["ids"]

    def health(self) -> dict[str, Any]:
        """How many tasks there are, by state."""
        return self._do("GET", "/health")

    def reset(self) -> None:
        """Forget tasks, rules and calls."""
        self._do("POST", "/reset")

    def pause(self) -> None:
        """SIGSTOP: it accepts connections, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """kill −9."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self._reap()

    def _reap(self) -> None:
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._client.close()

    def _do(self, method: str, path: str, body: object = None) -> Any:
        response = self._client.request(method, path, json=body)
        if response.is_error:
            raise ValueError(response.text)
        return response.json()


def _client(url: str, headers: dict[str, str] | None = None) -> httpx.Client:
    """A client. It speaks plain HTTP only, and to load the certificates would take it a fifth of a second."""
    return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False, verify=False)


def _arguments(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [name if value else f"--no-{name[2:]}"]
    if isinstance(value, tuple):
        return [name, *(str(part) for part in value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] any values
    if isinstance(value, list):
        return [f"{name}={part}" for part in value]  # pyright: ignore[reportUnknownVariableType] any values
    return [f"{name}={value}"]
