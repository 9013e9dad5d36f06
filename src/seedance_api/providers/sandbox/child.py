"""The child: one render in a process of its own, so that it can be limited, and killed."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from seedance_api.providers.provider import Commission, Done, Failed

Result = Done | Failed
_PATIENCE_SECONDS = 2.0
_log = structlog.get_logger()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is told, in `job.json`. `files` hold the commission's inputs, in their order."""

    commission: Commission
    files: tuple[str, ...]
    parent_pid: int


class ChildDiedError(Exception):
    """The child ended without a result. Its text holds nothing of the customer's."""


async def render_in_child(
    commission: Commission, files: list[Path], room: Path, on_progress: Callable[[int], None]
) -> Result:
    """Render in `room`; the files are there afterwards. Cancelling this kills the child. Raises ChildDiedError."""
    job = Job(commission=commission, files=tuple(file.name for file in files), parent_pid=os.getpid())
    await asyncio.to_thread(_write_private, room / "job.json", msgspec.json.encode(job))
    # at once, not in a thread: cancelled meanwhile it would be open, and nobody's to close
    errors = (room / "errors.txt").open("wb")
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "seedance_api.providers.sandbox.render",
            str(room),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which then decides
        )
    finally:
        errors.close()
    try:
        await _follow(process, on_progress)
        code = await process.wait()
    finally:
        await _end(process)
    if code != 0:
        raise ChildDiedError(f"exit code {code}: {await asyncio.to_thread(_last_line, room / 'errors.txt')}")
    return msgspec.json.decode(await asyncio.to_thread((room / "result.json").read_bytes), type=Result)


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _environment() -> dict[str, str]:
    """No secrets of ours, one thread for linear algebra, few memory arenas."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR", "LANG") if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


async def _follow(process: asyncio.subprocess.Process, on_progress: Callable[[int], None]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.strip().isdigit():
            on_progress(min(int(line), 99))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Terminate, and kill when that does not help."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _PATIENCE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        _log.warning("sandbox_child_killed", pid=process.pid)


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""
