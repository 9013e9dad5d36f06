"""Run a module in a child process that can neither grow, linger, dump its memory nor learn our secrets.

For decoders of what strangers send: a bomb in one costs a child, never the service, and a hole in one opens the files
that the child was given, and nothing else. What binds the child is `confined.py`.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from seedance_api.foundation.confined import EXIT_MEMORY, EXIT_NOT_STARTED, Bounds
from seedance_api.foundation.fair_queue import FairQueue

MAX_ANSWER_BYTES = 1 << 20
MAX_FILE_BYTES = 256 << 20

_CHILD = "seedance_api.foundation.confined"


class Failure(msgspec.Struct, frozen=True):
    """The child gave no whole answer; `partial` is what it had written by then, never more than the cap."""

    kind: Literal["timeout", "cpu", "memory", "crashed", "answer_too_large", "killed", "not_started"]
    partial: bytes = b""

    @property
    def is_ours(self) -> bool:
        """Whether this says nothing of what the child was given.

        Our program is not whole, the kernel took the memory back, or the machine was too slow: what makes a decoder
        work for long meets the bound of its processor time first.
        """
        return self.kind in ("timeout", "killed", "not_started")


class Confine:
    """At most `slots` children at once; further calls wait for a place, in a `queue` that may say more of who waits.

    One per event loop.
    """

    def __init__(self, *, slots: int = 1, queue: FairQueue | None = None) -> None:
        self._queue = queue or FairQueue(slots)

    async def run(
        self,
        module: str,
        request: bytes,
        *,
        seconds: float,
        memory_bytes: int,
        cpu_seconds: int,
        file_bytes: int = MAX_FILE_BYTES,
        read: Sequence[str | Path] = (),
        write: Sequence[str | Path] = (),
        ports: Sequence[int] = (),
        owner: str = "",
    ) -> bytes | Failure:
        """Give `request` on stdin to `main` of a module, in a child, and return what it writes to stdout.

        `seconds` of wall clock count from the child's start; `memory_bytes` is address space, of which a
        Python with its decoders takes 200 MB before any work; `file_bytes` bounds each file it writes. It may open the
        files of `read` and `write`, which are made where they are not there yet, and connect to `ports`, over TCP. The
        child dies with the thread that started it (prctl(2), PR_SET_PDEATHSIG): the loop's own, with asyncio as with
        uvloop. `owner` is who waits for a place among others. Raises OSError when a file to write cannot be made, and
        what the queue raises.
        """
        bounds = Bounds(
            module=module,
            parent=os.getpid(),
            nice=10,
            memory_bytes=memory_bytes,
            cpu_seconds=cpu_seconds,
            file_bytes=file_bytes,
            read=[str(path) for path in read],
            write=[str(path) for path in write],
            ports=list(ports),
        )
        async with self._queue.place(owner):
            await asyncio.to_thread(_make, bounds["write"])
            answer = bytearray()
            timed_out = False
            async with confined_child(bounds, stdin=asyncio.subprocess.PIPE) as child:
                try:
                    async with asyncio.timeout(seconds):
                        await asyncio.gather(_send(child, request), _receive(child, answer))
                        await child.wait()
                except TimeoutError:
                    timed_out = True
        return _outcome(child.returncode, bytes(answer), timed_out=timed_out)


@asynccontextmanager
async def confined_child(
    bounds: Bounds,
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    stderr: int | BinaryIO = asyncio.subprocess.DEVNULL,  # a traceback may quote the content
    folder: Path = Path("/"),
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A child that runs `main` of a module in a folder, and is dead afterwards; its standard output is a pipe."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", _CHILD, json.dumps(bounds)),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env=_environment(),
        cwd=folder,
        start_new_session=True,  # Ctrl-C in a terminal is for the parent, which then decides
    )
    try:
        yield child
    finally:
        await _end(child)


def _make(files: Sequence[str]) -> None:
    """A file that is there can be opened for writing without leave to make others beside it."""
    for file in files:
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def _environment() -> dict[str, str]:
    """What an interpreter needs to find itself; nothing of ours, for settings hold keys and passwords.

    One thread for linear algebra, since one that ran before the restriction would be free; few memory arenas, since
    each takes of the address space.
    """
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


async def _send(child: asyncio.subprocess.Process, request: bytes) -> None:
    assert child.stdin is not None
    with contextlib.suppress(ConnectionError):  # it died first; its exit says why
        child.stdin.write(request)
        await child.stdin.drain()
    child.stdin.close()


async def _receive(child: asyncio.subprocess.Process, answer: bytearray) -> None:
    assert child.stdout is not None
    while chunk := await child.stdout.read(65536):
        fits = len(answer) <= MAX_ANSWER_BYTES
        answer += chunk[: MAX_ANSWER_BYTES + 1 - len(answer)]
        if fits and len(answer) > MAX_ANSWER_BYTES:
            _kill(child)  # and read on to the end: `wait` returns only when the pipe is empty


async def _end(child: asyncio.subprocess.Process) -> None:
    """Leave nothing behind: neither the child nor what it may have started, nor a half-read pipe."""
    _kill(child)
    assert child.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while await child.stdout.read(65536):
                pass
    await child.wait()


def _kill(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # its session's group; a group that is gone is no error


def _outcome(status: int | None, answer: bytes, *, timed_out: bool) -> bytes | Failure:
    if timed_out:
        return Failure("timeout", answer[:MAX_ANSWER_BYTES])
    if len(answer) > MAX_ANSWER_BYTES:
        return Failure("answer_too_large", answer[:MAX_ANSWER_BYTES])
    if status == 0:
        return answer
    if status == -signal.SIGXCPU:
        return Failure("cpu", answer)
    if status == -signal.SIGKILL:  # not by us: that is a timeout
        return Failure("killed", answer)
    if status == EXIT_NOT_STARTED:
        return Failure("not_started", answer)
    return Failure("memory" if status == EXIT_MEMORY else "crashed", answer)
