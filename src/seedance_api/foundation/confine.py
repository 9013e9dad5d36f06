"""Run a module in a child process that can neither grow, linger, dump its memory nor learn our secrets.

For decoders of what strangers send: a bomb or a hole in one costs a child, never the service. A child starts
in this very module (`main`), which binds the process before it imports what reads the request; so there is no
`preexec_fn`, which is unsafe in a process with threads (docs.python.org/3/library/subprocess.html).
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import runpy
import signal
import sys
from pathlib import Path
from typing import Literal

import msgspec

MAX_ANSWER_BYTES = 1 << 20
MAX_FILE_BYTES = 256 << 20
MAX_OPEN_FILES = 64

_EXIT_MEMORY, _EXIT_NOT_STARTED = 86, 87
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h


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
    """At most `slots` children at once; further calls wait for a place. One per event loop."""

    def __init__(self, *, slots: int) -> None:
        self._slots = asyncio.Semaphore(slots)

    async def run(
        self,
        module: str,
        request: bytes,
        *,
        seconds: float,
        memory_bytes: int,
        cpu_seconds: int,
        file_bytes: int = MAX_FILE_BYTES,
    ) -> bytes | Failure:
        """Give `request` to `python -m module` on stdin and return what it writes to stdout.

        `seconds` of wall clock count from the child's start; `memory_bytes` is address space, of which a
        Python with its decoders takes 200 MB before any work; `file_bytes` bounds each file it writes. The child
        dies with the thread that started it (prctl(2), PR_SET_PDEATHSIG): the loop's own, with asyncio as with uvloop.
        """
        limits = (str(os.getpid()), str(memory_bytes), str(cpu_seconds), str(file_bytes))
        async with self._slots:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-s", "-m", __name__, module, *limits),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # a traceback may quote the content
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )
            answer = bytearray()
            timed_out = False
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.gather(_send(child, request), _receive(child, answer))
                    await child.wait()
            except TimeoutError:
                timed_out = True
            finally:
                await _end(child)
        return _outcome(child.returncode, bytes(answer), timed_out=timed_out)


def _environment() -> dict[str, str]:
    """What an interpreter needs to find itself; nothing of ours, for settings hold keys and passwords."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


async def _send(child: asyncio.subprocess.Process, request: bytes) -> None:
    assert child.stdin is not None
    with contextlib.suppress(ConnectionError):  # it died first; its exit says why
        child.stdin.write(request)
        await child.stdin.drain()
    child.stdin.close()


async def _receive(child: asyncio.subprocess.Process, answer: bytearray) -> None:
    assert child.stdout is not None
    while chunk := await child.stdout.read(65536):
        answer += chunk[: MAX_ANSWER_BYTES + 1 - len(answer)]
        if len(answer) > MAX_ANSWER_BYTES:
            return _kill(child)
    return None


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
    if status == _EXIT_NOT_STARTED:
        return Failure("not_started", answer)
    return Failure("memory" if status == _EXIT_MEMORY else "crashed", answer)


def main(module: str, parent: str, memory_bytes: str, cpu_seconds: str, file_bytes: str) -> None:
    """The child: bind this process, then become `module`."""
    try:
        _bind(int(parent), int(memory_bytes), int(cpu_seconds), int(file_bytes))
    except (OSError, ValueError):
        os._exit(_EXIT_NOT_STARTED)
    sys.argv = [module]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except MemoryError:
        os._exit(_EXIT_MEMORY)
    except ImportError:  # nothing that a decoder reads makes one
        os._exit(_EXIT_NOT_STARTED)


def _bind(parent: int, memory_bytes: int, cpu_seconds: int, file_bytes: int) -> None:
    os.nice(10)  # the event loops run first
    with contextlib.suppress(OSError):  # and if the machine runs out of memory, this is killed first
        Path("/proc/self/oom_score_adj").write_text("1000")
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (_PR_SET_PDEATHSIG, signal.SIGKILL),
        (_PR_SET_DUMPABLE, 0),
        (_PR_SET_NO_NEW_PRIVS, 1),
    ):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before we could ask to die with it
        os._exit(1)
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
