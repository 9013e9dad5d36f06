"""Why the database cannot be reached, in words that hold neither its address nor its password."""

import errno
import re
import socket
import ssl

import asyncpg

_BY_NUMBER = {
    errno.ECONNREFUSED: "the connection is refused: nothing listens there",
    errno.ENOENT: "there is no such socket",
    errno.ECONNRESET: "the connection was reset",
    errno.EHOSTUNREACH: "there is no route to the host",
    errno.ENETUNREACH: "the network is unreachable",
    errno.ETIMEDOUT: "there was no answer in time",
    errno.EACCES: "its socket may not be used by this user",
}
_NUMBER = re.compile(r"\[Errno (\d+)\]")


class UnreachableError(ConnectionError):
    """The database cannot be reached. The text says why, and can be shown to anybody who operates it."""


def reason_of(error: BaseException) -> str:
    """Why a connection to the database failed."""
    match error:
        case UnreachableError():
            return str(error)
        case asyncpg.InvalidPasswordError():
            return "wrong password, or no such user"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return "there is no such user, or pg_hba.conf does not let it in from this machine"
        case asyncpg.InvalidCatalogNameError():
            return "there is no such database"
        case asyncpg.TooManyConnectionsError():
            return "it has as many connections as it may have"
        case asyncpg.CannotConnectNowError():
            return "it is starting up or shutting down"
        case asyncpg.InsufficientPrivilegeError():
            return "the user may not connect to this database"
        case TimeoutError():
            return "there was no answer in time"
        case ssl.SSLError():
            return "no TLS connection can be made with it"
        case socket.gaierror():
            return "the name of its host is not found"
        case OSError():
            return _of_system(error)
        case _:
            return type(error).__name__


def _of_system(error: OSError) -> str:
    # where a name has several addresses, asyncio gives one error with the numbers in its text
    numbers = [error.errno] if error.errno else [int(number) for number in _NUMBER.findall(str(error))]
    known = [_BY_NUMBER[number] for number in numbers if number in _BY_NUMBER]
    if known:
        return known[0]
    return "it refuses TLS" if "SSL" in str(error) else type(error).__name__
