"""Many downloads at once, in a process of its own: `python -m bench.drain URL KEY COUNT BYTES PAUSE`.

All connections ask first, then nobody reads for PAUSE seconds, then all read to the end. A server that runs ahead
of its readers shows it in its memory. Prints the seconds that it took; ends with 1 when a download came out short.
"""

import selectors
import socket
import sys
import time
from urllib.parse import urlsplit


def main(url: str, key: str, count: int, size: int, pause: float) -> int:
    """Download `count` times at once."""
    parts = urlsplit(url)
    headers = f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    asked = f"GET {parts.path} HTTP/1.1\r\n{headers}"
    assert parts.hostname is not None
    assert parts.port is not None
    started = time.monotonic()
    chooser = selectors.DefaultSelector()
    received: dict[socket.socket, int] = {}
    for _ in range(count):
        connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
        connection.sendall(asked.encode())
        connection.setblocking(False)
        chooser.register(connection, selectors.EVENT_READ)
        received[connection] = 0
    time.sleep(pause)
    _read_all(chooser, received)
    print(f"{time.monotonic() - started:.3f}")
    return 0 if all(size < one < size + 4096 for one in received.values()) else 1


def _read_all(chooser: selectors.BaseSelector, received: dict[socket.socket, int]) -> None:
    buffer = bytearray(256 * 1024)
    left = len(received)
    deadline = time.monotonic() + 180
    while left and time.monotonic() < deadline:
        for key, _ in chooser.select(10):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            got = connection.recv_into(buffer)
            received[connection] += got
            if not got:
                chooser.unregister(connection)
                connection.close()
                left -= 1


if __name__ == "__main__":
    address, token, *numbers = sys.argv[1:]
    sys.exit(main(address, token, int(numbers[0]), int(numbers[1]), float(numbers[2])))
