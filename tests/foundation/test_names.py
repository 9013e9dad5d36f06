"""Names that lead inside, asked of a real name server over UDP. The trip-wire on 127.0.0.1 sees nobody."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foundation.names import Names
from foundation.wire import BODY, INNER, INNER6, OK, Handler, contexts, fetched, moved, opened, servers, try_one, whole
from seedance_api.foundation.address import UNREACHABLE, Blocked
from seedance_api.foundation.outcome import Downloaded, Unreachable

PUBLIC = "127.0.0.2"
REFUSED = Blocked("address", UNREACHABLE, "public.test")
URL = "http://public.test:PORT/a.png"


Fetch = Callable[..., tuple[object, int]]


@pytest.fixture(scope="module")
def server() -> Iterator[Names]:
    with Names() as names:
        yield names


@pytest.fixture
def fetch(server: Names, tmp_path: Path) -> Fetch:
    """What a download of public.test comes to with these names, and how many requests the public side got."""

    def run(handler: Handler | None = None, *, resumes: int = 0, **zone: list[list[str]]) -> tuple[object, int]:
        look_up = server.serve(**zone).look_up
        (tmp_path / "a").unlink(missing_ok=True)
        outcome, wire = try_one(handler or whole(), tmp_path / "a", URL, resolver=look_up, resumes=resumes)
        assert not wire.requests or b"\r\nhost: public.test:" in wire.requests[0].lower()
        return outcome, len(wire.requests)

    return run


@pytest.mark.parametrize("inner", [*INNER, *INNER6])
def test_a_name_of_an_inner_address(fetch: Fetch, inner: str) -> None:
    assert fetch(public_test=[[inner]]) == (REFUSED, 0)


@pytest.mark.parametrize("inner", [*INNER, *INNER6])
def test_a_name_of_a_public_and_an_inner_address(fetch: Fetch, inner: str) -> None:
    for turn in ([PUBLIC, inner], [inner, PUBLIC], [PUBLIC, inner, PUBLIC]):
        assert fetch(public_test=[turn]) == (REFUSED, 0)


def test_a_name_of_a_public_address(fetch: Fetch, server: Names) -> None:
    outcome, requests = fetch(public_test=[[PUBLIC]])
    assert isinstance(outcome, Downloaded)
    assert (outcome.bytes, requests) == (len(BODY), 1)
    assert server.asked == {"public.test A": 1, "public.test AAAA": 1}


def test_rebinding_with_a_ttl_of_0_finds_no_second_lookup(fetch: Fetch, server: Names) -> None:
    assert isinstance(fetch(public_test=[[PUBLIC], ["127.0.0.1"]])[0], Downloaded)
    assert server.asked["public.test A"] == 1


@pytest.mark.parametrize("status", [302, 303, 307, 308])
def test_rebinding_with_a_ttl_of_0_on_a_redirect_to_itself(fetch: Fetch, server: Names, status: int) -> None:
    assert fetch(moved("/again", status), public_test=[[PUBLIC], ["127.0.0.1"]]) == (REFUSED, 1)
    assert server.asked["public.test A"] == 2


def test_rebinding_between_a_break_and_the_rest(fetch: Fetch) -> None:
    async def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b'ETag: "v1"\r\nContent-Length: 1000\r\n\r\n' + bytes(100))
        await writer.drain()

    assert fetch(cut, resumes=3, public_test=[[PUBLIC], ["127.0.0.1"]]) == (REFUSED, 1)


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_to_a_name_that_leads_inside(fetch: Fetch, server: Names, status: int) -> None:
    handler = moved("http://inside.test:8443/", status)
    outcome, requests = fetch(handler, public_test=[[PUBLIC]], inside_test=[["10.0.0.1"]])
    assert isinstance(outcome, Blocked)
    assert (outcome.code, outcome.message, requests) == ("address", UNREACHABLE, 1)
    assert server.asked["inside.test A"] == 1


@pytest.mark.parametrize("end", [["127.0.0.1"], ["::1"], ["169.254.169.254"], [PUBLIC, "10.0.0.1"]], ids=str)
def test_a_chain_of_aliases_that_ends_inside(fetch: Fetch, end: list[str]) -> None:
    chain = {"public_test": [["=one.test"]], "one_test": [["=two.test"]], "two_test": [["=three.test"]]}
    assert fetch(**chain, three_test=[end]) == (REFUSED, 0)


def test_a_chain_of_aliases_that_ends_outside(fetch: Fetch) -> None:
    outcome, _ = fetch(public_test=[["=one.test"]], one_test=[["=two.test"]], two_test=[[PUBLIC]])
    assert isinstance(outcome, Downloaded)


def test_an_alias_that_has_an_inner_address_of_its_own(fetch: Fetch) -> None:
    assert fetch(public_test=[["=one.test", "127.0.0.1"]], one_test=[[PUBLIC]]) == (REFUSED, 0)


def test_a_ring_of_aliases(fetch: Fetch) -> None:
    assert fetch(public_test=[["=one.test"]], one_test=[["=public.test"]])[0] == Unreachable("connect", UNREACHABLE)


def test_a_name_without_an_address(fetch: Fetch) -> None:
    assert fetch()[0] == Unreachable("connect", UNREACHABLE)


@pytest.mark.parametrize("second", ["public.test", "other.test"], ids=["the same name", "another host"])
def test_no_connection_is_kept_for_the_next_request(tmp_path: Path, server: Names, second: str) -> None:
    """Keep-alive would bring the next request to an address that its own name was not judged by."""
    connections: list[int] = []
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(connections))
        try:
            while True:  # as long as the other side likes
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(OK + b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    async def run(names: Names) -> None:
        async with servers(whole()) as wire, await asyncio.start_server(serve, PUBLIC, 0) as other:
            port = other.sockets[0].getsockname()[1]
            outbound = opened(wire, resolver=names.look_up, extra_ports=frozenset({port}))
            limits = {"max_bytes": 10**6, "total_seconds": 5.0}
            outcomes = [
                await outbound.download(f"http://{host}:{port}/", tmp_path / str(n), **limits)
                for n, host in enumerate(["public.test", second, "public.test"])
            ]
            await outbound.aclose()
            assert [isinstance(one, Downloaded) for one in outcomes] == [True, second != "public.test", False]
            assert wire.touched == 0
        assert len(connections) == len(heads)

    asyncio.run(run(server.serve(public_test=[[PUBLIC], ["127.0.0.1"]], other_test=[[PUBLIC]])))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_of_the_environment_is_no_way_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Names, scheme: str
) -> None:
    """The trip-wire itself is named as the proxy."""
    tls, client = contexts(tmp_path)

    async def run() -> None:
        async with servers(whole(), tls if scheme == "https" else None) as wire:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{wire.port}")
            url = wire.url(host="public.test", scheme=scheme)
            outcome = await fetched(wire, tmp_path / "a", url, resolver=server.look_up, tls=client)
            assert isinstance(outcome, Downloaded)
            assert wire.touched == 0

    server.serve(public_test=[[PUBLIC]])
    asyncio.run(run())
