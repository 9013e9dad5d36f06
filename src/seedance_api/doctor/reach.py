"""Reach: tries, in a confined process, to open what no decoder may. A child of `confinement.py`."""

import os
import socket
import sys
from collections.abc import Sequence

import msgspec


def main() -> None:
    """Answer on standard output what was within reach."""
    paths = msgspec.json.decode(sys.stdin.buffer.read(), type=list[str])
    sys.stdout.buffer.write(msgspec.json.encode(reached(paths)))


def reached(paths: Sequence[str]) -> list[str]:
    """Those of these files and folders that can be opened, and `a socket`, if one can be made."""
    reachable = [path for path in paths if _opens(path)]
    try:
        socket.socket(socket.AF_UNIX).close()
    except OSError:
        return reachable
    return [*reachable, "a socket"]


def _opens(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True
