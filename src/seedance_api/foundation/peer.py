"""The other end of a connection: what it has acknowledged. Linux's own count, of the socket that the web server holds.

A web server says that it has taken our bytes, not that they have arrived: several megabytes lie in the system's buffers
when a small file is "sent". The kernel knows; it is asked through a second handle of the same socket.
"""

import asyncio
import ctypes
import os
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_TCP_INFO_BYTES = 128
_CLOSED = 7
_STATE, _ACKED = struct.Struct("B"), struct.Struct("Q")
_FAMILY, _PORT = struct.Struct("H"), struct.Struct("!H")
_ADDRESS_BYTES = 128
_LIBC = ctypes.CDLL(None)
_ACKED_AT = 120  # tcpi_bytes_acked in linux/tcp.h, since Linux 4.1
_FIRST_SECONDS, _LONGEST_SECONDS = 0.005, 1.0


class Peer:
    """A connection, from this moment on. Close it; while it is open, so is the socket."""

    def __init__(self, handle: socket.socket) -> None:
        self._handle = handle
        self._before = self._look()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()

    async def takes(self, size: int, seconds: float) -> int:
        """How many of the next `size` bytes it acknowledges, within the time; fewer when it closes before.

        The head of the answer counts with them, so the last some hundred bytes are taken on trust.
        """
        pause, left = _FIRST_SECONDS, seconds
        while True:
            state, acked = self._look()
            taken = min(size, acked - self._before)
            if taken == size or state == _CLOSED or left <= 0:
                return max(0, taken)
            await asyncio.sleep(pause)
            left -= pause
            pause = min(pause * 1.5, _LONGEST_SECONDS)

    def _look(self) -> tuple[int, int]:
        try:
            info = self._handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        except OSError:
            return _CLOSED, 0
        return _STATE.unpack_from(info)[0], _ACKED.unpack_from(info, _ACKED_AT)[0]


def tells() -> bool:
    """Whether this system says what has arrived."""
    return hasattr(socket, "TCP_INFO") and Path("/proc/self/fd").is_dir()


def find_peer(client: tuple[str, int]) -> Peer | None:
    """The connection of a client, by its address; None for one that is gone: a reset one has no other end any more."""
    wanted = client[0], int(client[1])  # granian has the port as text
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 it is done for each download, and is ten times as fast
        if address_of(int(name)) == wanted and (handle := open_again(int(name), wanted)):
            return Peer(handle)
    return None


def open_again(descriptor: int, client: tuple[str, int]) -> socket.socket | None:
    """A second handle of a client's connection; None where the descriptor is another's meanwhile."""
    try:
        handle = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return None
    if address_of(handle.fileno()) == client:
        return handle
    handle.close()
    return None


def address_of(descriptor: int, *, own: bool = False) -> tuple[str, int] | None:
    """The other end of a descriptor, or our `own`; None for what is no connection.

    The C library is asked: a socket object for each takes forty times as long.
    """
    found, size = ctypes.create_string_buffer(_ADDRESS_BYTES), ctypes.c_uint32(_ADDRESS_BYTES)
    ask = _LIBC.getsockname if own else _LIBC.getpeername
    if ask(descriptor, found, ctypes.byref(size)) != 0:
        return None
    family = _FAMILY.unpack_from(found)[0]
    port = _PORT.unpack_from(found, 2)[0]
    if family == socket.AF_INET:
        return socket.inet_ntop(family, found.raw[4:8]), port
    if family == socket.AF_INET6:
        return socket.inet_ntop(family, found.raw[8:24]), port
    return None
