"""Our programs, forked from a process that has imported them: an import takes a second, and the suite starts hundreds.

What runs is what `python -m seedance_api …` runs, in a process, session and environment of its own. Journeys, and
whatever is about the start itself, start it as people do.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

_OURS = ("SEEDANCE_", "TEST_")
_AT_IMPORT = frozenset({"SEEDANCE_KILL_POINTS"})
"""What is read when a module is imported."""
_MODULES = ("seedance_api.app.answer", "seedance_api.app.work", "seedance_api.serve", "seedance_api.cli")
_FILES = 5
"""What comes with a request: standard input, output and error, where the exit code goes, and the request itself."""


class Program:
    """A running program; as much of `subprocess.Popen` as tests use."""

    def __init__(self, pid: int, status: int, stdout: IO[Any] | None) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises TimeoutExpired."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._status, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            said = os.read(self._status, 16)
            os.close(self._status)
            assert said, "the fork server is gone"
            self.returncode = int(said)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that has imported everything."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=self._environment)
        atexit.register(self._end)

    def can(self, environment: Mapping[str, str]) -> bool:
        """Whether a program with this environment is no other for what was imported before."""
        others = {name: value for name, value in environment.items() if not name.startswith(_OURS)}
        return others == self._environment and not _AT_IMPORT & environment.keys()

    def start(
        self, arguments: list[str], environment: Mapping[str, str], stdout: int, stderr: int, cwd: Path | None = None
    ) -> tuple[int, int]:
        """The pid, and where the exit code can be read."""
        status, theirs = os.pipe()
        with Path(os.devnull).open("rb") as nothing:
            asked = {"arguments": arguments, "cwd": str(cwd or Path.cwd()), "environment": dict(environment)}
            with tempfile.TemporaryFile() as file:  # an environment may be longer than a packet
                file.write(json.dumps(asked).encode())
                file.seek(0)
                socket.send_fds(self._socket, [b"start"], [nothing.fileno(), stdout, stderr, theirs, file.fileno()])
        os.close(theirs)
        return int(self._socket.recv(16)), status

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()


def start(
    arguments: list[str], environment: Mapping[str, str], *, stderr: IO[Any], launcher: Sequence[str] = ()
) -> Any:
    """Start `seedance-api` with these arguments in a session of its own; its standard output is a pipe."""
    server = _running()
    if launcher or not server.can(environment):
        return subprocess.Popen(
            [*launcher, sys.executable, "-m", "seedance_api", *arguments],
            stdout=subprocess.PIPE, stderr=stderr, env=environment, start_new_session=True,
        )  # fmt: skip
    out, theirs = os.pipe()
    pid, status = server.start(arguments, environment, theirs, stderr.fileno())
    os.close(theirs)
    return Program(pid, status, os.fdopen(out, "rb"))


def run(
    arguments: list[str],
    environment: Mapping[str, str],
    *,
    text: bool = False,
    timeout: float | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[Any]:
    """Run `seedance-api` with these arguments to its end, as `subprocess.run` with `capture_output` does."""
    server = _running()
    command = [sys.executable, "-m", "seedance_api", *arguments]
    if not server.can(environment):
        return subprocess.run(
            command, capture_output=True, env=environment, check=False, text=text, timeout=timeout, cwd=cwd
        )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        program = Program(*server.start(arguments, environment, out.fileno(), err.fileno(), cwd), None)
        try:
            code = program.wait(timeout)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            raise
        said = [_whole(file) for file in (out, err)]
    given = [one.decode() for one in said] if text else said
    return subprocess.CompletedProcess(command, code, *given)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


@cache
def _running() -> ForkServer:
    return ForkServer()


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork what is asked for until nobody asks any more. Returns in a child, with what it was asked for."""
    selector = selectors.DefaultSelector()
    selector.register(connection, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not connection:
                _report(selector, key)
                continue
            said, files, *_ = socket.recv_fds(connection, 16, _FILES)
            if not said:
                return None
            stdin, stdout, stderr, status, question = files
            with os.fdopen(question, "rb") as file:
                asked = json.load(file)
            if (pid := os.fork()) == 0:
                _let_go(selector)
                connection.close()
                os.close(status)
                _become(asked, [stdin, stdout, stderr])
                return asked
            for one in (stdin, stdout, stderr):
                os.close(one)
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, status))
            connection.send(str(pid).encode())


def _let_go(selector: selectors.BaseSelector) -> None:
    """What the server knows of other programs is none of a child's: one that waits for them would wait for it too."""
    for key in [one for one in selector.get_map().values() if one.data is not None]:
        os.close(key.fd)
        os.close(key.data[1])
    selector.close()


def _report(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, status = key.data
    _, ended = os.waitpid(pid, 0)
    selector.unregister(key.fileobj)
    os.close(key.fd)
    with suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(status, str(os.waitstatus_to_exitcode(ended)).encode())
    os.close(status)


def _become(asked: dict[str, Any], files: list[int]) -> None:
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    sys.argv = ["seedance-api", *asked["arguments"]]


def _import_all() -> None:
    for name in _MODULES:
        module = importlib.import_module(name)
        for found in pkgutil.iter_modules(getattr(module, "__path__", ())):
            importlib.import_module(f"{name}.{found.name}")
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.path[:] = [place for place in sys.path if place != str(Path(__file__).parent)]
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        wanted = serve(asking)
    if wanted is not None:
        importlib.import_module("seedance_api.cli").main()
