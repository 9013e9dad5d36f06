"""The child: one render in a confined process of its own, so that it can be limited, and killed."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from seedance_api.foundation.confine import confined_child
from seedance_api.foundation.confined import Bounds
from seedance_api.providers.provider import Commission, Done, Failed
from seedance_api.providers.sandbox.order import make_job, outcome
from seedance_preview.job import Result

_ADDRESS_SPACE = 3 * 1024**3


class ChildDiedError(Exception):
    """The child ended without a result. Its text holds nothing of the customer's."""


async def render_in_child(
    commission: Commission, files: list[Path], room: Path, on_progress: Callable[[int], None]
) -> Done | Failed:
    """Render in `room`; the files are there afterwards. Cancelling this kills the child. Raises ChildDiedError."""
    job = make_job(commission, [file.name for file in files])
    await asyncio.to_thread(_write_private, room / "job.json", msgspec.json.encode(job))
    # at once, not in a thread: cancelled meanwhile it would be open, and nobody's to close
    with (room / "errors.txt").open("wb") as errors:
        async with confined_child(child_bounds(room), stderr=errors, folder=room) as child:
            await _follow(child, on_progress)
            code = await child.wait()
    if code != 0:
        raise ChildDiedError(f"exit code {code}: {await asyncio.to_thread(_last_line, room / 'errors.txt')}")
    result = msgspec.json.decode(await asyncio.to_thread((room / "result.json").read_bytes), type=Result)
    return outcome(commission, job, result)


def child_bounds(room: Path) -> Bounds:
    """What a render may have, for media of customers comes as it was sent; the deadline bounds its time."""
    return Bounds(
        module="seedance_preview.render",
        parent=os.getpid(),
        nice=5,
        memory_bytes=_ADDRESS_SPACE,
        cpu_seconds=None,
        file_bytes=None,
        read=[],
        write=[str(room)],
        ports=[],
    )


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


async def _follow(process: asyncio.subprocess.Process, on_progress: Callable[[int], None]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.strip().isdigit():
            on_progress(min(int(line), 99))


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""
