"""What the commands share: their options, and how they answer."""

import getpass
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from obstore.exceptions import BaseError as ObjectStoreError

from seedance_api.catalog.words import got
from seedance_api.foundation.db import UNREACHABLE
from seedance_api.foundation.money import parse_amount
from seedance_api.foundation.store_trouble import why_unusable
from seedance_api.foundation.unreachable import UnreachableError, reason_of

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DataDir = Annotated[Path | None, typer.Option(help="Data folder [default: ./data].")]
Reason = Annotated[str, typer.Option(help="Reason, shown in the ledger and on the customer's statement.")]
Author = Annotated[str | None, typer.Option(help="Who does this [default: your login name].")]


def amount_of(text: str, name: str = "AMOUNT") -> int:
    """An amount of a command line; a wrong one ends the command with exit code 2."""
    try:
        return parse_amount(text)
    except ValueError as error:
        fail(f"{name} {error}{got(text)}", 2)


def author_of(given: str | None) -> str:
    """Who does this. A name of the machine is better than none."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@contextmanager
def refusals() -> Generator[None]:
    """What the machine, the database or the object store refuses ends the command with a message.

    Everything else that is raised is a bug, and shows where.
    """
    try:
        yield
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except BrokenPipeError:  # whoever read our answer has enough of it
        raise
    except OSError as error:
        fail(reason_of(error) if isinstance(error, UnreachableError) else said_by_system(error), 1)
    except UNREACHABLE as error:
        fail(f"the connection to the database was lost: {reason_of(error)}", 1)
    except ObjectStoreError as error:
        fail(f"the object store cannot be used: {why_unusable(error)}. See SEEDANCE_STORAGE_URL", 1)


def said_by_system(error: OSError) -> str:
    """What the system says, and of which file."""
    text = error.strerror or str(error) or "it did not answer in time"
    return f"{error.filename}: {text}" if error.filename else text


def show(fields: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the answer, for a program or for a person."""
    print(msgspec.json.encode(fields).decode() if as_json else text)


def fail(message: str, code: int) -> NoReturn:
    """End the command with a message on standard error."""
    print(f"seedance-api: {message}", file=sys.stderr)
    raise typer.Exit(code)
