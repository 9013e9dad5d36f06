"""Commands where there is no installation: they say where they looked, and make nothing."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

import forkserver
from stage import PEPPER, fresh_database, named

COMMANDS = [
    ["doctor"],
    ["doctor", "--invariants"],
    ["doctor", "--reconcile"],
    ["account", "create", "a@example.org"],
    ["key", "list", "--account", "a@example.org"],
    ["prices", "show"],
    ["upstream", "list"],
    ["collect", "--confirm"],
    ["migrate"],
    ["worker"],
]


class Done(NamedTuple):
    """How a command ended."""

    command: Sequence[str]
    code: int
    out: str
    errors: str


_RUN = """
import json, sys
from typer.testing import CliRunner
from seedance_api.cli import cli

for command in json.loads(sys.argv[1]):
    done = CliRunner().invoke(cli, command)
    print(json.dumps([command, done.exit_code, done.stdout, done.stderr + str(done.exception or "")]))
"""


def run(folder: Path, *commands: Sequence[str], **settings: str) -> list[Done]:
    """Run commands one after another, in one process: each would take a second to start."""
    done = start(folder, "-c", _RUN, json.dumps(commands), **settings)
    assert done.returncode == 0, done.stderr
    return [Done(*json.loads(line)) for line in done.stdout.splitlines()]


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A process with these settings and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEEDANCE_")}
    environment |= {f"SEEDANCE_{name.upper()}": value for name, value in settings.items()}
    if arguments[:2] == ("-m", "seedance_api"):
        return forkserver.run([*arguments[2:]], environment, text=True, timeout=180, cwd=folder)
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, env=environment, cwd=folder, check=False, timeout=180,
    )  # fmt: skip


@pytest.mark.parametrize("option", [(), ("--data-dir", "elsewhere")])
def test_in_an_empty_folder_every_command_says_where_it_looked(place: Path, option: tuple[str, ...]) -> None:
    commands = [[*one, *option] for one in (COMMANDS if not option else COMMANDS[:1])]
    for done in run(place, *commands):
        assert (done.code, done.out) == (1, ""), done
        assert str(place / (option[1] if option else "data") / "postgres") in done.errors, done
        assert "seedance-api init" in done.errors
    assert list(place.iterdir()) == []


def test_in_an_empty_database_too(postgres: str, place: Path) -> None:
    name = f"empty_{uuid.uuid4().hex[:12]}"
    asyncio.run(execute(postgres, f'CREATE DATABASE "{name}"'))
    url = named(postgres, name)
    try:
        secret = url.replace("postgres:@", "postgres:hunter2@")
        for done in run(place, *COMMANDS, database_url=secret):
            assert (done.code, done.out) == (1, ""), done
            assert f"the database {name} at" in done.errors, done
            assert "hunter2" not in done.errors
        assert list(place.iterdir()) == []
        tables = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'"
        assert asyncio.run(fetchval(url, tables)) == 0
        (done,) = run(place, ["doctor"], database_url=url.replace(name, "not_there"))
        assert done.code == 1
        assert "the database not_there at" in done.errors
        made = start(place, "-m", "seedance_api", "init", "--json", database_url=url)
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["store"] == str(place / "data/objects")
        (done,) = run(place, ["doctor", "--json"], database_url=url)
        assert json.loads(done.out)["ok"]
    finally:
        asyncio.run(execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)'))


def test_whoever_forgets_the_database_is_refused_and_begins_no_second_installation(postgres: str, place: Path) -> None:
    """The videos of a store that has a database: `serve` without SEEDANCE_DATABASE_URL took all of them for orphans."""
    with fresh_database(postgres) as url:
        made = start(place, "-m", "seedance_api", "init", "--json", database_url=url, pepper=PEPPER)
        assert made.returncode == 0, made.stderr
        video = place / "data/objects/content/vid_1/1/video.mp4"
        video.parent.mkdir(parents=True)
        video.write_bytes(b"x")
        before = set(place.rglob("*"))
        done = start(place, "-m", "seedance_api", "serve", "--port", "0", pepper=PEPPER)
        assert done.returncode == 1, done
        assert json.loads(made.stdout)["id"] in done.stderr
        assert str(place / "data/objects") in done.stderr
        assert str(place / "data/postgres") in done.stderr
        assert "Traceback" not in done.stderr
        assert set(place.rglob("*")) == before
        (place / "data/objects/installation.json").unlink()
        done = start(place, "-m", "seedance_api", "serve", "--port", "0", pepper=PEPPER)
        assert (done.returncode, "holds objects" in done.stderr) == (1, True), "nor with one of version 0.1.0"


OLDER = """
DO $$ BEGIN
    IF to_regclass('migration') IS NOT NULL THEN
        DELETE FROM migration WHERE name = '0009_installation';
    ELSE
        DELETE FROM _yoyo_migration WHERE migration_id = '0009_installation';
    END IF;
END $$
"""


def test_with_an_older_schema_a_command_asks_for_migrate_and_changes_nothing(database_url: str, place: Path) -> None:
    """The machines that still run the older version would be surprised."""
    asyncio.run(execute(database_url, "INSERT INTO installation (pepper_mark) VALUES ('x')"))
    asyncio.run(execute(database_url, OLDER))
    (done,) = run(place, ["account", "list"], database_url=database_url, pepper=PEPPER)
    assert done.code == 1
    assert "0009_installation" in done.errors
    assert "seedance-api migrate" in done.errors
    assert list(place.iterdir()) == []


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


async def fetchval(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()
