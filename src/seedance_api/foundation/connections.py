"""The connections of the web server in this process: so many of one address, and the idle ones go when it is crowded.

The web server accepts whoever comes, until it has as many as it may have, and then nobody; a connection that never asks
for anything it shows to nobody. The kernel knows them all: they are descriptors of this process, and closing one at a
second handle is as good as its client's leaving.
"""

import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Container, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

import msgspec
import structlog

from seedance_api.foundation.peer import address_of, open_again, tells
from seedance_api.foundation.rate_limiter import neighbourhood

LOOK_SECONDS = 0.25
LOOKING = 0.05
"""The part of the time that is spent on looking, at most."""
IDLE_SECONDS = 1.0
"""How long a connection may ask for nothing when it is crowded."""
CROWDED, ROOMY = 0.75, 0.5
"""Parts of all that there may be: above the first it is crowded, and the idle ones are closed down to the second."""
_RESET = struct.pack("ii", 1, 0)
Client = tuple[str, int]
Network = IPv4Network | IPv6Network
_log = structlog.get_logger()


class Held(msgspec.Struct, frozen=True):
    """A connection that the process holds: whether it waits for an answer, or ever did, and since when it is known."""

    client: Client
    busy: bool
    served: bool
    since: float


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`max_connections` in all, and `of_one` from one address (IPv6: from one /64); 0 for as many as there may be.

    Those of `proxies` are not counted: they bring many.
    """

    max_connections: int
    of_one: int
    proxies: tuple[Network, ...] = ()
    idle_seconds: float = IDLE_SECONDS


def surplus(held: list[Held], bounds: Bounds, now: float) -> dict[Client, str]:
    """Which connections are to be closed, and why. Of one address those go that do nothing, and came last."""
    closing: dict[Client, str] = {}
    counted: Counter[str] = Counter()
    for connection in sorted(held, key=lambda connection: (not connection.busy, connection.since)):
        if bounds.of_one and not _is_proxy(connection.client[0], bounds.proxies):
            name = neighbourhood(connection.client[0])
            counted[name] += 1
            if counted[name] > bounds.of_one:
                closing[connection.client] = "address"
    left = len(held) - len(closing)
    if left > bounds.max_connections * CROWDED:
        idle = [
            connection
            for connection in held
            if not connection.busy
            and now - connection.since >= bounds.idle_seconds
            and connection.client not in closing
        ]
        idle.sort(key=lambda connection: (connection.served, connection.since))
        excess = idle[: left - int(bounds.max_connections * ROOMY)]
        closing |= dict.fromkeys((connection.client for connection in excess), "crowded")
    return closing


def _is_proxy(address: str, proxies: tuple[Network, ...]) -> bool:
    if not proxies:
        return False
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in proxies if network.version == found.version)


class Connections:
    """Looks at the connections to `port`, four times a second at most, in a thread of its own; closes what is too much.

    Whoever answers requests says so by `begin` and `end`. What is remembered is bounded by what is connected.
    """

    def __init__(self, port: int, bounds: Bounds) -> None:
        self._port = port
        self._bounds = bounds
        self._since: dict[Client, float] = {}
        self._busy: set[Client] = set()
        self._served: set[Client] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="connections", daemon=True)

    def begin(self, client: Client) -> None:
        """A request of this client's is being answered."""
        self._busy.add(client)

    def end(self, client: Client) -> None:
        """It was answered."""
        self._busy.discard(client)
        self._served.add(client)

    def start(self) -> None:
        """Begin to look, where this system tells what is connected."""
        if tells():
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def _watch(self) -> None:
        pause = LOOK_SECONDS
        while not self._stopping.wait(pause):
            started = time.monotonic()
            try:
                self.look(started)
            except OSError as error:  # no descriptor left to look with; there may be one at the next look
                _log.warning("connections.not_seen", error=type(error).__name__)
            pause = max(LOOK_SECONDS, (time.monotonic() - started) / LOOKING)

    def look(self, now: float) -> Mapping[Client, str]:
        """Close what is too much, and return it with the reasons."""
        there = _connected(self._port)
        self._since = {client: self._since.get(client, now) for client in there}
        self._served.intersection_update(there)
        busy: Container[Client] = self._busy
        held = [Held(one, one in busy, one in self._served, since) for one, since in self._since.items()]
        closing = surplus(held, self._bounds, now)
        for client in closing:
            _close(there[client], client)
        for reason, count in Counter(closing.values()).items():
            _log.warning("connections.closed", reason=reason, count=count)
        return closing


def _connected(port: int) -> dict[Client, int]:
    """The clients that are connected to a port of ours, with their descriptors."""
    found: dict[Client, int] = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 it is done often, and is ten times as fast
        own = address_of(int(name), own=True)
        if own is not None and own[1] == port and (client := address_of(int(name))):
            found.setdefault(client, int(name))  # a download has a second handle of its own
    return found


def _close(descriptor: int, client: Client) -> None:
    handle = open_again(descriptor, client)
    if handle is None:
        return
    with handle:
        try:
            # nothing is left behind, not even its last state in the kernel
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            handle.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it left by itself
