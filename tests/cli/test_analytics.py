"""Analytics on the command line: shown, written as Parquet, and left out where an account objects."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet

import forkserver
from seedance_api.foundation.db import Database
from seedance_api.traffic.analytics import aggregate
from stage import Service, fresh_database
from traffic.usage import ask, make_accounts, moment

EMAIL = "person@example.org"


@pytest.fixture(scope="module")
def counted(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, date]]:
    """An installation in which a day was counted."""
    with fresh_database(postgres) as url:
        service = Service(url, tmp_path_factory.mktemp("operators"), started=False)
        service.command("init")
        service.command("account", "create", EMAIL)

        async def use() -> date:
            db = await Database.connect(url, max_connections=2)
            day: date = await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date - 3")
            accounts = await make_accounts(db, 6, moment(day))
            for hour in (8, 9):
                await ask(db, accounts, moment(day, hour), times=hour)
            await aggregate(db, 730)
            await db.close()
            return day

        yield service, asyncio.run(use())


def run(service: Service, *arguments: str) -> tuple[int, str]:
    done = forkserver.run([*arguments], service.environment)
    return done.returncode, (done.stdout + done.stderr).decode()


def rows_of(file: Path) -> list[dict[str, Any]]:
    table = read_parquet(str(file)).read_all()
    names = table.column_names
    return [
        dict(zip(names, values, strict=True))
        for values in zip(*(table[name].to_pylist() for name in names), strict=True)
    ]


def test_what_was_counted_is_shown(counted: tuple[Service, date]) -> None:
    service, day = counted
    code, said = run(service, "analytics", "show")
    assert code == 0, said
    assert said.split() == [str(day), "requests", "GET", "/v1/models", "2xx", "102", "6", "accounts"]
    found = service.command("analytics", "show", "--grain", "hour", "--from", str(day), "--to", str(day))["cells"]
    assert [(cell["starts_at"][11:13], cell["count"]) for cell in found] == [("08", 48), ("09", 54)]
    code, said = run(service, "analytics", "show", "--measure", "funnel")
    assert code == 0
    assert said.startswith("Nothing was counted")


def test_an_export_has_a_row_for_each_count(counted: tuple[Service, date], tmp_path: Path) -> None:
    service, day = counted
    file = tmp_path / "use.parquet"
    file.write_text("an older one")
    file.chmod(0o640)
    said = service.command("analytics", "export", "-o", str(file), "--from", str(day - timedelta(days=400)))
    assert said == {"rows": 3, "file": str(file)}
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]
    expected = [("hour", 8, 48), ("day", 0, 102), ("hour", 9, 54)]
    got = {(row["grain"], row["starts_at"], row["count"]) for row in rows_of(file)}
    assert got == {(grain, moment(day, hour), count) for grain, hour, count in expected}
    assert {(row["measure"], row["value"], row["status_class"], row["livemode"]) for row in rows_of(file)} == {
        ("requests", "GET /v1/models", 2, None)
    }
    assert service.command("analytics", "export", "-o", str(file), "--grain", "hour")["rows"] == 2
    assert service.command("analytics", "export", "-o", str(file), "--to", "2020-01-05")["rows"] == 0
    assert rows_of(file) == []


def test_an_export_goes_to_standard_output_alone(counted: tuple[Service, date], tmp_path: Path) -> None:
    service, _ = counted
    done = forkserver.run(["analytics", "export", "-o", "-"], service.environment)
    assert done.returncode == 0, done.stderr
    (tmp_path / "piped").write_bytes(done.stdout)
    assert len(rows_of(tmp_path / "piped")) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "yesterday"), "--from must be a day, such as 2026-11-30"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "--from must not be behind --to"),
        (("--from", "0001-01-01"), "less than 3650 days apart"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(
    counted: tuple[Service, date], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, answer = run(counted[0], "analytics", "export", "-o", str(tmp_path / "x"), *arguments)
    assert (code, said in answer) == (2, True), answer
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_is_refused(counted: tuple[Service, date], tmp_path: Path) -> None:
    for target, said in ((tmp_path, "is a folder"), (tmp_path / "no" / "x", "does not exist")):
        code, answer = run(counted[0], "analytics", "export", "-o", str(target))
        assert (code, said in answer) == (2, True), answer


def test_an_export_that_fails_leaves_the_file_that_was_there(counted: tuple[Service, date], tmp_path: Path) -> None:
    service, _ = counted
    file = tmp_path / "use.parquet"
    file.write_text("an older one")
    nowhere = service.environment | {"SEEDANCE_PEPPER": "00" * 32}
    assert forkserver.run(["analytics", "export", "-o", str(file)], nowhere).returncode == 1
    assert file.read_text() == "an older one"
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_without_the_extra_says_how_to_install_it(counted: tuple[Service, date], tmp_path: Path) -> None:
    service, _ = counted
    (tmp_path / "arro3").mkdir()  # found before the installed one, and empty
    (tmp_path / "arro3" / "__init__.py").touch()
    bare = service.environment | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "seedance_api", "analytics", "export", "-o", str(tmp_path / "x")],
        env=bare, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "uv sync --extra analytics" in done.stderr
    shown = subprocess.run(
        [sys.executable, "-m", "seedance_api", "analytics", "show"], env=bare, capture_output=True, check=False
    )
    assert shown.returncode == 0  # and needs nothing of it


def test_an_account_objects_and_allows_again(counted: tuple[Service, date]) -> None:
    service, _ = counted
    assert service.command("account", "analytics", EMAIL)["analytics_objected_at"] is None
    since = service.command("account", "analytics", EMAIL, "--object")["analytics_objected_at"]
    assert since is not None
    assert service.command("account", "analytics", EMAIL, "--object")["analytics_objected_at"] == since
    assert run(service, "account", "analytics", EMAIL)[1].startswith("It objects")
    for _ in range(2):
        assert service.command("account", "analytics", EMAIL, "--allow")["analytics_objected_at"] is None

    async def excluded() -> bool:
        db = await Database.connect(service.database_url, max_connections=1)
        sql = "SELECT analytics_excluded @> $2::text::timestamptz FROM account WHERE email = $1"
        found = [
            await db.fetchval(sql, EMAIL, since),
            await db.fetchval("SELECT analytics_excluded @> now() FROM account WHERE email = $1", EMAIL),
        ]
        await db.close()
        return found == [True, False]

    assert asyncio.run(excluded())
    assert run(service, "account", "analytics", EMAIL, "--allow", "--object")[0] == 2
