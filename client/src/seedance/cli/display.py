"""Shows how far a video is: a live bar, plain lines, or nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from seedance.cli.output import Output, printable
from seedance.objects import Video


class Display(Protocol):
    """Told by the SDK's callbacks."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    def uploading(self, name: str, sent: int, total: int | None) -> None: ...
    def changed(self, video: Video) -> None: ...
    def downloading(self, received: int, total: int | None) -> None: ...


def open_display(out: Output) -> Display:
    if out.as_json:
        return Silence()
    return Bar(out.notes) if out.notes.is_terminal else Lines(out)


class Bar:
    """One live line: uploading → queued → in_progress % → downloading %."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[share]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task("preparing", total=None, share="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def uploading(self, name: str, sent: int, total: int | None) -> None:
        self._show(f"uploading {printable(name)}", sent, total)

    def changed(self, video: Video) -> None:
        if video.status == "in_progress":
            self._show(video.status, video.progress, 100)
        else:
            place = f", {video.queue_position} in the queue" if video.queue_position else ""
            self._show(video.status + place, None, None)

    def downloading(self, received: int, total: int | None) -> None:
        self._show("downloading", received, total)

    def _show(self, what: str, done: float | None, total: float | None) -> None:
        share = f"{100 * done / total:3.0f} %" if total and done is not None else ""
        # `update` leaves an omitted total as it was; only a reset makes the bar pulse again.
        if total is None:
            self._progress.reset(self._task, total=None, start=True, description=what, share=share)
        else:
            self._progress.update(self._task, description=what, completed=done, total=total, share=share)


class Lines:
    """A line for each step, for logs and pipes."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def uploading(self, name: str, sent: int, total: int | None) -> None:
        self._say(f"uploading {name} {in_tens(sent, total)}")

    def changed(self, video: Video) -> None:
        if video.status == "in_progress":
            self._say(f"{video.status} {in_tens(video.progress, 100)}")
        else:
            self._say(f"{video.status} {video.id}")

    def downloading(self, received: int, total: int | None) -> None:
        self._say(f"downloading {in_tens(received, total)}")

    def _say(self, line: str) -> None:
        if line != self._last:
            self._last = line
            self._out.note(line)


class Silence:
    """For --json."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def uploading(self, name: str, sent: int, total: int | None) -> None: ...
    def changed(self, video: Video) -> None: ...
    def downloading(self, received: int, total: int | None) -> None: ...


def in_tens(done: float, total: float | None) -> str:
    """Rough enough that a log is not flooded."""
    return f"{10 * int(10 * done / total)} %" if total else ""
