"""Which connections are closed, and that they are: real sockets of this process."""

import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from seedance_api.foundation.connections import Bounds, Client, Connections, Held, surplus

NOBODY = Bounds(max_connections=1000, of_one=0)


def held(address: str, number: int, *, busy: bool = False, served: bool = False, since: float = 0.0) -> list[Held]:
    return [Held((address, 1000 + at), busy, served, since + at) for at in range(number)]


def test_of_one_address_those_that_came_last_go() -> None:
    many, one = held("192.0.2.1", 6), held("192.0.2.2", 1)
    bounds = Bounds(max_connections=1000, of_one=4)
    assert surplus(many + one, bounds, 100) == {("192.0.2.1", 1004): "address", ("192.0.2.1", 1005): "address"}
    assert surplus(many + one, NOBODY, 100) == {}


def test_those_that_wait_for_an_answer_stay_before_those_that_do_not() -> None:
    idle, busy = held("192.0.2.1", 4), [Held(("192.0.2.1", 1), True, False, 50.0)]
    assert surplus(idle + busy, Bounds(max_connections=1000, of_one=4), 100) == {("192.0.2.1", 1003): "address"}


def test_a_customer_has_many_addresses_of_ipv6_and_a_proxy_many_customers() -> None:
    near = [Held((f"2001:db8::{at:x}", 9), False, False, at) for at in range(1, 4)]
    far = [Held(("2001:db8:0:1::1", 9), False, False, 0.0)]
    mapped = held("::ffff:10.0.0.9", 5)
    bounds = Bounds(max_connections=1000, of_one=2, proxies=(ip_network("10.0.0.0/8"),))
    assert surplus(near + far + mapped, bounds, 100) == {("2001:db8::3", 9): "address"}


def test_when_it_is_crowded_the_idle_ones_go_and_the_busy_stay() -> None:
    """Above three quarters, down to a half; who never asked before who did, the oldest first, none of this moment."""
    bounds = Bounds(max_connections=100, of_one=0, idle_seconds=1)
    busy, new = held("192.0.2.1", 40, busy=True), held("192.0.2.2", 10, since=199.5)
    asked, never = held("192.0.2.3", 20, served=True), held("192.0.2.4", 20, since=5)
    assert surplus(busy + new[:1] + asked[:14] + never, bounds, 200) == {}  # 75
    closed = surplus(busy + new + asked + never, bounds, 200)
    assert set(closed.values()) == {"crowded"}
    assert set(closed) == {one.client for one in never + asked}  # 90 - 40 = 50
    some = surplus(busy + asked + never, bounds, 200)
    assert set(some) == {one.client for one in never} | {one.client for one in asked[:10]}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening


def test_what_is_too_much_is_closed_and_the_rest_is_not(listener: socket.socket) -> None:
    port: int = listener.getsockname()[1]
    connections = Connections(port, Bounds(max_connections=1000, of_one=3))
    outer: list[socket.socket] = []
    inner: dict[Client, socket.socket] = {}
    try:
        for _ in range(5):
            outer.append(socket.create_connection(("127.0.0.1", port), 5))
            accepted, client = listener.accept()
            inner[client] = accepted
        connections.begin(outer[4].getsockname())
        closed = connections.look(1.0)
        assert len(closed) == 2
        assert outer[4].getsockname() not in closed
        for client, accepted in inner.items():
            accepted.settimeout(5 if client in closed else 0.01)
            if client in closed:
                assert accepted.recv(1) == b""  # the web server sees its client leave
            else:
                with pytest.raises(TimeoutError):
                    accepted.recv(1)
        assert set(connections._since) == set(inner)
    finally:
        for one in [*outer, *inner.values()]:
            one.close()
    assert connections.look(2.0) == {}
    assert not connections._since
