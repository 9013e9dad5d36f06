"""A module that tries: what a decoder that was taken over would do. It says of each attempt whether it came off."""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    given = json.load(sys.stdin)
    json.dump({name: _came_off(attempt) for name, attempt in attempts(given).items()}, sys.stdout)


def _came_off(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ValueError):  # ValueError: a limit that may not be lifted
        return False
    return True


def attempts(given: dict[str, str]) -> dict[str, Callable[[], object]]:
    return {
        "read its input": lambda: Path(given["input"]).read_bytes(),
        "write its output": lambda: Path(given["output"]).write_bytes(b"done"),
        "read the pepper": lambda: Path(given["pepper"]).read_bytes(),
        "read the marking key": lambda: Path(given["key"]).read_bytes(),
        "list the objects": lambda: list(Path(given["objects"]).iterdir()),
        "read /etc/shadow": lambda: Path("/etc/shadow").read_bytes(),
        "read its parent's environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "write beside its output": lambda: Path(given["output"]).with_name("beside").write_bytes(b""),
        "change our code": lambda: os.close(os.open(given["code"], os.O_WRONLY)),
        "empty another file": lambda: os.close(os.open(given["other"], os.O_RDONLY | os.O_TRUNC)),
        "cut another file": lambda: os.truncate(given["other"], 0),
        "delete another file": lambda: Path(given["other"]).unlink(),
        "open another file to all": lambda: Path(given["input"]).chmod(0o666),
        "reach the database's socket": lambda: _connect(socket.AF_UNIX, given["database"]),
        "reach an abstract socket": lambda: _connect(socket.AF_UNIX, "\0" + given["abstract"]),
        "reach 127.0.0.1": lambda: _connect(socket.AF_INET, ("127.0.0.1", int(given["port"]))),
        "send over UDP": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)),
        "run a shell": lambda: subprocess.run(["/bin/sh", "-c", ":"], check=True),
        "make a process": _fork,
        "signal its parent": lambda: os.kill(os.getppid(), signal.SIGURG),
        "trace": lambda: _call("ptrace", 0, 0, None, None),
        "read another's memory": lambda: _read_memory(os.getpid()),
        "make a namespace": lambda: _call("unshare", 0x10000000),
        "outlive its parent": lambda: _call("prctl", 1, 0, 0, 0, 0),
        "share memory": lambda: _call("shmget", 0, 4096, 0o1600),
        "lift its limits": lambda: resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096)),
    }


MAY = ("read its input", "write its output")


def _connect(family: int, address: Any) -> None:
    with socket.socket(family) as one:
        one.connect(address)


def _fork() -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


class _Piece(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("size", ctypes.c_size_t))


def _read_memory(pid: int) -> None:
    source, target = ctypes.create_string_buffer(b"secret"), ctypes.create_string_buffer(8)
    there, here = _Piece(ctypes.addressof(source), 6), _Piece(ctypes.addressof(target), 6)
    _call("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
