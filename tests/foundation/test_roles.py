"""Roles: each may do what it needs and no more, as PostgreSQL itself says, and the service needs its own alone."""

import ast
import asyncio
import io
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from PIL import Image

import forkserver
import test_table_owners as tables
from seedance_api.foundation import migrations
from seedance_api.foundation.db import Database
from seedance_api.foundation.migrations import SchemaError
from seedance_api.foundation.roles import AGGREGATES, ANALYTICS, API, GRANTS, grant, make_roles
from seedance_api.traffic.analytics import aggregate
from seedance_api.traffic.retain import RequestDays, retain_requests
from seedance_api.webhooks.retain import retain
from stage import Service, fresh_database
from traffic.usage import ask, make_accounts, moment

_VERBS = {
    "INSERT": re.compile(r"\bINSERT\s+INTO\s+([\w{}]+)", re.IGNORECASE),
    "DELETE": re.compile(r"\bDELETE\s+FROM\s+(?:ONLY\s+)?([\w{}]+)", re.IGNORECASE),
    "UPDATE": re.compile(r'(?<!DO )\bUPDATE\s+(?:ONLY\s+)?([\w{}]+)(?:\s+(?:AS\s+)?"?\w+"?)?\s+SET\b', re.IGNORECASE),
}
_UPSERT = re.compile(
    r"\bINSERT\s+INTO\s+(\w+)(?:(?!INSERT\s+INTO).)*?ON\s+CONFLICT[^;]*?DO\s+UPDATE", re.IGNORECASE | re.DOTALL
)
APPENDED = ("transfer", "price_book", "deletion", "event")


def execute(url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


@contextmanager
def user(postgres: str, group: str, url: str) -> Iterator[str]:
    """The URL of a database for a user of his own in a group, once the owner has granted the groups what they need."""

    async def prepare() -> None:
        connection = await asyncpg.connect(url)
        await make_roles(connection)
        await connection.close()

    asyncio.run(prepare())
    name = f"user_{uuid.uuid4().hex[:12]}"
    execute(postgres, f"CREATE ROLE {name} LOGIN IN ROLE {group}")
    try:
        yield url.replace("//postgres:@", f"//{name}:@")
    finally:
        execute(postgres, f"DROP ROLE {name}")


def refused(url: str, statements: list[str]) -> None:
    """Each of the statements is refused for want of a privilege."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        allowed: list[str] = []
        for statement in statements:
            try:
                await connection.execute(statement)
                allowed.append(statement)
            except asyncpg.InsufficientPrivilegeError:
                pass
        await connection.close()
        assert allowed == []

    asyncio.run(run())


def in_source() -> dict[str, set[str]]:
    """What our own SQL does to each table, besides reading it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for _, _, tree in tables.modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in tables._COPIES
            ):
                assert isinstance(node.args[0], ast.Constant)
                found[str(node.args[0].value)].add("INSERT")
                continue
            else:
                continue
            for verb, pattern in _VERBS.items():
                for name in pattern.findall(text):
                    found[name].add(verb)
            for name in _UPSERT.findall(text):
                found[name].add("UPDATE")
    return found


def test_every_table_has_its_grant_and_no_table_more_than_its_sql() -> None:
    """A new table without a grant fails here, and so does a grant that nothing uses."""
    assert GRANTS.keys() == tables.TABLES | {"ledger"}
    found = in_source()
    for rest in ("event_rest", "delivery_rest", "request_log_rest"):  # by `partitions.py`, whatever their name
        found[rest].add("DELETE")
    found["migration"] = set()  # the owner's
    for table, granted in GRANTS.items():
        if not table.startswith("pgqueuer"):  # whose SQL is the library's
            assert set(re.findall(r"[A-Z]+", granted)) == found[table], table


def test_P06_analytics_reads_the_aggregates_and_nothing_else(postgres: str) -> None:  # noqa: N802
    with fresh_database(postgres) as url, user(postgres, ANALYTICS, url) as theirs:
        execute(theirs, *(f"SELECT * FROM {table}" for table in AGGREGATES))
        columns = ("address FROM request_log", "email FROM account", "prompt FROM generation_input")
        refused(
            theirs,
            [
                *(f"SELECT {column}" for column in columns),
                *(f"SELECT FROM {table}" for table in GRANTS if table not in AGGREGATES),
                *(f"DELETE FROM {table}" for table in AGGREGATES),
                *(f"INSERT INTO {table} DEFAULT VALUES" for table in AGGREGATES),
                "SELECT drop_day('event', '2020-01-01')",
                "SELECT nextval('event_clock')",
                "CREATE TABLE mine (a int)",
            ],
        )


def test_the_service_changes_nothing_that_is_only_added_to(postgres: str) -> None:
    with fresh_database(postgres) as url, user(postgres, API, url) as theirs:
        refused(
            theirs,
            [
                *(f"DELETE FROM {table}" for table in (*APPENDED, "request_log", "account", "generation", "hold")),
                *(f"TRUNCATE {table}" for table in GRANTS if table != "ledger"),
                *(f"DROP TABLE {table} CASCADE" for table in APPENDED),
                "UPDATE transfer SET amount = 1",
                "UPDATE price_book SET text = ''",
                "UPDATE deletion SET reason = 'retention'",
                "UPDATE event SET data = '{}'",
                "UPDATE request_log SET status = 200",
                "INSERT INTO migration (name) VALUES ('9999')",
                "ALTER TABLE transfer DISABLE TRIGGER transfer_immutable",
                "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS ''",
                "CREATE TABLE mine (a int)",
                # nor by what the owner does for it
                "SELECT drop_day('event', (now() AT TIME ZONE 'UTC')::date - 5)",
                "SELECT drop_day('request_log', (now() AT TIME ZONE 'UTC')::date - 29)",
                "SELECT drop_day('transfer', '2020-01-01')",
                "SELECT make_day('transfer', '2020-01-01', 'a', 'b')",
            ],
        )


def test_the_service_keeps_days_and_counts_them_without_owning_a_table(postgres: str) -> None:
    async def use(url: str) -> None:
        db = await Database.connect(url, max_connections=2)
        try:
            today = await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
            await retain(db, 5)
            days = RequestDays(requests=30, addresses=7)
            await retain_requests(db, days)
            await db.execute("SELECT make_day('event', $1, 'evt_0', 'evt_00')", today.replace(year=today.year - 1))
            await db.execute("SELECT make_day('request_log', $1, 'req_0', 'req_00')", moment(today, -20 * 24).date())
            await retain(db, 5)
            await retain_requests(db, days)
            names = await db.fetch(
                "SELECT relname FROM pg_class WHERE relname ~ '^(event|delivery|request_log)_[0-9]{8}$'"
            )
            assert len(names) == 3 * 4 + 1
            accounts = await make_accounts(db, 5, moment(today, -30))
            await ask(db, accounts, moment(today, -30))
            await aggregate(db, 730)
            assert await db.fetchval("SELECT count(*) FROM analytics") == 2
        finally:
            await db.close()

    with fresh_database(postgres) as url, user(postgres, API, url) as theirs:
        asyncio.run(use(theirs))


def test_a_migration_grants_what_is_new_and_is_the_owners(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = migrations.shipped()
    late = migrations.Migration("9000_late", "CREATE TABLE late (a int)", "0" * 64)
    monkeypatch.setattr(migrations, "shipped", lambda: (*shipped, late))
    monkeypatch.setitem(GRANTS, "late", "INSERT")  # pyright: ignore[reportArgumentType] it is a dict
    with fresh_database(postgres) as url:
        execute(url, "CREATE TABLE late (a int)")
        with user(postgres, API, url) as theirs:
            execute(url, "DROP TABLE late")
            with pytest.raises(SchemaError, match="owner of the tables"):
                migrations.migrate(theirs)
            migrations.migrate(url)
            execute(theirs, "INSERT INTO late VALUES (1)")


def test_a_database_without_the_roles_is_granted_nothing(postgres: str) -> None:
    async def use(url: str) -> None:
        connection = await asyncpg.connect(url)
        await make_roles(connection)
        await grant(connection)  # again, and nothing changes
        sql = "SELECT relacl::text FROM pg_class WHERE relname = 'transfer'"
        assert "seedance_api=ar/" in await connection.fetchval(sql)
        await connection.close()

    with fresh_database(postgres) as url, fresh_database(postgres) as other:
        asyncio.run(use(url))
        assert migrations.migrate(other) == []
        refused_there(other)


def refused_there(url: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT relacl IS NULL FROM pg_class WHERE relname = 'transfer'")
        await connection.close()

    asyncio.run(run())


def test_the_command_makes_them_and_tells_who_may_not(postgres: str, tmp_path: Path) -> None:
    with fresh_database(postgres) as url:
        service = Service(url, tmp_path, started=False)
        assert service.command("roles") == {"roles": [API, ANALYTICS]}
        with user(postgres, API, url) as theirs:
            done = forkserver.run(["roles"], service.environment | {"SEEDANCE_DATABASE_URL": theirs})
        assert done.returncode == 1
        assert b"Use the owner of the tables" in done.stderr


def test_the_whole_service_runs_as_its_role(postgres: str, tmp_path: Path) -> None:
    """Uploaded, created, completed, downloaded, deleted; with an endpoint, money and the invariants."""
    with fresh_database(postgres) as url, user(postgres, API, url) as theirs:
        service = Service(theirs, tmp_path, live_sandbox="true")
        try:
            service.credit("10")
            for mode in ("test", "live"):
                journey(service, service.new_key(mode))
            service.doctor()
        finally:
            service.stop()
        assert "permission denied" not in service.errors.read_text()
        assert "InsufficientPrivilege" not in service.errors.read_text()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(file, "PNG")
    return file.getvalue()


def journey(service: Service, key: str) -> None:
    with service.client(key) as client:
        upload = client.post("/v1/files", files={"file": ("a.png", picture())})
        assert upload.status_code == 200, upload.text
        hook = {"url": "https://hooks.example.com/", "name": "mine", "event_types": ["*"]}
        endpoint = client.post("/v1/webhook_endpoints", json=hook)
        assert endpoint.status_code in (200, 201), endpoint.text
        order: dict[str, Any] = {"prompt": "A paper boat", "resolution": "480p", "duration": 4}
        order["images"] = [{"file_id": upload.json()["id"]}]
        made = client.post("/v1/videos", json=order, headers={"Idempotency-Key": uuid.uuid4().hex})
        assert made.status_code in (200, 201, 202), made.text
        video = made.json()["id"]
        wait_until(lambda: client.get(f"/v1/videos/{video}").json()["status"] == "completed")
        assert client.get(f"/v1/videos/{video}/content").status_code == 200
        assert client.delete(f"/v1/videos/{video}").status_code in (200, 204)
        assert client.get(f"/v1/videos/{video}").status_code in (404, 410)
        for place in (f"files/{upload.json()['id']}", f"webhook_endpoints/{endpoint.json()['id']}"):
            assert client.delete(f"/v1/{place}").status_code == 200
        wait_until(lambda: client.get("/v1/requests").json()["data"] != [])


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition, with a bound."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
