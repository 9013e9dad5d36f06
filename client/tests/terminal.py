"""Runs the command on a pseudo-terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time

SEEDANCE = [sys.executable, "-W", "error", "-m", "seedance.cli"]

# A process of its own forks onto the pseudo-terminal: forking this one, with its threads, could deadlock.
SPAWN = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def on_terminal(arguments, environment, folder, *, react=lambda output, said: None, exit_code=0, term="xterm") -> str:
    """Run the command on a pseudo-terminal; `react` answers what is printed so far."""
    child = subprocess.Popen(
        [sys.executable, "-c", SPAWN, *SEEDANCE, *arguments], cwd=folder, env=environment | {"TERM": term},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    output, said = b"", []
    while piece := os.read(child.stdout.fileno(), 65536):
        output += piece
        answer = react(output.decode(errors="replace"), said)
        if answer:
            said.append(answer)
            os.write(child.stdin.fileno(), answer)
    child.communicate(timeout=20)
    assert child.returncode == exit_code, output.decode()
    return output.decode()


def wait_for(condition, seconds=20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
