"""PostgreSQL through asyncpg: plain SQL, rows into structs in one place.

A connection that does not answer in time (`session.py` bounds it) is never used again, nor any that was opened before.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, LiteralString, TypeAlias, TypeVar, cast

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from seedance_api.foundation.clock import Clock
from seedance_api.foundation.concurrency_limit import ConcurrencyLimit
from seedance_api.foundation.session import COMMAND, Session, connect, milliseconds, options_of

if TYPE_CHECKING:
    from seedance_api.foundation.session import BoundedConnection

UNREACHABLE = (
    ConnectionError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is starting up or shutting down, or the statement took too long
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,  # what asyncpg says of a connection that was ended between two statements
)
"""What is raised when the database cannot be reached. Whether it has committed is not known then."""
CONTENDED = (asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError)
"""What is raised when another transaction is in the way. Nothing is written then."""
NO_ROOM = asyncpg.DiskFullError
"""What is raised when the database has no room for what is to be written."""
RELEASE_SECONDS = 2.0
"""What was cancelled must be over by then."""
_CLOSE_SECONDS = 5.0
_PROBE_SECONDS = 2.0
MAX_WAITING = 1000
"""How many may wait for a connection of a process: for less than a second, as a query takes a millisecond or two."""
Row = TypeVar("Row")
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Isolation = Literal["read_committed", "repeatable_read", "serializable"]


class _Renewed:
    """Since when connections of a pool are used: those opened before are not."""

    at = 0.0


class Database:
    """A bounded pool. SQL must be a literal string, so that a type checker refuses one that was pieced together."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        url: str,
        session: Session = COMMAND,
        clock: Clock | None = None,
        *,
        limit: ConcurrencyLimit | None = None,
        renewed: _Renewed | None = None,
    ) -> None:
        self.pool = pool
        self.url = url
        self.clock = clock or Clock()
        """Unix seconds by the database's clock. What several machines compare goes by this one."""
        self._session = session
        self._renewed = renewed or _Renewed()
        self._limit = limit or ConcurrencyLimit(pool.get_max_size(), MAX_WAITING)
        self._probe: asyncio.Task[bool] | None = None

    @classmethod
    async def connect(cls, url: str, *, max_connections: int = 10, session: Session = COMMAND) -> "Database":
        """Open the pool. `max_connections` bounds the connections of this process."""
        clock = Clock()

        async def prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
            await _prepare(connection)
            await _read(clock, connection)

        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=max_connections,
            init=prepare,
            reset=_keep,
            connect=partial(connect, session=session),
            **options_of(session),
        )
        return cls(pool, url, session, clock)

    def part(self, max_connections: int) -> "Database":
        """The same pool for work that may have so many of its connections at once: the others are left to the rest."""
        limit = ConcurrencyLimit(max_connections, MAX_WAITING)
        return Database(self.pool, self.url, self._session, self.clock, limit=limit, renewed=self._renewed)

    @property
    def is_full(self) -> bool:
        """Whether so many wait for a connection that whoever comes now is refused."""
        return self._limit.is_full

    async def close(self) -> None:
        """Close the pool, waiting a moment for what is under way."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()

    def renew(self) -> None:
        """Use no connection any more that is open now: each is dropped when its turn comes."""
        self._renewed.at = asyncio.get_running_loop().time()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection, None]:
        """A connection of the pool. Raises TimeoutError when none is free in time, BusyError when too many wait."""
        async with asyncio.timeout(self._session.statement_seconds or None):
            await self._limit.acquire()
            try:
                connection = await self._acquire()
            except BaseException:
                self._limit.release()
                raise
        since = asyncio.get_running_loop().time()
        try:
            yield connection
        except TimeoutError:  # it would be waited for once more before it went back
            self._give_up(connection, since)
            raise
        finally:
            try:
                await self._release(connection, since)
            finally:
                self._limit.release()

    async def _acquire(self) -> "PoolConnectionProxy[asyncpg.Record]":
        while True:
            connection = await self.pool.acquire()
            if cast("BoundedConnection", connection).opened_at > self._renewed.at:
                return connection
            _drop(connection)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, readonly: bool = False
    ) -> AsyncGenerator[Connection, None]:
        """One transaction: all of it or nothing. No network call belongs inside."""
        async with self.connection() as connection:
            transaction = connection.transaction(isolation=isolation, readonly=readonly)
            await transaction.start()
            try:
                yield connection
            except TimeoutError:  # the connection is given up, and the transaction with it
                raise
            except BaseException:
                await self._roll_back(connection, transaction)
                raise
            await transaction.commit()

    async def fetch(self, sql: LiteralString, *values: Any) -> list[asyncpg.Record]:
        """Every row."""
        async with self.connection() as connection:
            return await connection.fetch(sql, *values)

    async def fetchrow(self, sql: LiteralString, *values: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        async with self.connection() as connection:
            return await connection.fetchrow(sql, *values)

    async def fetchval(self, sql: LiteralString, *values: Any) -> Any:
        """The first column of the first row."""
        async with self.connection() as connection:
            return await connection.fetchval(sql, *values)

    async def execute(self, sql: LiteralString, *values: Any) -> str:
        """Run a statement; returns its command tag."""
        async with self.connection() as connection:
            return await connection.execute(sql, *values)

    async def answers(self, seconds: float) -> bool:
        """Whether it answers within so many seconds, whatever hangs. All who ask at one time share one query."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask())
        probe = self._probe
        await asyncio.wait([probe], timeout=seconds)
        return probe.done() and not probe.cancelled() and probe.result()

    async def _ask(self) -> bool:
        try:
            async with self.connection() as connection:
                await _read(self.clock, connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def _roll_back(self, connection: Connection, transaction: Any) -> None:
        since = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await transaction.rollback()
        except TimeoutError:
            self._give_up(connection, since)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            _drop(connection)  # it was ended, and said so: the others need not be dead

    def _give_up(self, connection: Connection, since: float) -> None:
        _drop(connection)
        self._lose(since)

    def _lose(self, since: float) -> None:
        """One has not answered since then. The others may be as dead, and must not be found so one by one."""
        if since >= self._renewed.at:
            self.renew()

    async def _release(self, connection: Connection, since: float) -> None:
        try:
            await self.pool.release(connection, timeout=RELEASE_SECONDS)  # pyright: ignore[reportArgumentType] a proxy
        except TimeoutError:  # what was cancelled is not over; the pool has dropped the connection
            self._lose(since)


def _drop(connection: Connection) -> None:
    with suppress(asyncpg.InternalClientError):  # it was ended in the middle of an operation; the pool forgets it
        connection.terminate()


async def wait_for_locks(connection: Connection, seconds: float) -> None:
    """Bound what this transaction waits for each lock. Raises `asyncpg.LockNotAvailableError` when it is over."""
    await connection.execute("SELECT set_config('lock_timeout', $1, true)", milliseconds(seconds))


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_to_json,
        decoder=msgspec.json.decode,
    )


async def _read(clock: Clock, connection: Connection) -> None:
    asked = time.monotonic()
    seconds: float = await connection.fetchval(
        "SELECT extract(epoch FROM clock_timestamp())::float8", timeout=_PROBE_SECONDS
    )
    clock.note(seconds, asked, time.monotonic())


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
