"""What the commands print, and what they exit with."""

from __future__ import annotations

import math
import shutil
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias

import msgspec
import typer
from rich.console import Console, ConsoleDimensions
from rich.text import Text

from seedance.cli.advice import what_to_do
from seedance.client import Seedance
from seedance.errors import (
    APIError,
    ConfigurationError,
    ConnectionFailed,
    DownloadFailed,
    SeedanceError,
    UnexpectedAnswer,
    VideoFailed,
)

FAILED, USAGE, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


# Long enough for a service that is restarted or moved; what was begun by then is worth waiting for.
OUTAGE_SECONDS = 90
FOREVER = math.inf


@contextmanager
def session(
    as_json: bool, *, stdout_is_taken: bool = False, outage_seconds: float = 0
) -> Generator[tuple[Seedance, Output]]:
    """A client and an output; what goes wrong is printed and becomes an exit code. So long an outage is waited for."""
    out = Output(as_json, stdout_is_taken=stdout_is_taken, outage_seconds=outage_seconds)
    with out.reporting(), Seedance(outage_seconds=outage_seconds, on_outage=out.outage) as client:
        yield client, out


class Output:
    """Results on stdout, unless a file goes there; everything else on stderr."""

    def __init__(self, as_json: bool, *, stdout_is_taken: bool = False, outage_seconds: float = 0) -> None:
        self.as_json = as_json
        self.video_id: str | None = None
        self.fetching: str | None = None
        """The command that fetches the video later."""
        self._outage_seconds = outage_seconds
        self._outage = ""
        self.console = open_console(stderr=stdout_is_taken)
        self.notes = open_console(stderr=True)

    def json(self, data: Any) -> None:
        typer.echo(msgspec.json.encode(data).decode())

    def line(self, text: str, style: str = "") -> None:
        if self.console.is_terminal:
            self.console.print(Text(printable(text), style))
        else:
            # Rich would turn tabs into spaces.
            typer.echo(printable(text), err=self.console.stderr)

    def fact(self, name: str, value: str, style: str = "") -> None:
        """A named value; the name is kept in the background."""
        if self.console.is_terminal:
            self.console.print(Text.assemble((f"{name:<10} ", "dim"), (printable(value), style)))
        else:
            self.line(f"{name:<10} {value}")

    def note(self, text: str, style: str = "") -> None:
        if not self.as_json:
            self.notes.print(Text(printable(text), style))

    def outage(self, error: SeedanceError) -> None:
        """Say once for each reason what is being waited for."""
        reason = str(error).splitlines()[0]
        if reason != self._outage:
            self._outage = reason
            bound = "" if self._outage_seconds == FOREVER else f" for up to {self._outage_seconds:g} s"
            self.note(f"{reason}; trying again{bound}", "yellow")

    @contextmanager
    def reporting(self) -> Generator[None]:
        try:
            yield
        except SeedanceError as error:
            self._fail(error)
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            self.note("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            self._fail(error)
            raise typer.Exit(FAILED) from None

    def _fail(self, error: SeedanceError | OSError) -> None:
        if self.as_json:
            known = {"video_id": self.video_id} if self.video_id else {}
            self.json(as_data(error) | known)
            return
        first, *rest = in_words(error).splitlines() or [type(error).__name__]
        self.note(f"error: {first}", "bold red")
        for line in rest:
            self.note(line)
        for line in what_to_do(error):
            self.note(line)
        if self.fetching and not isinstance(error, VideoFailed):
            self.note(f"To fetch the video later: {self.fetching}")


def open_console(*, stderr: bool) -> Console:
    """Rich takes every dumb terminal to be 80 wide; it has a width like any other."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if console.is_dumb_terminal:
        console.size = ConsoleDimensions(*shutil.get_terminal_size())
    return console


def as_data(error: SeedanceError | OSError) -> dict[str, Any]:
    if isinstance(error, VideoFailed):
        return error.video.raw
    if isinstance(error, APIError):
        return {"error": error.to_dict()}
    return {"error": {"code": code_of(error), "message": in_words(error)}}


def in_words(error: SeedanceError | OSError) -> str:
    """What went wrong; of a file, which one."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def code_of(error: SeedanceError | OSError) -> str:
    name = type(error).__name__ if isinstance(error, SeedanceError) else "LocalFile"
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def exit_code(error: SeedanceError) -> int:
    if isinstance(error, ConfigurationError):
        return USAGE
    if isinstance(error, ConnectionFailed | DownloadFailed | UnexpectedAnswer):
        return UNREACHABLE
    return FAILED


def printable(text: str) -> str:
    """Without control characters: what a server or a prompt says must not steer the terminal."""
    return "".join(" " if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text)


def bytes_in_words(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
