"""The other end of a connection: what it has acknowledged. Linux's own count, of the socket that the web server holds.

A web server says that it has taken our bytes, not that they have arrived: several megabytes lie in the system's buffers
when a small file is "sent". The kernel knows; it is asked through a second handle of the same socket.
"""

import asyncio
import os
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_TCP_INFO_BYTES = 128
_CLOSED = 7
_STATE, _ACKED = struct.Struct("B"), struct.Struct("Q")
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


def find_peer(client: tuple[str, int] | None) -> Peer | None:
    """The connection of a client, by its address; None where the system does not tell."""
    if client is None or not hasattr(socket, "TCP_INFO"):
        return None
    wanted = client[0], int(client[1])  # granian has the port as text
    try:
        descriptors = list(Path("/proc/self/fd").iterdir())
    except OSError:
        return None
    for descriptor in descriptors:
        handle = _socket(descriptor)
        if handle is None:
            continue
        if _address(handle) == wanted:
            try:
                return Peer(handle)
            except struct.error:  # an older kernel says less
                pass
        handle.close()
    return None


def _socket(descriptor: Path) -> socket.socket | None:
    try:
        if not str(descriptor.readlink()).startswith("socket:"):
            return None
        return socket.socket(fileno=os.dup(int(descriptor.name)))
    except OSError:
        return None


def _address(handle: socket.socket) -> tuple[str, int] | None:
    if handle.family not in (socket.AF_INET, socket.AF_INET6) or handle.type != socket.SOCK_STREAM:
        return None
    try:
        found = handle.getpeername()
    except OSError:
        return None
    return found[0], found[1]
