"""Connections that ask for much, or for nothing: everybody else is served all the same."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import psutil
import pytest

from security.attack import address, parsed, raw, refused
from security.test_floods import memory
from seedance_api.foundation.process import allow_open_files
from stage import Service, free_port, fresh_database, until

MIB = 1 << 20
WITHIN = 8.0
"""Seconds within which somebody else is served; it takes a few of them only where the crowd comes all at once."""


@pytest.fixture(autouse=True)
def files() -> None:
    allow_open_files()


@contextmanager
def crowd(
    service: Service, number: int, *, source: str = "127.0.0.1", says: bytes = b""
) -> Iterator[list[socket.socket]]:
    """So many connections from an address, each of which says something and then waits."""
    with ExitStack() as stack:
        made: list[socket.socket] = []
        for _ in range(number):
            with suppress(ConnectionError):  # it may be closed already, which is the server's right
                one = stack.enter_context(socket.create_connection(address(service), 20, source_address=(source, 0)))
                made.append(one)
                one.sendall(says)
        yield made


def is_open(one: socket.socket) -> bool:
    """Whether the server has left a connection open."""
    one.setblocking(False)
    try:
        return one.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def served(service: Service, source: str | None = None) -> float:
    """How long it takes to be served, over a new connection."""
    started = time.monotonic()
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(base_url=service.url, timeout=WITHIN, transport=transport) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/v1/models", headers={"Authorization": f"Bearer {service.key}"}).status_code == 200
    return time.monotonic() - started


def apis(service: Service) -> list[psutil.Process]:
    """The API processes: those children that hold the port."""
    port = address(service)[1]
    return [
        one
        for one in psutil.Process(service.process.pid).children()
        if any(each.laddr.port == port for each in one.net_connections("tcp"))
    ]


def test_sockets_that_ask_for_nothing_shut_nobody_out(service: Service) -> None:
    with crowd(service, 1500):
        assert served(service) < WITHIN


def test_half_sent_heads_are_bounded_in_memory(service: Service) -> None:
    """1,000 heads of 390 kB were 386 MB."""
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "
    (api,) = apis(service)
    before = memory(api)
    with crowd(service, 1000, says=head + b"a" * 31_000):
        assert served(service) < WITHIN
        assert memory(api) - before < 100 * MIB
    with crowd(service, 300, says=head + b"a" * 390_000):
        assert served(service) < WITHIN
        assert memory(api) - before < 100 * MIB


def test_a_head_has_32_kib(service: Service) -> None:
    """And what comes with its last read."""
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-A: "
    assert parsed(raw(service, head + b"a" * 30_000 + b"\r\n\r\n")).status_code == 200
    assert parsed(raw(service, head + b"a" * 80_000 + b"\r\n\r\n")).status_code == 431


def test_the_streams_of_one_key_are_bounded_and_others_are_served(service: Service) -> None:
    """1,100 streams of one test key shut the whole API."""
    key, other = service.new_key(), service.new_key(email=service.new_account()["email"])
    with service.client() as client:
        body = {"prompt": "[sandbox:stall] x", "duration": 4, "resolution": "480p"}
        path = f"/v1/videos/{client.post('/v1/videos', json=body).json()['id']}"
        ask = f"GET {path}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        with crowd(service, 1100, says=ask) as streams:
            answers = [one.recv(65536) for one in streams]
            taken = [one for one in answers if one.startswith(b"HTTP/1.1 200")]
            assert len(taken) == 64
            assert all(one.startswith(b"HTTP/1.1 429") for one in answers if one not in taken)
            error = refused(client.get(f"{path}/events"), 429, code="too_many_streams")
            assert "64" in error["message"]
            assert served(service) < WITHIN
            elsewhere = client.get("/v1/videos/vid_x/events", headers={"Authorization": f"Bearer {other}"})
            assert elsewhere.status_code == 404
        client.post(f"{path}/cancel")

        def again() -> bool:  # what was closed makes room
            with client.stream("GET", f"{path}/events") as stream:
                return stream.status_code == 200

        until(again, 20)


@pytest.fixture(scope="module")
def small(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with few connections, of which loopback is no proxy."""
    with fresh_database(postgres) as url:
        started = Service(
            url, tmp_path_factory.mktemp("small"), connections="128", connections_per_address="20",
            proxy_networks="127.0.0.1/32", health_port=str(free_port("127.0.0.1")),
        )  # fmt: skip
        yield started
        started.stop()


def test_an_address_has_so_many_connections_and_others_are_served(small: Service) -> None:
    with crowd(small, 60, source="127.0.0.9") as many:
        until(lambda: sum(map(is_open, many)) <= 20, 20)
        assert served(small, "127.0.0.10") < WITHIN
        assert sum(map(is_open, many)) == 20
        assert all(map(is_open, many[:15])), "those that were there first stay"
    assert served(small, "127.0.0.9") < WITHIN
    with crowd(small, 60) as proxied:
        assert served(small) < WITHIN
        assert sum(map(is_open, proxied)) == 60


def test_a_crowd_of_many_addresses_makes_room_for_whoever_asks(small: Service) -> None:
    """As many connections as there may be and more, none above its address's bound: the idle ones are closed."""
    with ExitStack() as stack:
        for number in range(15):
            stack.enter_context(crowd(small, 19, source=f"127.0.1.{number + 1}"))
        assert served(small, "127.0.0.10") < WITHIN


def test_the_probes_have_a_port_of_their_own(small: Service) -> None:
    port = int(small.environment["SEEDANCE_HEALTH_PORT"])
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        for number in range(20):
            stack.enter_context(crowd(small, 19, source=f"127.0.1.{number + 1}"))
        for _ in range(100):  # and whoever fills the port of the probes is pushed out of it
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        for path in ("/healthz", "/readyz"):
            answer = httpx.get(url + path, trust_env=False, timeout=WITHIN)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
            assert answer.headers["cache-control"] == "no-store"
    assert httpx.get(url + "/v1/models", trust_env=False).status_code == 404
    assert httpx.post(url + "/healthz", trust_env=False).status_code == 404
