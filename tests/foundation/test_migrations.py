"""What is applied once, by one process, and told apart from what was changed, is missing or is newer."""

import asyncio
import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import asyncpg
import pytest

from foundation.older import build, empty_schema, states
from seedance_api.doctor.installation import of_schema
from seedance_api.foundation import migrations
from seedance_api.foundation.migrations import SchemaError
from seedance_api.foundation.schema import Difference
from seedance_api.foundation.standing import Applied, Migration, judge
from stage import Service, named

RELEASED = {
    "0001_jobs": "63373861961d2a3cc29fcf2c45d20751d7e2c193d7aac2fd91b01da8b85fb936",
    "0002_accounts": "2d41fccee6b6c769751f57006a9391f16affac9949dc870e5d0790d2074608e3",
    "0003_generations": "1ef0373700ab9f72448ba5d70535932025afede4b87087ba12f9a767c8901aa2",
    "0004_billing": "c8bd8a3e148ed3afbffd4790d021dd64d462bb68e8b428c49f43485f02c36276",
    "0005_lighter_creates": "dd0cad16091792b407a2a4a5c5c997cd2012871d92dc67eebd589feb665a7788",
    "0006_upstreams": "5db782ca37cb536e7435ff94e941619b0ef84c8e2052387dcdc27893587c7b79",
    "0007_delivery": "3b72e6562ab0b5fde8c2b75060ae640754e919b6a7286d594db29f1035ab6c12",
    "0008_shared_objects": "f879eefa544acfebb79900a24f55bb604258edef8f350b091ad0028072cb1584",
}
"""The digests of what was released. Never change one: write a new migration, and add it here when it is released."""


def sql(url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_released_migrations_stay_as_they_are() -> None:
    now = {one.name: one.digest for one in migrations.shipped()}
    assert {name: now.get(name) for name in RELEASED} == RELEASED


def test_a_digest_is_that_of_the_text() -> None:
    for one in migrations.shipped():
        assert one.digest == hashlib.sha256((migrations.FOLDER / f"{one.name}.sql").read_bytes()).hexdigest()


def test_several_processes_may_migrate_at_once(postgres: str) -> None:
    sql(postgres, "CREATE DATABASE migrated_together")
    url = named(postgres, "migrated_together")
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(migrations.migrate(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sql(postgres, "DROP DATABASE migrated_together")
    every = sorted(path.stem for path in migrations.FOLDER.glob("*.sql"))
    assert sorted(name for names in applied for name in names) == every


FILES = tuple(Migration(name, "", f"digest of {name}") for name in ("0001_a", "0002_b", "0003_c"))


def applied(*names: str, digest: str | None = None, release: str | None = None) -> dict[str, Applied]:
    return {name: Applied(name, digest or f"digest of {name}", release) for name in names}


def test_what_is_not_applied_yet_is_pending_even_before_what_is() -> None:
    assert judge(FILES, {}).pending == ("0001_a", "0002_b", "0003_c")
    standing = judge(FILES, applied("0001_a", "0003_c"))
    assert standing.pending == ("0002_b",)
    assert standing.conflict is None


def test_a_newer_database_is_told_with_the_version_that_it_needs() -> None:
    standing = judge(FILES, applied("0001_a", "0002_b", "0003_c") | applied("0004_d", release="7.1.0"))
    assert standing.newer == ("0004_d",)
    assert "0004_d" in (standing.conflict or "")
    assert "Install version 7.1.0 or later" in (standing.conflict or "")


def test_a_missing_and_a_changed_migration_are_named() -> None:
    missing = judge(FILES, applied("0001_a", "0002_other", "0002_b", "0003_c"))
    assert missing.missing == ("0002_other",)
    assert "0002_other" in (missing.conflict or "")
    changed = judge(FILES, applied("0001_a", "0003_c") | applied("0002_b", digest="of another text"))
    assert changed.changed == ("0002_b",)
    assert "0002_b" in (changed.conflict or "")
    unknown = judge(FILES, {"0001_a": Applied("0001_a", None, None)})
    assert unknown.conflict is None, "what version 0.1.0 applied has no digest"


UNFIT = {
    "newer": (
        "INSERT INTO migration VALUES ('9999_later', 'd', '9.9.9')",
        ["9999_later", "Install version 9.9.9 or later"],
    ),
    "missing": ("INSERT INTO migration VALUES ('0003_another', 'd', '0.1.0')", ["lacks: 0003_another"]),
    "changed": ("UPDATE migration SET digest = 'd' WHERE name = '0004_billing'", ["changed", "0004_billing"]),
    "column": ("ALTER TABLE spending_limit DROP refused", ["column spending_limit.refused is missing"]),
    "two": (
        "ALTER TABLE wallet DROP CONSTRAINT wallet_held_check; DROP TRIGGER transfer_immutable ON transfer",
        ["constraint wallet.wallet_held_check is missing", "trigger transfer.transfer_immutable is missing"],
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_database_that_does_not_fit_is_refused_by_name(database_url: str, kind: str) -> None:
    statement, named_in_it = UNFIT[kind]
    sql(database_url, statement)
    with pytest.raises(SchemaError) as caught:
        migrations.migrate(database_url)
    standing = migrations.look(database_url)
    said = standing.conflict or standing.breaks or ""
    for words in named_in_it:
        assert words in str(caught.value)
        assert words in said


DRIFTS: dict[str, tuple[str, str, bool]] = {
    "table": ("DROP TABLE notice", "table notice is missing", True),
    "column": ("ALTER TABLE generation DROP wrong_tries", "column generation.wrong_tries is missing", True),
    "type": (
        "ALTER TABLE asset ALTER bytes TYPE integer",
        "column asset.bytes is integer NOT NULL instead of bigint NOT NULL",
        True,
    ),
    "null": (
        "ALTER TABLE asset ALTER media_type DROP NOT NULL",
        "column asset.media_type is text instead of text NOT NULL",
        True,
    ),
    "default": (
        "ALTER TABLE wallet ALTER held SET DEFAULT 5",
        "column wallet.held is bigint NOT NULL DEFAULT 5 instead of bigint NOT NULL DEFAULT 0",
        True,
    ),
    "constraint": (
        "ALTER TABLE content DROP CONSTRAINT content_goes_within_a_week",
        "constraint content.content_goes_within_a_week is missing",
        True,
    ),
    "unique index": ("DROP INDEX attempt_open", "unique index attempt.attempt_open is missing", True),
    "trigger": (
        "ALTER TABLE transfer DISABLE TRIGGER transfer_kept",
        "trigger transfer.transfer_kept is CREATE TRIGGER transfer_kept BEFORE TRUNCATE ON transfer FOR EACH",
        True,
    ),
    "function": (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "function refuse_change() is trigger v BEGIN RETURN NEW; END instead of trigger v BEGIN RAISE",
        True,
    ),
    "view": ("DROP VIEW ledger", "view ledger is missing", True),
    "index": ("DROP INDEX file_expiry", "index file.file_expiry is missing", False),
    "invalid index": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'file_expiry'::regclass",
        "index file.file_expiry is CREATE INDEX file_expiry ON file USING btree (expires_at) INVALID instead of",
        False,
    ),
    "added column": (
        "ALTER TABLE account ADD crm_id text",
        "column account.crm_id is not part of the schema",
        False,
    ),
    "added index": (
        "CREATE INDEX account_made ON account (created_at)",
        "index account.account_made is not part of the schema",
        False,
    ),
}


@pytest.mark.parametrize("kind", DRIFTS)
def test_what_differs_from_the_shipped_schema_is_named(database_url: str, kind: str) -> None:
    statement, text, breaks = DRIFTS[kind]
    sql(database_url, statement)
    found: tuple[Difference, ...] = migrations.look(database_url).differences
    assert [str(one)[: len(text)] for one in found] == [text]
    assert found[0].breaks is breaks
    if not breaks:
        assert migrations.migrate(database_url) == []


def test_what_is_not_ours_is_not_looked_at(database_url: str) -> None:
    sql(
        database_url,
        "CREATE SCHEMA reports; CREATE TABLE reports.account (id int, more text)",
        "CREATE TABLE my_notes (id int); CREATE INDEX my_index ON my_notes (id)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW my_view AS SELECT 1 AS one",
        "CREATE TABLE event_20300101 PARTITION OF event FOR VALUES FROM ('evt_a') TO ('evt_b')",
        "CREATE TABLE delivery_20300101 (LIKE delivery INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        "ALTER TABLE delivery ATTACH PARTITION delivery_20300101 FOR VALUES FROM ('evt_a') TO ('evt_b')",
    )
    assert migrations.look(database_url).differences == ()


def test_a_migration_that_waits_for_a_table_lets_others_use_it(database_url: str) -> None:
    """A long transaction holds a table that a migration changes: who only reads it waits no longer than the timeout."""

    async def run() -> tuple[str, list[float], list[str]]:
        url = await empty_schema(database_url)
        await build(url, states()[2])
        holder, reader = await asyncpg.connect(url), await asyncpg.connect(url)
        await holder.execute("BEGIN; SELECT FROM transfer")
        before = asyncio.create_task(asyncio.to_thread(migrations.migrate, url, table_seconds=0.2, tries=3))
        waits: list[float] = []
        loop = asyncio.get_running_loop()
        while not before.done():
            start = loop.time()
            await reader.execute("SELECT FROM transfer")
            waits.append(loop.time() - start)
            await asyncio.sleep(0.01)
        try:
            await before
        except SchemaError as error:
            said = str(error)
        else:
            said = ""
        await holder.execute("COMMIT")
        after = await asyncio.to_thread(migrations.migrate, url)
        await holder.close()
        await reader.close()
        return said, waits, after

    said, waits, after = asyncio.run(run())
    assert "0005_lighter_creates could not lock a table" in said
    assert max(waits) < 5
    assert after[0] == "0005_lighter_creates"


def test_a_migration_that_fails_leaves_nothing_and_is_named(database_url: str) -> None:
    url = asyncio.run(empty_schema(database_url))
    asyncio.run(build(url, states()[2]))
    sql(url, "ALTER TABLE wallet ADD COLUMN x int", "CREATE TABLE deletion (x int)")
    with pytest.raises(SchemaError, match=r'Migration 0007_delivery failed and changed nothing: .*"deletion"'):
        migrations.migrate(url)
    assert migrations.look(url).pending[0] == "0007_delivery"
    sql(url, "DROP TABLE deletion")
    assert migrations.migrate(url)[0] == "0007_delivery"


def test_a_database_that_is_not_there_is_a_connection_error(database_url: str) -> None:
    with pytest.raises(ConnectionError):
        migrations.migrate(database_url.replace("/test_", "/no_such_"))


def run(service: Service, *commands: str) -> list[tuple[int, str, str]]:
    """Run commands at once; the exit code and what each said."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "seedance_api", *command.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=service.environment,
        )
        for command in commands
    ]
    said = [process.communicate(timeout=90) for process in started]
    return [(process.returncode, *texts) for process, texts in zip(started, said, strict=True)]


def test_serve_migrate_and_doctor_refuse_a_newer_database(database_url: str, tmp_path: Path) -> None:
    statement, named_in_it = UNFIT["newer"]
    sql(database_url, statement)
    commands = ("serve --port 0", "migrate", "doctor --invariants --json")
    serve, migrate, doctor = run(Service(database_url, tmp_path, started=False), *commands)
    for code, _, errors in (serve, migrate):
        assert code == 1
        assert "Traceback" not in errors
        assert all(words in errors for words in named_in_it), errors
    code, text, _ = doctor
    assert code == 1
    answer = json.loads(text)
    assert answer["ok"] is False
    assert [(one["name"], one["status"]) for one in answer["remarks"]] == [("schema", "error")]
    assert all(words in answer["remarks"][0]["message"] for words in named_in_it)


def test_doctor_tells_apart_what_breaks_what_waits_and_what_does_neither(database_url: str) -> None:
    assert of_schema(migrations.look(database_url)).status == "ok"
    sql(database_url, "DROP INDEX file_expiry")
    remark = of_schema(migrations.look(database_url))
    assert (remark.status, remark.message) == ("warning", "index file.file_expiry is missing")
    sql(database_url, "DROP TRIGGER transfer_kept ON transfer")
    remark = of_schema(migrations.look(database_url))
    assert remark.status == "error"
    assert "trigger transfer.transfer_kept is missing" in remark.message
    sql(database_url, "DELETE FROM migration WHERE name = '0010_repair'")
    remark = of_schema(migrations.look(database_url))
    assert remark.status == "error"
    assert "0010_repair is not applied yet" in remark.message
