"""Processes: that must not outlive the one that started them, that have many files open, that are forked."""

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable

import structlog

DRAIN = signal.SIGUSR1
"""Tells an API process that SIGTERM is about to come: what only waits is answered, so that nothing is in its way."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OWN_FILES = 512
_MIN_CONNECTIONS = 64
_log = structlog.get_logger()


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent ends, however it ends.

    `parent` is the process id expected; when that one is gone already, this process ends at once.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def end_process() -> None:
    """Have this process end in its ordinary way, draining first. From any thread."""
    os.kill(os.getpid(), signal.SIGTERM)


def allow_open_files() -> None:
    """Take as many open files as this user may have: each download and each webhook under way needs two or three.

    Many systems begin with 1024, for programs that still use `select`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_allowed(wanted: int) -> int:
    """How many connections an API process may have: each may need two files more, for what is sent over it."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(_MIN_CONNECTIONS, min(wanted, (files - _OWN_FILES) // 3))
    if allowed < wanted:
        _log.warning("serve.few_connections", wanted=wanted, allowed=allowed, open_files=files)
    return allowed


def apart(work: Callable[[], int], seconds: float) -> int:
    """Do something in a fork of this process and return its exit code; 1 when it has not ended in time.

    It may start threads, as the object store's library does: this process has none then, and may fork again.
    """

    def run() -> None:
        try:
            sys.exit(work())
        except KeyboardInterrupt:  # the terminal tells it too, and its parent says so
            sys.exit(130)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(seconds)
    if child.is_alive():
        child.kill()
        child.join()
        return 1
    return child.exitcode or 0
