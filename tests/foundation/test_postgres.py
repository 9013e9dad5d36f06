"""The embedded PostgreSQL stops with its last user, however the others ended."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from faults.disks import fill, small_file_system
from seedance_api.foundation.disk import Ballast
from seedance_api.foundation.initdb import StartError
from seedance_api.foundation.postgres import _STARTS, Embedded  # pyright: ignore[reportPrivateUsage]
from stage import until


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the database's own user can reach; another run as root takes the way to pytest's from it."""
    with tempfile.TemporaryDirectory(prefix="seedance-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


USE = """
import sys, time
from pathlib import Path
from seedance_api.foundation.postgres import Embedded
with Embedded(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def use(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", USE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def end(process: subprocess.Popen[str], *, kill: bool = False) -> None:
    if kill:
        process.send_signal(signal.SIGKILL)
    process.communicate()


def running(folder: Path) -> bool:
    pid = folder / "postmaster.pid"
    if not pid.exists():
        return False
    try:
        os.kill(int(pid.read_text().split()[0]), 0)
    except (ProcessLookupError, IndexError):
        return False
    return True


def test_it_stops_with_its_last_user(place: Path) -> None:
    folder = place / "pg"
    one, two = use(folder), use(folder)
    end(one)
    assert running(folder)
    end(two)
    assert not running(folder)


def test_it_takes_the_connections_of_many_processes_whoever_is_first(place: Path) -> None:
    folder = place / "pg"
    with ThreadPoolExecutor() as pool:
        users = list(pool.map(use, [folder] * 3))
    for one in users[1:]:
        end(one)

    async def shown(url: str) -> str:
        connection = await asyncpg.connect(url)
        limit: str = await connection.fetchval("SHOW max_connections")
        await connection.close()
        return limit

    with Embedded(folder) as server:
        limit = asyncio.run(shown(server.url))
    end(users[0])
    assert limit == "500"
    assert (folder / "postgresql.auto.conf").read_text().count("max_connections") == 1
    assert not running(folder)


def test_a_killed_user_neither_stops_it_nor_keeps_it_for_ever(place: Path) -> None:
    folder = place / "pg"
    one = use(folder)
    end(one, kill=True)
    assert running(folder)
    end(use(folder))
    until(lambda: not running(folder), 10)


def ask(url: str, *statements: str) -> object:
    """The first value of the last one."""

    async def run() -> object:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            *before, last = statements
            for sql in before:
                await connection.execute(sql)
            return await connection.fetchval(last)
        finally:
            connection.terminate()

    return asyncio.run(run())


def answers(url: str) -> bool:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return ask(url, "SELECT 1") == 1
    return False


def kill(folder: Path) -> int:
    """kill −9 of the postmaster."""
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 5)
    return pid


def never() -> None:
    raise AssertionError("it was given up")


def test_a_killed_server_is_started_again_and_has_everything(place: Path) -> None:
    with Embedded(place / "pg") as server, Embedded(place / "pg") as other:
        for one in (server, other):  # two that notice at once
            one.supervise(never)
        ask(server.url, "CREATE TABLE kept AS SELECT 7 AS number")
        for _ in range(2):
            killed = kill(place / "pg")
            until(lambda: answers(server.url), 20)
            assert ask(server.url, "SELECT number FROM kept") == 7
            assert int((place / "pg/postmaster.pid").read_text().split()[0]) != killed
    assert not running(place / "pg")


def test_a_server_that_cannot_start_is_given_up_with_the_reason(place: Path) -> None:
    with Embedded(place / "pg") as server:
        given_up = threading.Event()
        ask(server.url, "CREATE TABLE private AS SELECT 'a prompt' AS text")
        with (place / "pg/postgresql.auto.conf").open("a") as file:
            file.write("max_connections = 0\n")
        server.supervise(given_up.set, starts=2, backoff_seconds=0.01)
        kill(place / "pg")
        assert given_up.wait(20)
        assert server.failure is not None
        assert "configuration file" in server.failure
        assert "prompt" not in server.failure
    assert _STARTS == 10


def test_a_stop_does_not_wait_for_a_server_that_is_being_started(place: Path) -> None:
    with Embedded(place / "pg") as server:
        with (place / "pg/postgresql.auto.conf").open("a") as file:
            file.write("max_connections = 0\n")
        server.supervise(never, backoff_seconds=60)
        kill(place / "pg")
        since = time.monotonic()
    assert time.monotonic() - since < 10


def test_a_pid_that_was_given_out_again_is_no_server(place: Path) -> None:
    """After a power cut the file of the server before names a pid that anybody may have now."""
    folder = place / "pg"
    with Embedded(folder):
        left = (folder / "postmaster.pid").read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "60"], user="pgserver" if os.geteuid() == 0 else None)
    try:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (folder / name).write_text("\n".join([str(stranger.pid), *left[1:]]) + "\n")
        with Embedded(folder) as server:
            assert answers(server.url)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_nobody_else_may_enter(place: Path) -> None:
    place.chmod(0o700)
    folder = place / ("d" * 100) / "pg"  # a socket's path is too long there
    with Embedded(folder) as server:
        assert answers(server.url)
        sockets = Path(server.url.partition("host=")[2])
        assert sockets.stat().st_mode & 0o777 == 0o700
        for path in (folder.parent, place):
            assert path.stat().st_mode & 0o066 == 0, path
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.with_name("pg.lock").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_does_not_keep_it_down(small_disk: Path) -> None:
    """The ballast makes room for its recovery, and is there again when there is room."""
    ballast = Ballast(small_disk / "ballast", 40 << 20)
    with Embedded(small_disk / "pg", ballast=ballast) as server:
        server.supervise(never, backoff_seconds=0.05)
        until((small_disk / "ballast").exists, 10)
        assert (small_disk / "ballast").stat().st_mode & 0o777 == 0o600
        filler = fill(small_disk)
        kill(small_disk / "pg")
        until(lambda: answers(server.url), 60)
        assert ask(server.url, "CREATE TABLE more AS SELECT 1 AS one", "SELECT one FROM more") == 1
        filler.unlink()
        assert ballast.keep()


def test_a_command_too_finds_room_in_the_ballast(small_disk: Path) -> None:
    ballast = Ballast(small_disk / "ballast", 40 << 20)
    with Embedded(small_disk / "pg", ballast=ballast):
        assert ballast.keep()
    fill(small_disk)
    with pytest.raises(StartError, match="does not start"), Embedded(small_disk / "pg"):
        pass
    with Embedded(small_disk / "pg", ballast=ballast) as server:
        assert answers(server.url)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 200 MB, half of which a new database takes."""
    with small_file_system("200m") as folder:
        yield folder


MAKES = """
import sys
from pathlib import Path
from seedance_api.foundation.postgres import Embedded

with Embedded(Path(sys.argv[1])):
    pass
"""


def test_one_that_is_killed_while_it_makes_the_database_leaves_nothing_in_the_way(place: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", MAKES, str(place / "pg")], start_new_session=True)
    until(lambda: list(place.glob("pg*/PG_VERSION")), 30)  # the first that initdb writes
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert not (place / "pg/PG_VERSION").exists()
    with Embedded(place / "pg") as server:
        assert ask(server.url, "SHOW max_connections") == "500"
    assert sorted(one.name for one in place.iterdir() if one.is_dir()) == ["pg"]


def test_a_folder_that_holds_something_else_is_named_and_left_alone(place: Path) -> None:
    (place / "pg").mkdir()
    (place / "pg/letters").write_text("dear")
    with pytest.raises(StartError, match="must be an empty folder"), Embedded(place / "pg"):
        pass
    assert (place / "pg/letters").read_text() == "dear"
