"""PostgreSQL through asyncpg: plain SQL, rows into structs in one place."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeAlias, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

UNREACHABLE = (
    ConnectionError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is starting up or shutting down
    asyncpg.InsufficientResourcesError,
)
"""What is raised when the database cannot be reached. Whether it has committed is not known then."""
Row = TypeVar("Row")
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"


class Database:
    """A bounded pool. SQL must be a literal string, so that a type checker refuses one that was pieced together."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", url: str) -> None:
        self.pool = pool
        self.url = url

    @classmethod
    async def connect(cls, url: str, *, most: int = 10) -> "Database":
        """Open the pool. `most` bounds the connections of this process."""
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=most, init=_prepare, reset=_keep, connect=_open, command_timeout=60
        )
        return cls(pool, url)

    async def close(self) -> None:
        """Close the pool, waiting a moment for what is under way."""
        try:
            await asyncio.wait_for(self.pool.close(), 10)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        """One transaction: all of it or nothing. No network call belongs inside."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection

    async def fetch(self, sql: LiteralString, *values: Any) -> list[asyncpg.Record]:
        """Every row."""
        return await self.pool.fetch(sql, *values)

    async def fetchrow(self, sql: LiteralString, *values: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        return await self.pool.fetchrow(sql, *values)

    async def fetchval(self, sql: LiteralString, *values: Any) -> Any:
        """The first column of the first row."""
        return await self.pool.fetchval(sql, *values)

    async def execute(self, sql: LiteralString, *values: Any) -> str:
        """Run a statement; returns its command tag."""
        return await self.pool.execute(sql, *values)


async def _open(*arguments: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(*arguments, **options)
    except OSError as error:  # a socket's file that is gone is a FileNotFoundError
        raise ConnectionError(type(error).__name__) from None


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_to_json,
        decoder=msgspec.json.decode,
    )


async def _keep(connection: object) -> None:
    """Spare a round trip for each query: asyncpg ends an open transaction itself, and nothing else is left behind.

    So nothing that lasts as long as a session (SET, LISTEN, pg_advisory_lock) may run on a pooled connection.
    """
    del connection


def _to_json(value: object) -> str:
    # text is JSON already: PgQueuer encodes its own columns; we store objects and lists only
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def row(kind: type[Row], record: "Mapping[str, Any] | asyncpg.Record") -> Row:
    """One record as a struct: text becomes the enum, JSON the nested struct."""
    return msgspec.convert(dict(record), kind)


def rows(kind: type[Row], records: "Iterable[asyncpg.Record]") -> list[Row]:
    """Records as structs."""
    return [row(kind, record) for record in records]


def affected(tag: str) -> int:
    """How many rows a command tag such as `UPDATE 3` speaks of."""
    return int(tag.rsplit(" ", 1)[-1])
