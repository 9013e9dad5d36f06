"""Sessions: what a connection to PostgreSQL is for, and the bounds that it has on either side. Each is opened here.

A connection may die without a word: its host is gone, or something between drops its packets. The kernel and the server
are told to notice, and nobody waits for an answer without end.
"""

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from seedance_api.foundation.unreachable import UnreachableError, reason_of

if TYPE_CHECKING:
    _Asyncpg = asyncpg.Connection[asyncpg.Record]
else:
    _Asyncpg = asyncpg.Connection

CONNECT_SECONDS = 5.0
GRACE_SECONDS = 1.5
"""The server ends a statement that takes too long. When it has not said so by then, nobody is there."""
IDLE_IN_TRANSACTION_SECONDS = 10.0
"""A transaction whose owner does nothing is rolled back, and its locks are free: the owner's host may be frozen."""
KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_COUNT = 5, 2, 3
UNACKNOWLEDGED_SECONDS = 10
"""TCP gives a connection up when what was sent is not acknowledged for so long."""
_CHECK_CLIENT_SECONDS = 5.0


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection is for: its name in `pg_stat_activity`, and how long its statements may take and wait.

    The server ends what takes longer. A connection that has not answered `GRACE_SECONDS` later is given up.
    """

    name: str
    statement_seconds: float
    lock_seconds: float

    @property
    def command_seconds(self) -> float:
        """How long we wait for an answer."""
        return self.statement_seconds + GRACE_SECONDS

    @property
    def server_settings(self) -> dict[str, str]:
        """What the server is told: as a number of milliseconds, or of seconds where PostgreSQL counts so."""
        return {
            "statement_timeout": milliseconds(self.statement_seconds),
            "lock_timeout": milliseconds(self.lock_seconds),
            "idle_in_transaction_session_timeout": milliseconds(IDLE_IN_TRANSACTION_SECONDS),
            "client_connection_check_interval": milliseconds(_CHECK_CLIENT_SECONDS),
            "tcp_keepalives_idle": str(KEEPALIVE_IDLE_SECONDS),
            "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL_SECONDS),
            "tcp_keepalives_count": str(KEEPALIVE_COUNT),
            "tcp_user_timeout": milliseconds(UNACKNOWLEDGED_SECONDS),
        }


API = Session(name="api", statement_seconds=5, lock_seconds=2)
WORKER = Session(name="worker", statement_seconds=30, lock_seconds=15)
"""A frozen host's locks are free after `IDLE_IN_TRANSACTION_SECONDS`, so a job that waits for one goes on."""
LISTENING = Session(name="listener", statement_seconds=5, lock_seconds=2)
LANE = Session(name="lane", statement_seconds=20, lock_seconds=15)
COMMAND = Session(name="command", statement_seconds=600, lock_seconds=30)
MIGRATION = Session(name="migration", statement_seconds=3600, lock_seconds=900)


async def open_connection(url: str, session: Session) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection of its own, for LISTEN or the engine of jobs. Raises what is in `UNREACHABLE`."""
    return await connect(url, session=session, **options_of(session))


class BoundedConnection(_Asyncpg):
    """Tells the kernel to notice when nobody is at the other end any more; asyncpg has no parameters for it."""

    __slots__ = ("opened_at",)

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        self.opened_at = asyncio.get_running_loop().time()
        _keep_alive(transport.get_extra_info("socket"))


def _keep_alive(channel: Any) -> None:
    if channel is None or channel.family == socket.AF_UNIX:
        return
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_SECONDS * 1000)


def options_of(session: Session) -> dict[str, Any]:
    """What `asyncpg` is told of a connection for this."""
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": session.command_seconds,
        "server_settings": {"application_name": f"seedance-api {session.name}"},
        "connection_class": BoundedConnection,
    }


def milliseconds(seconds: float) -> str:
    """As PostgreSQL takes a time."""
    return str(round(seconds * 1000))


async def connect(*arguments: Any, session: Session, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    """The bounds are set when it is open: a pool in between may refuse to pass them on when it opens."""
    bounds = "; ".join(f"SET {name} = {value}" for name, value in session.server_settings.items())
    try:
        connection = await asyncpg.connect(*arguments, **options)
        await _tell(connection, bounds)
    except TimeoutError:
        raise
    except OSError as error:  # a socket's file that is gone is a FileNotFoundError
        raise UnreachableError(reason_of(error)) from None
    else:
        return connection


async def _tell(connection: "asyncpg.Connection[asyncpg.Record]", bounds: str) -> None:
    try:
        await connection.execute(bounds, timeout=CONNECT_SECONDS)
    except BaseException:
        connection.terminate()
        raise
