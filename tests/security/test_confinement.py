"""What runs confined reaches nothing but the files it was given, and whoever is not confined reaches all of it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import seedance_api
from security.tries import MAY, attempts
from seedance_api.foundation import landlock, seccomp
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.restrict import missing

TRIES = "security.tries"
pytestmark = pytest.mark.skipif(bool(missing()), reason=f"this kernel lacks {missing()}")
NAMES = list(attempts({}))


@pytest.fixture
def given(postgres: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An installation's things, each where it really is or as it really is."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "objects").mkdir()
    files = {name: tmp_path / "secrets" / name for name in ("pepper", "key")}
    files |= {name: tmp_path / name for name in ("input", "other")}
    for file in files.values():
        file.write_bytes(b"secret")
        file.chmod(0o600)
    host = parse_qs(urlsplit(postgres).query)["host"][0]
    abstract = f"seedance-{os.getpid()}-{tmp_path.name}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind("\0" + abstract)
        hidden.listen()
        yield {name: str(file) for name, file in files.items()} | {
            "objects": str(tmp_path / "objects"),
            "output": str(tmp_path / "output"),
            "code": seedance_api.__file__,
            "database": f"{host}/.s.PGSQL.5432",
            "abstract": abstract,
            "port": str(server.getsockname()[1]),
        }  # fmt: skip


def confined(given: dict[str, str], *, ports: tuple[int, ...] = ()) -> dict[str, bool]:
    answer = asyncio.run(
        Confine(slots=1).run(
            TRIES, json.dumps(given).encode(), seconds=30, memory_bytes=1 << 30, cpu_seconds=10,
            read=[given["input"]], write=[given["output"]], ports=ports,
        )
    )  # fmt: skip
    assert isinstance(answer, bytes), answer
    return json.loads(answer)


@pytest.fixture
def path_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)


@pytest.mark.usefixtures("path_of_tests")
def test_a_module_that_tries_reaches_nothing_but_its_own_files(given: dict[str, str]) -> None:
    assert confined(given) == {name: name in MAY for name in NAMES}
    assert Path(given["output"]).read_bytes() == b"done"
    assert Path(given["other"]).read_bytes() == b"secret"


@pytest.mark.usefixtures("path_of_tests")
def test_who_asks_for_the_time_reaches_that_port_and_no_other(given: dict[str, str]) -> None:
    port = int(given["port"])
    more = {"reach 127.0.0.1", "send over UDP"}  # names are looked up over UDP
    assert confined(given, ports=(port,)) == {name: name in {*MAY, *more} for name in NAMES}
    with socket.create_server(("127.0.0.1", 0)) as another:
        other = given | {"port": str(another.getsockname()[1])}
        assert confined(other, ports=(port,))["reach 127.0.0.1"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may do all of it")
def test_the_same_module_unconfined_comes_off_with_everything(given: dict[str, str]) -> None:
    """So the attempts are real ones."""
    assert free(f"import {TRIES} as it; it.main()", given) == dict.fromkeys(NAMES, True)


HALVES = {
    "landlock": "landlock.restrict(read=READ, write=WRITE)",
    "seccomp": "seccomp.restrict(connects=False)",
}
FILES = {"read the pepper", "read the marking key", "list the objects", "write beside its output"}
KERNEL = {"make a process", "trace", "reach the database's socket", "share memory"}


@pytest.mark.parametrize("half", HALVES)
def test_each_half_holds_where_the_kernel_has_not_the_other(given: dict[str, str], half: str) -> None:
    Path(given["output"]).touch()
    prepare = (
        "import ctypes, os, sys; from seedance_api.foundation import landlock, seccomp\n"
        f"import {TRIES} as it; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)\n"  # no new privileges
        f"READ, WRITE = [{given['input']!r}, *sys.path], [{given['output']!r}]\n"
    )
    came_off = {name for name, did in free(f"{prepare}{HALVES[half]}\nit.main()", given).items() if did}
    lost, held = (FILES, KERNEL) if half == "seccomp" else (KERNEL, FILES)
    assert lost <= came_off
    assert not held & came_off


def free(code: str, given: dict[str, str]) -> dict[str, bool]:
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(given).encode(), capture_output=True, env=environment, check=True
    )
    return json.loads(done.stdout)


def test_both_are_here() -> None:
    assert (landlock.abi() >= landlock.COMPLETE, seccomp.is_available()) == (True, True)
