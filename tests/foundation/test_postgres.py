"""The embedded PostgreSQL stops with its last user, however the others ended."""

import asyncio
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from seedance_api.foundation.postgres import Embedded
from stage import until

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


def test_it_stops_with_its_last_user(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    one, two = use(folder), use(folder)
    end(one)
    assert running(folder)
    end(two)
    assert not running(folder)


def test_it_takes_the_connections_of_many_processes_whoever_is_first(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
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


def test_a_killed_user_neither_stops_it_nor_keeps_it_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    one = use(folder)
    end(one, kill=True)
    assert running(folder)
    end(use(folder))
    until(lambda: not running(folder), 10)
