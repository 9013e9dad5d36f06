"""A flood of wrong keys: what a client with a right one feels of it."""

import asyncio
import threading
import time

from bench.figures import Figure, ratios, take_turns
from bench.reads import write_paths
from bench.stage import Ground, Server, Stage
from seedance_api.accounts.keys import KeyMode, mint

_REQUESTS = 20_000
_A_SECOND = 2000
_CONNECTIONS = 32


class Flood:
    """Requests with well-formed keys that nobody has, so many a second whatever is answered."""

    def __init__(self, url: str, seconds: float) -> None:
        self._host, _, self._port = url.removeprefix("http://").partition(":")
        self._seconds = seconds
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.answered = 0

    def __enter__(self) -> "Flood":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    async def _run(self) -> None:
        end = time.monotonic() + self._seconds
        await asyncio.gather(*(self._one(end) for _ in range(_CONNECTIONS)))

    async def _one(self, end: float) -> None:
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        due = time.monotonic()
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += _CONNECTIONS / _A_SECOND
            key = mint(KeyMode.TEST).text
            writer.write(
                f"GET /v1/videos HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(size.partition(b":")[2]))
            assert head[9:12] in (b"401", b"429"), head
            self.answered += 1
        writer.close()


def measure(stage: Stage) -> list[Figure]:
    """The healthy client polls over one connection, alone and beside the flood."""
    ground = stage.ground()
    paths = str(asyncio.run(write_paths(ground)))
    server = stage.serve(ground)
    seconds = stage.seconds(_REQUESTS / _A_SECOND, 2)
    try:
        stage.wrk(server.url, ground.key, paths, connections=1, seconds=1)
        stage.say(f"one client alone, and beside {_A_SECOND:,} wrong keys a second; p99 in ms")
        found = take_turns(
            stage.rounds,
            stage.say,
            alone=lambda: stage.wrk(server.url, ground.key, paths, connections=1, seconds=seconds).p99_ms,
            flooded=lambda: _flooded(stage, server, ground, paths, seconds),
        )
    finally:
        server.stop()
    return [
        Figure(
            name="p99 of a healthy client beside wrong keys",
            how=f"`GET /v1/videos/{{id}}` over one connection, beside {_A_SECOND:,} requests a second with keys that "
            f"nobody has ({_REQUESTS:,} in all), over the same without them; all from one address",
            values=ratios(found["flooded"], found["alone"]),
            sides=found,
            side_unit="ms",
            bar=2.0,
            is_minimum=False,
        )
    ]


def _flooded(stage: Stage, server: Server, ground: Ground, paths: str, seconds: float) -> float:
    with Flood(server.url, seconds) as flood:
        found = stage.wrk(server.url, ground.key, paths, connections=1, seconds=seconds).p99_ms
    if flood.answered < 0.9 * seconds * _A_SECOND:
        stage.say(f"the flood was slower than it should be: {flood.answered / seconds:,.0f} a second")
    return found
