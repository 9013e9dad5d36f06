"""Customers' servers, in a process of their own: `python -m bench.receiver PORT HANGING`.

A POST to `/hook/N` is answered with 204 at once, and never when N is below HANGING. What came is printed as it comes:
the number in the event's data, and the Unix time.
"""

import asyncio
import re
import sys
import time

_NUMBER = re.compile(rb'"number":(\d+)')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"


class Hook(asyncio.Protocol):
    """One connection, one request."""

    def __init__(self, hanging: int) -> None:
        self._hanging = hanging
        self._heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = bytes(self._heard).partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        now = time.time()
        place = int(head.split(b" ", 2)[1].rsplit(b"/", 1)[-1])
        if place < self._hanging:
            return
        number = _NUMBER.search(body)
        if number is not None:
            print(int(number[1]), f"{now:.6f}", flush=False)
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(_ANSWER)
        self._transport.close()


async def main(port: int, hanging: int) -> None:
    """Serve until the process is ended; what came is written out a few times a second."""
    server = await asyncio.get_running_loop().create_server(lambda: Hook(hanging), "127.0.0.1", port, backlog=4096)
    async with server:
        print("ready", flush=True)
        while True:
            await asyncio.sleep(0.2)
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
