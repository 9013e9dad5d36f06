"""Confined: the child of `confine.py`. It binds itself, loads the module, and only then looks at what it is given.

So there is no `preexec_fn`, which is unsafe in a process with threads (docs.python.org/3/library/subprocess.html); and
what the module needs of Python is loaded, and compiled, before the files are out of reach.
"""

import contextlib
import importlib
import json
import os
import resource
import sys
from pathlib import Path
from types import ModuleType
from typing import TypedDict

from seedance_api.foundation.process import die_with_parent
from seedance_api.foundation.restrict import restrict

EXIT_MEMORY, EXIT_NOT_STARTED = 86, 87
MAX_OPEN_FILES = 64


class Bounds(TypedDict):
    """What the child is, and what it may have. `parent` is the process that it ends with."""

    module: str
    parent: int
    nice: int
    memory_bytes: int
    cpu_seconds: int | None
    file_bytes: int | None
    read: list[str]
    write: list[str]
    ports: list[int]


def main(bounds: Bounds) -> None:
    """Bind this process, load the module, give up everything else, and become it."""
    try:
        module = _start(bounds)
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except (OSError, ValueError, ImportError):  # nothing that a stranger has sent is read yet
        os._exit(EXIT_NOT_STARTED)
    try:
        module.main()
    except MemoryError:
        os._exit(EXIT_MEMORY)


def _start(bounds: Bounds) -> ModuleType:
    _bind(bounds)
    module = importlib.import_module(bounds["module"])
    restrict(read=bounds["read"], write=bounds["write"], ports=bounds["ports"])
    if bounds["file_bytes"] is not None:
        _limit(resource.RLIMIT_FSIZE, bounds["file_bytes"])
    return module


def _bind(bounds: Bounds) -> None:
    os.nice(bounds["nice"])  # the event loops run first
    with contextlib.suppress(OSError):  # and if the machine runs out of memory, this is killed first
        Path("/proc/self/oom_score_adj").write_text("1000")
    die_with_parent(bounds["parent"])
    _limit(resource.RLIMIT_AS, bounds["memory_bytes"])
    if bounds["cpu_seconds"] is not None:
        _limit(resource.RLIMIT_CPU, bounds["cpu_seconds"], bounds["cpu_seconds"] + 1)
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    resource.setrlimit(kind, (soft, soft if hard is None else hard))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
