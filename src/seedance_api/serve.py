"""Serve: the API processes and a worker, started, watched and stopped together."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from seedance_api.foundation.bind import listening_address
from seedance_api.foundation.process import DRAIN, connections_allowed

_RESTART_SECONDS = 1.0
_LOOP_SECONDS = 30.0
HEAD_BYTES = 32 * 1024
"""The longest head of a request. It is also what is read of a body at once, and kept in memory for a connection."""
HEAD_SECONDS = 30.0
"""Within which a head must have come: also how long a kept connection may be idle, and one that never asks may stay."""
_BACKLOG = 4096
LIVE_SANDBOX = "SEEDANCE_LIVE_SANDBOX is on: live keys get sandbox previews and are charged for them. For trials only."
_TO_STDERR = {name: {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"} for name in ("console", "access")}
"""Granian warns on standard output, which is for the one line of the command's answer."""
_log = structlog.get_logger()


def serve(
    application: str,
    *,
    host: str,
    port: int,
    workers: int,
    connections: int,
    drain_notice_seconds: float,
    drain_seconds: float,
    live_sandbox: bool,
    as_json: bool,
    supervisions: Sequence[Callable[[], None]] = (),
) -> None:
    """Run `module:function`, which makes an ASGI application, until SIGTERM or SIGINT. Port 0 takes a free one.

    Raises AddressError when it cannot listen there.

    `connections` are those of each API process; for `drain_notice_seconds` after SIGTERM they still answer while
    `/readyz` says that they are stopping; `supervisions` start to watch what else must run.
    """
    host, port = listening_address(host, port)
    allowed = connections_allowed(connections)
    # the API processes read the settings for themselves: what they are to know is what holds
    os.environ |= {"SEEDANCE_PORT": str(port), "SEEDANCE_CONNECTIONS": str(allowed)}
    shown = {"as_json": as_json, "live_sandbox": live_sandbox}
    announcer = threading.Thread(target=announce, args=(host, port), kwargs=shown, daemon=True)
    with WorkerProcess(drain_seconds) as worker:
        Server(
            application,
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            # of several streams on one connection nobody could say which of them has arrived
            http=HTTPModes.http1,
            workers=workers,
            loop=Loops.uvloop,
            factory=True,
            websockets=False,
            # what the kernel keeps ready until it is accepted; it takes no more than `net.core.somaxconn`
            backlog=_BACKLOG,
            # without it granian accepts as many as the backlog has, shared by the processes, and then nobody
            backpressure=allowed,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(HEAD_SECONDS * 1000), keep_alive=True, max_buffer_size=HEAD_BYTES
            ),
            log_level=LogLevels.warning,
            log_dictconfig={"handlers": _TO_STDERR},
            respawn_failed_workers=True,
            workers_kill_timeout=max(1, int(drain_seconds)),
        ).serve_and(announcer.start, worker.watch, *supervisions, notice_seconds=drain_notice_seconds)


class Server(MPServer):
    """Granian forks the API processes. A thread that holds a lock in that moment, such as that of a module which it is
    importing, leaves it locked for ever in the child; so no thread of ours runs before they are forked."""

    def serve_and(self, *afterwards: Callable[[], None], notice_seconds: float) -> None:
        """Serve; `afterwards` is called once the API processes are there."""
        self._afterwards = afterwards
        self._notice_seconds = notice_seconds
        self.respawned_wrks = Patience()
        self.serve()

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Granian's own step."""
        signal.signal(DRAIN, signal.SIG_IGN)  # inherited: an API process that still starts does not die of it
        super().startup(spawn_target, target_loader)  # pyright: ignore[reportUnknownMemberType] it has no types
        for call in self._afterwards:
            call()

    def shutdown(self, exit_code: int = 0) -> None:
        """Granian's own step, which waits for the requests under way: it has those answered that wait themselves."""
        for process in self.wrks:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(process.inner.pid, DRAIN)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        time.sleep(self._notice_seconds)  # they answer meanwhile, and say that they are not ready
        super().shutdown(exit_code)


class Patience(dict[int, float]):
    """When each API process was started again. Granian takes one that dies within 5.5 s for a crash loop and gives up.

    Somebody may kill one twice: only ten starts within half a minute are a loop, such as of one that cannot start.
    """

    def __init__(self) -> None:
        super().__init__()
        self._starts: deque[float] = deque(maxlen=10)

    def __setitem__(self, number: int, moment: float) -> None:
        self._starts.append(moment)
        super().__setitem__(number, moment)

    def get(self, number: int, default: float = 0.0) -> float:  # pyright: ignore[reportIncompatibleMethodOverride] its caller is Granian
        """The last start, which counts only in a loop."""
        starts = self._starts
        is_loop = len(starts) == starts.maxlen and starts[-1] - starts[0] < _LOOP_SECONDS
        return super().get(number, default) if is_loop else default


class WorkerProcess:
    """A worker as a child process. One that ends by itself is started again."""

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self._stopping = threading.Event()
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        return self

    def watch(self) -> None:
        """Start watching."""
        self._watcher.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._process.terminate()
        try:
            self._process.wait(self._drain_seconds + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._watcher.is_alive():
            self._watcher.join()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"SEEDANCE_PARENT": str(os.getpid())}
        return subprocess.Popen([sys.executable, "-m", "seedance_api", "worker"], env=environment)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self._process.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
            if self._stopping.is_set():
                return
            _log.error("worker.died", code=self._process.returncode)
            if not self._stopping.wait(_RESTART_SECONDS):
                self._process = self._start()
        # a worker that this thread has started is killed by the kernel when the thread ends, so it waits for its drain
        self._process.wait()


def announce(host: str, port: int, *, as_json: bool, live_sandbox: bool) -> None:
    """Say where it listens, once it answers."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    deadline = time.monotonic() + 60
    while not _is_ready(address):
        if time.monotonic() > deadline:
            _log.error("serve.not_ready", port=port)
            return
        time.sleep(0.05)
    if live_sandbox:
        _log.warning("serve.live_sandbox", reason=LIVE_SANDBOX)
    if as_json:
        fields = {"url": address, "base_url": f"{address}/v1", "pid": os.getpid(), "live_sandbox": live_sandbox}
        line = msgspec.json.encode(fields).decode()
    else:
        warning = f"\n  !! {LIVE_SANDBOX}\n" if live_sandbox else ""
        places = f"  API   {address}/v1\n  Docs  {address}/docs\n"
        line = f"\nSeedance API is ready.\n\n{places}{warning}\nStop it with Ctrl-C.\n"
    print(line, flush=True)  # noqa: T201 the command's answer


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310 our own address
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False
