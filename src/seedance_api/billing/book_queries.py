"""SQL of price books."""

from datetime import datetime

from seedance_api.foundation.db import Connection, Database


async def latest_version(db: Database) -> int | None:
    """The newest price book; None in a new installation."""
    return await db.fetchval("SELECT max(version) FROM price_book")


async def book_text(db: "Database | Connection", version: int) -> str:
    """A price book as it was loaded."""
    return await db.fetchval("SELECT text FROM price_book WHERE version = $1", version)


async def insert_book(db: Database, text: str, *, author: str, first: bool = False) -> int:
    """Store the next version, or the first one if there is none yet, and tell every process."""
    async with db.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('price_book', 0))")
        latest: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM price_book")
        if first and latest:
            return latest
        await connection.execute(
            "INSERT INTO price_book (version, text, author) VALUES ($1, $2, $3)", latest + 1, text, author
        )
        await connection.execute("SELECT pg_notify('price_book', '')")
        return latest + 1


async def books(db: Database) -> list[tuple[int, str, datetime]]:
    """Every version with who loaded it and when."""
    found = await db.fetch("SELECT version, author, loaded_at FROM price_book ORDER BY version")
    return [(record["version"], record["author"], record["loaded_at"]) for record in found]
