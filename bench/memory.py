"""The memory of a running server, as the operating system sees it."""

import threading
from types import TracebackType
from typing import Self

import psutil

from bench.stage import Server

MEBIBYTE = 1 << 20


def api_process(server: Server) -> psutil.Process:
    """The API's own process: granian's child, not the worker and not the parent that watches both."""
    for child in psutil.Process(server.process.pid).children():
        line = child.cmdline()
        if "worker" not in line and not any("resource_tracker" in part for part in line):
            return child
    raise RuntimeError("the API's process was not found")


def resident(process: psutil.Process) -> float:
    """Resident memory in MiB."""
    return process.memory_info().rss / MEBIBYTE


class Watch:
    """The most resident memory of a process while `with` lasts, looked at 50 times a second."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak = resident(process)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, resident(self._process))
