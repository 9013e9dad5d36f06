"""Hostile addresses. 127.0.0.2 plays the public internet; on 127.0.0.1, inside, a trip-wire counts visits."""

import asyncio
import gzip
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from foundation.wire import (
    BODY,
    INNER,
    INNER6,
    OK,
    Handler,
    answer,
    contexts,
    endless,
    fetched,
    moved,
    opened,
    resolver,
    servers,
    try_one,
    whole,
)
from seedance_api.foundation.address import UNREACHABLE, Blocked, policy, port_of, vet
from seedance_api.foundation.lookup import ZONE_SLOTS, _zone, timed
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.outcome import Downloaded, Posted, TooLarge, TooSlow, Unreachable
from seedance_api.foundation.response import retry_after

RULES = policy(allow_http=False, extra_ports=frozenset(), allow_networks=(), deny_networks=())

# --- which addresses ---

PUBLIC = ["8.8.8.8", "1.1.1.1", "192.0.0.9", "203.0.112.255"]
PUBLIC6 = ["2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


def spellings(dotted: str) -> list[str]:
    """All the ways `inet_aton` reads one address."""
    a, b, c, d = (int(part) for part in dotted.split("."))
    number = (a << 24) | (b << 16) | (c << 8) | d
    return [
        str(number),
        f"0{number:o}",
        hex(number),
        f"0x{number:X}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"0{a:o}.{b}.{c}.{d}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"{a}.{(b << 16) | (c << 8) | d}",
        f"{a}.{b}.{(c << 8) | d}",
        f"{a:#x}.{(b << 16) | (c << 8) | d}",
        f"{dotted}.",
        f"[{dotted}]",
    ]


def refused(url: str, **options: object) -> Blocked | None:
    async def run() -> Blocked | None:
        outbound = Outbound(**options)  # pyright: ignore[reportArgumentType]
        try:
            return outbound.refuse(url)
        finally:
            await outbound.aclose()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def judge() -> Callable[[str], Blocked | None]:
    return Outbound().refuse


@pytest.mark.parametrize("host", [*INNER, *(f"[{h}]" for h in INNER6), *(f"[::ffff:{h}]" for h in INNER)])
def test_an_inner_address_is_refused_like_a_dead_one(judge: Callable[[str], object], host: str) -> None:
    verdict = judge(f"https://{host}/a.png")
    assert isinstance(verdict, Blocked)
    assert (verdict.code, verdict.message) == ("address", UNREACHABLE)


@pytest.mark.parametrize("host", [*PUBLIC, *(f"[{h}]" for h in PUBLIC6), *(f"[::ffff:{h}]" for h in PUBLIC)])
def test_a_public_address_is_allowed(judge: Callable[[str], object], host: str) -> None:
    assert judge(f"https://{host}/a.png") is None


@pytest.mark.parametrize("host", [s for h in [*INNER, *PUBLIC] for s in spellings(h)])
def test_an_address_in_disguise_is_refused(judge: Callable[[str], object], host: str) -> None:
    verdict = judge(f"https://{host}/a.png")
    assert isinstance(verdict, Blocked)
    assert verdict.code in {"host", "url"}


@pytest.mark.parametrize("host", [f"[{h}%{zone}]" for h in [*INNER6, *PUBLIC6] for zone in ("eth0", "25eth0", "1")])
def test_a_zone_id_is_refused(judge: Callable[[str], object], host: str) -> None:
    assert isinstance(judge(f"https://{host}/a.png"), Blocked)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("ftp://example.com/", "scheme"),
        ("javascript:alert(1)", "url"),
        ("//example.com/", "url"),
        ("https:/example.com/", "url"),
        ("https:///a", "host"),
        ("", "url"),
        ("https://public@127.0.0.1/", "userinfo"),
        ("https://8.8.8.8@127.0.0.1/", "userinfo"),
        ("https://a:b@example.com/", "userinfo"),
        ("https://@example.com/", "userinfo"),
        ("https://127.0.0.1#@example.com/", "fragment"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com\\@127.0.0.1/", "url"),
        ("https://127.0.0.1\\@example.com/", "url"),
        ("https://example.com\t.evil/", "url"),
        ("https://127.0.0\n.1/", "url"),
        ("https://exam\rple.com/", "url"),
        (" https://example.com/", "url"),
        ("https://example.com/ a", "url"),
        ("https://example.com/\x00", "url"),
        ("https://１２７.0.0.1/", "host"),
        ("https://127。0。0。1/", "host"),
        ("https://ⓛocalhost/", "host"),
        ("https://ex%61mple.com/", "host"),
        ("https://127.0.0.1%2f@example.com/", "userinfo"),
        ("https://example..com/", "host"),
        ("https://.example.com/", "host"),
        ("https://example.com./", "host"),
        ("https://127.0.0.1.0x1/", "host"),
        ("https://example.com:80/", "port"),
        ("https://example.com:22/", "port"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:x/", "url"),
        ("https://[::1/", "url"),
        ("https://" + "a" * 9000 + ".com/", "url"),
        ("https://" + ("a" * 60 + ".") * 5 + "com/", "host"),
    ],
)
def test_a_doubtful_url_is_refused(judge: Callable[[str], object], url: str, code: str) -> None:
    verdict = judge(url)
    assert isinstance(verdict, Blocked)
    assert verdict.code == code
    assert "secret" not in verdict.message


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://example.com/a.png?q=é", 443),
        ("HTTPS://EXAMPLE.COM", 443),
        ("https://example.com:8443/a%20b", 8443),
        ("https://xn--mnchen-3ya.example/a", 443),
        ("https://3com.example.7z/", 443),
        ("https://example.com?@127.0.0.1", 443),
    ],
)
def test_an_ordinary_url_is_allowed(judge: Callable[[str], object], url: str, port: int) -> None:
    assert judge(url) is None
    vetted = vet(url, RULES)
    assert not isinstance(vetted, Blocked)
    assert port_of(vetted) == port


def test_the_operator_widens_and_narrows() -> None:
    assert refused("http://example.com/", allow_http=True) is None
    assert refused("https://example.com:9000/", extra_ports=frozenset({9000})) is None
    assert refused("https://127.0.0.2/", allow_networks=("127.0.0.2/32",)) is None
    for other in ("127.0.0.1", "127.0.0.3", "10.0.0.1", "[::ffff:127.0.0.2]"):
        assert refused(f"https://{other}/", allow_networks=("127.0.0.2/32",))
    assert refused("https://8.8.8.8/", deny_networks=("8.8.0.0/16",))
    assert refused("https://[::ffff:8.8.8.8]/", deny_networks=("8.8.0.0/16",))
    # An exception of the registry inside the denied range is denied as well, and so are translations.
    assert refused("https://192.0.0.9/", deny_networks=("192.0.0.0/16", "10.0.0.0/8"))
    assert refused("https://[::ffff:8.8.8.8]/", deny_networks=("::/0",))
    with pytest.raises(ValueError, match="carries an IPv4 destination"):
        Outbound(allow_networks=("64:ff9b::/96",))


# --- the network ---


def test_a_body_arrives_whole(tmp_path: Path) -> None:
    to = tmp_path / "a"
    outcome, wire = try_one(whole(BODY, b"Content-Type: Image/PNG; charset=x\r\nSet-Cookie: a=b\r\n"), to)
    assert outcome == Downloaded(len(BODY), "image/png", sha256(BODY).hexdigest())
    assert to.read_bytes() == BODY
    assert b"accept-encoding: identity" in wire.requests[0].lower()
    assert b"gzip" not in wire.requests[0].lower()


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    to = tmp_path / "a"
    to.write_bytes(b"mine")

    async def run() -> None:
        async with servers(whole()) as wire:
            with pytest.raises(FileExistsError):
                await fetched(wire, to)

    asyncio.run(run())
    assert to.read_bytes() == b"mine"


def test_no_cookie_goes_from_one_download_to_the_next(tmp_path: Path) -> None:
    async def run() -> None:
        async with servers(whole(BODY, b"Set-Cookie: who=alice; Path=/\r\n")) as wire:
            outbound = opened(wire)
            for name in "ab":
                await outbound.download(wire.url(), tmp_path / name, max_bytes=10**6, total_seconds=5)
            await outbound.aclose()
            assert len(wire.requests) == 2
            assert b"alice" not in wire.requests[1]

    asyncio.run(run())


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["127.0.0.2", "127.0.0.1"],
        ["127.0.0.1", "127.0.0.2"],
        ["127.0.0.2", "::1"],
        ["::ffff:127.0.0.1"],
        ["168.63.129.16"],
    ],
)
def test_a_name_with_a_bad_answer_is_refused(tmp_path: Path, answers: list[str]) -> None:
    look_up, asked = resolver(answers)
    outcome, _ = try_one(whole(), tmp_path / "a", "http://public.test:PORT/?secret", resolver=look_up)
    assert outcome == Blocked("address", UNREACHABLE, "public.test")
    assert asked == ["public.test"]


def test_a_name_that_flips_is_looked_up_once(tmp_path: Path) -> None:
    look_up, asked = resolver(["127.0.0.2"], ["127.0.0.1"])
    outcome, wire = try_one(whole(), tmp_path / "a", "http://public.test:PORT/", resolver=look_up)
    assert isinstance(outcome, Downloaded)
    assert asked == ["public.test"]
    assert b"\r\nhost: public.test:" in wire.requests[0].lower()


def test_a_name_that_flips_on_a_redirect_is_refused(tmp_path: Path) -> None:
    look_up, asked = resolver(["127.0.0.2"], ["127.0.0.1"])
    outcome, _ = try_one(moved("/again"), tmp_path / "a", "http://public.test:PORT/", resolver=look_up)
    assert isinstance(outcome, Blocked)
    assert len(asked) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://127.0.0.1:PORT/", "address"),
        ("//127.0.0.1:PORT/", "address"),
        ("http://[::ffff:7f00:1]:PORT/", "address"),
        ("http://2130706433:PORT/", "host"),
        ("file:///etc/passwd", "url"),
        ("gopher://127.0.0.1:PORT/_", "scheme"),
        ("http://127.0.0.2@127.0.0.1:PORT/", "userinfo"),
        ("\\\\127.0.0.1:PORT/", "url"),
        ("http://127.0.0.2:PORT\\@127.0.0.1/", "url"),
    ],
)
def test_a_redirect_to_the_inside_is_refused(tmp_path: Path, status: int, location: str, code: str) -> None:
    async def run() -> tuple[object, int]:
        async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
            await moved(location.replace("PORT", str(wire.port)), status)(head, writer)

        async with servers(handler) as wire:
            return await fetched(wire, tmp_path / "a"), wire.touched

    outcome, touched = asyncio.run(run())
    assert isinstance(outcome, Blocked | Unreachable)
    assert outcome.message == UNREACHABLE
    assert outcome.code in {code, "broken"}  # httpx itself cannot read some of them
    assert touched == 0
    assert not (tmp_path / "a").exists()


def test_three_redirects_are_followed_and_no_more(tmp_path: Path) -> None:
    def chain(length: int) -> Handler:
        async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
            step = int(head.split()[1].lstrip(b"/a.png") or 0)
            await (whole() if step == length else moved(f"/{step + 1}"))(head, writer)

        return handler

    outcome, wire = try_one(chain(3), tmp_path / "a")
    assert isinstance(outcome, Downloaded)
    assert len(wire.requests) == 4
    outcome, wire = try_one(chain(4), tmp_path / "b")
    assert isinstance(outcome, Blocked)
    assert (outcome.code, len(wire.requests)) == ("redirects", 4)
    outcome, wire = try_one(moved("/loop"), tmp_path / "c", max_redirects=0)
    assert isinstance(outcome, Blocked)
    assert len(wire.requests) == 1


def test_no_proxy_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    outcome, _ = try_one(whole(), tmp_path / "a")
    assert isinstance(outcome, Downloaded)


def test_a_dripping_body_meets_the_deadline(tmp_path: Path) -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    started = time.monotonic()
    outcome, _ = try_one(drip, tmp_path / "a", total_seconds=0.3)
    assert isinstance(outcome, TooSlow)
    assert time.monotonic() - started < 3


def test_dripping_headers_and_silence_meet_the_deadline(tmp_path: Path) -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        while True:
            writer.write(b"A: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def silence(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    for handler in (drip, silence):
        outcome, _ = try_one(handler, tmp_path / "a", total_seconds=0.3)
        assert isinstance(outcome, TooSlow)


@pytest.mark.parametrize(
    "handler",
    [
        endless(OK),
        endless(OK + b"Transfer-Encoding: chunked\r\n", lambda data: b"%x\r\n%s\r\n" % (len(data), data)),
        answer(OK + b"Content-Length: 10737418240\r\n", b"x"),
    ],
)
def test_ten_gigabytes_meet_the_cap(tmp_path: Path, handler: Handler) -> None:
    outcome, _ = try_one(handler, tmp_path / "a", max_bytes=300_000)
    assert outcome == TooLarge(300_000, "the file is larger than 0.3 MB")


def test_a_small_content_length_ends_a_large_body(tmp_path: Path) -> None:
    outcome, _ = try_one(endless(OK + b"Content-Length: 100\r\n"), tmp_path / "a", max_bytes=300_000)
    assert isinstance(outcome, Downloaded)
    assert outcome.bytes == 100


@pytest.mark.parametrize("exact", [0, 1])
def test_the_cap_is_exact(tmp_path: Path, exact: int) -> None:
    outcome, _ = try_one(whole(bytes(1000 + exact)), tmp_path / "a", max_bytes=1000)
    assert isinstance(outcome, TooLarge if exact else Downloaded)


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate", b"identity, gzip", b"GZIP"])
def test_a_compressed_answer_is_refused_unread(tmp_path: Path, coding: bytes) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    outcome, _ = try_one(whole(bomb, b"Content-Encoding: %s\r\n" % coding), tmp_path / "a")
    assert isinstance(outcome, Unreachable)
    assert outcome.code == "encoding"


def test_a_short_body_is_no_download(tmp_path: Path) -> None:
    outcome, _ = try_one(answer(OK + b"Content-Length: 100\r\n", b"short"), tmp_path / "a")
    assert outcome == Unreachable("broken", UNREACHABLE)


@pytest.mark.parametrize("status", [204, 206, 304, 403, 404, 500])
def test_a_status_is_told_and_the_body_never(tmp_path: Path, status: int) -> None:
    outcome, _ = try_one(answer(b"HTTP/1.1 %d No\r\n" % status, b"inner words"), tmp_path / "a")
    assert outcome == Unreachable("status", f"the server answered with status {status}", status)


def test_closed_and_refused_look_alike(tmp_path: Path) -> None:
    """The same words, and the same time to within scheduling: both end on a whole step."""

    async def run() -> list[tuple[str, float]]:
        async with servers(whole()) as wire:
            look_up, _ = resolver(["127.0.0.1"])
            spare = socket.create_server(("127.0.0.2", 0))
            closed = spare.getsockname()[1]
            spare.close()
            told: list[tuple[str, float]] = []
            for url, options in (
                (f"http://127.0.0.2:{closed}/", {"extra_ports": frozenset({closed})}),
                (wire.url(host="public.test"), {"resolver": look_up}),
                (wire.url(host="127.0.0.1"), {}),
            ):
                outbound = opened(wire, failure_step_seconds=0.3, **options)
                started = time.monotonic()
                outcome = await outbound.download(url, tmp_path / "a", max_bytes=9, total_seconds=5)
                told.append((getattr(outcome, "message", ""), time.monotonic() - started))
                await outbound.aclose()
            assert wire.touched == 0
            return told

    told = asyncio.run(run())
    assert {message for message, _ in told} == {UNREACHABLE}
    assert min(seconds for _, seconds in told) >= 0.3


def test_a_stalled_lookup_is_given_up(tmp_path: Path) -> None:
    def stall(*_: object) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        time.sleep(2)
        return []

    started = time.monotonic()
    outcome, _ = try_one(whole(), tmp_path / "a", "http://public.test:PORT/", resolver=stall, dns_seconds=0.1)
    assert outcome == Unreachable("connect", UNREACHABLE)
    assert time.monotonic() - started < 1.5


def test_lookups_that_stall_hold_up_their_own_zone_only() -> None:
    going, free, under_way = threading.Event(), threading.Event(), list[str]()

    def stall(host: str, *_: object) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        if host.endswith("stalls.test"):
            under_way.append(host)
            if len(under_way) == ZONE_SLOTS:
                going.set()
            free.wait(20)
        return []

    look_up = timed(stall, 10)
    with ThreadPoolExecutor(2 * ZONE_SLOTS) as pool:
        waiting = [pool.submit(look_up, f"{n}.stalls.test", 443) for n in range(ZONE_SLOTS + 4)]
        assert going.wait(10)
        assert look_up("quick.test", 443) == []
        assert len(under_way) == ZONE_SLOTS
        free.set()
        assert [one.result() for one in waiting] == [[]] * (ZONE_SLOTS + 4)


@pytest.mark.parametrize("host", ["a.stalls.test", "STALLS.test", "b.c.stalls.test.", "stalls.test"])
def test_a_zone_is_what_one_owner_has(host: str) -> None:
    assert _zone(host) == "stalls.test"
    assert _zone("shop.example.co.uk") == _zone("example.co.uk") == "example.co.uk"


@pytest.mark.parametrize(
    ("host", "zone"),
    [
        ("a.b.abc.com", "abc.com"),
        ("b.abc.com.", "abc.com"),
        ("x.y.eu.org", "eu.org"),
        ("one.github.io", "github.io"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("a.inside", "a.inside"),
        ("localhost", "localhost"),
        ("co.uk", "co.uk"),
        ("", ""),
    ],
)
def test_a_short_name_is_one_owners_too(host: str, zone: str) -> None:
    assert _zone(host) == zone


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("7", 7, 7),
        (" 0 ", 0, 0),
        ("9" * 5000, 999_999_999, 999_999_999),
        ("Tue, 24 Nov 2026 09:00:30 GMT", 0, 1e12),
        ("Tue, 24 Nov 1990 09:00:30 GMT", 0, 0),
        ("Tue, 24 Nov 9999 09:00:30", 1e11, 1e12),
    ],
)
def test_when_a_server_wants_to_be_asked_again(text: str, least: float, most: float) -> None:
    seconds = retry_after(text)
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize(
    "text",
    [
        None, "", "soon", "-3", "²", "1e3", "Tue, 24 Nov 2026 09:00:30 +99999999999999999999",
        "Tue, 99 Nov 2026 09:00 GMT",
        "Tue, 24 Nov 2026 09:00:30 -9999999999", "," * 1000,
    ],
)  # fmt: skip
def test_what_says_no_time_is_passed_over(text: str | None) -> None:
    assert retry_after(text) is None


def test_a_name_nobody_knows_is_unreachable(tmp_path: Path) -> None:
    def unknown(*_: object) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    outcome, _ = try_one(whole(), tmp_path / "a", "http://public.test:PORT/", resolver=unknown)
    assert outcome == Unreachable("connect", UNREACHABLE)


def test_the_query_is_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    look_up, _ = resolver(["127.0.0.2"])
    try_one(whole(), tmp_path / "a", "http://public.test:PORT/?token=canary", resolver=look_up)
    try_one(whole(), tmp_path / "b", "http://127.0.0.1:PORT/?token=canary")
    assert "canary" not in caplog.text


def test_a_cancelled_download_leaves_no_file(tmp_path: Path) -> None:
    async def run() -> None:
        async with servers(endless(OK + b"Content-Length: 10737418240\r\n")) as wire:
            task = asyncio.create_task(fetched(wire, tmp_path / "a", max_bytes=2**40))
            while not (tmp_path / "a").exists():
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert not (tmp_path / "a").exists()


# --- TLS, with a certificate for public.test that serves these tests only, good until 2126 ---


@pytest.mark.parametrize(("name", "good"), [("public.test", True), ("other.test", False), ("127.0.0.2", False)])
def test_the_certificate_must_be_the_names(tmp_path: Path, name: str, good: bool) -> None:
    server, client = contexts(tmp_path)
    look_up, _ = resolver(["127.0.0.2"])

    async def run() -> object:
        async with servers(whole(), server) as wire:
            return await fetched(
                wire, tmp_path / "a", wire.url(host=name, scheme="https"), resolver=look_up, tls=client
            )

    outcome = asyncio.run(run())
    assert isinstance(outcome, Downloaded) if good else outcome == Unreachable("connect", UNREACHABLE)


def test_https_never_becomes_http(tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    look_up, _ = resolver(["127.0.0.2"])

    async def run() -> object:
        async with servers(whole()) as plain, servers(moved(plain.url()), server) as wire:
            outcome = await fetched(
                wire,
                tmp_path / "a",
                wire.url(host="public.test", scheme="https"),
                resolver=look_up,
                tls=client,
                extra_ports=frozenset({wire.port, plain.port}),
            )
            assert plain.requests == []
            return outcome

    assert asyncio.run(run()) == Blocked("downgrade", UNREACHABLE, "127.0.0.2")


# --- resumption and the floor on speed ---

TAG = b'ETag: "v1"\r\n'


def asked_range(head: bytes) -> int | None:
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith(b"range:")]
    return int(lines[0].split(b"=")[1].rstrip(b"-")) if lines else None


def cutting(body: bytes, cuts: list[int], *, tag: bytes = TAG, ranges: bool = True) -> Handler:
    """Serves `body`, breaking off so many bytes into it the first times; then whole."""
    left = list(cuts)

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        start = asked_range(head) if ranges and tag and tag.split()[1] in head else None
        part = body[start or 0 :]
        if start is None:
            writer.write(OK + tag + b"Content-Length: %d\r\n\r\n" % len(part))
        else:
            where = b"Content-Range: bytes %d-%d/%d\r\n" % (start, len(body) - 1, len(body))
            writer.write(b"HTTP/1.1 206 Partial Content\r\n" + where + b"Content-Length: %d\r\n\r\n" % len(part))
        until = left.pop(0) if left else len(part)
        writer.write(part[:until])
        await writer.drain()
        await asyncio.sleep(0.05)  # for the bytes to be read before the reset

    return handler


BIG = bytes(range(256)) * 12_000


@pytest.mark.parametrize(("ranges", "tag"), [(True, TAG), (False, TAG), (True, b""), (True, b'ETag: W/"v1"\r\n')])
def test_a_cut_download_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranges: bool, tag: bytes) -> None:
    """By the rest of the file where the server says which file it is, else from the beginning."""
    monkeypatch.setattr("seedance_api.foundation.outbound.RESUME_SECONDS", 0.01)
    handler = cutting(BIG, [1_500_000, 700_000, 10], tag=tag, ranges=ranges)
    outcome, wire = try_one(handler, tmp_path / "a", max_bytes=2**23, resumes=3)
    assert isinstance(outcome, Downloaded)
    assert (outcome.bytes, outcome.sha256) == (len(BIG), sha256(BIG).hexdigest())
    assert (tmp_path / "a").read_bytes() == BIG
    starts = [asked_range(head) for head in wire.requests]
    if tag != TAG:
        assert starts == [None, None, None, None]
    elif ranges:
        assert starts == [None, 1_500_000, 2_200_000, 2_200_010]
    else:
        assert starts == [None, 1_500_000, 700_000, 10]


def test_resumes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance_api.foundation.outbound.RESUME_SECONDS", 0.01)
    outcome, wire = try_one(cutting(BIG, [10] * 9), tmp_path / "a", max_bytes=2**23, resumes=2)
    assert outcome == Unreachable("broken", UNREACHABLE)
    assert len(wire.requests) == 3
    assert not (tmp_path / "a").exists()
    _, wire = try_one(cutting(BIG, [10] * 9), tmp_path / "a", max_bytes=2**23)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "where", [b"bytes 5-99/100", b"bytes 10-3071999/99", b"bytes */3072000", b"items 10-3071999/3072000", b""]
)
def test_a_part_of_another_file_is_not_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: bytes) -> None:
    monkeypatch.setattr("seedance_api.foundation.outbound.RESUME_SECONDS", 0.01)
    first = cutting(BIG, [10])

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        if asked_range(head) is None:
            await first(head, writer)
        else:
            writer.write(b"HTTP/1.1 206 Partial\r\nContent-Range: " + where + b"\r\nContent-Length: 4\r\n\r\nevil")
            await writer.drain()

    outcome, wire = try_one(handler, tmp_path / "a", max_bytes=2**23, resumes=3)
    assert isinstance(outcome, Downloaded)
    assert outcome.sha256 == sha256(BIG).hexdigest()
    assert [asked_range(head) for head in wire.requests] == [None, 10, None]


def test_the_cap_holds_over_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance_api.foundation.outbound.RESUME_SECONDS", 0.01)
    handler = cutting(BIG, [1_500_000])
    outcome, _ = try_one(handler, tmp_path / "a", max_bytes=len(BIG) - 1, resumes=3)
    assert isinstance(outcome, TooLarge)
    assert not (tmp_path / "a").exists()


def test_a_trickle_is_ended_early(tmp_path: Path) -> None:
    async def trickle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 1000000\r\n\r\n" + bytes(200_000))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    started = time.monotonic()
    outcome, wire = try_one(
        trickle, tmp_path / "a", total_seconds=20.0, min_bytes_per_second=10_000, window_seconds=0.3, resumes=5
    )
    assert outcome == TooSlow(0.3, "the server sent less than 10000 bytes a second")
    assert time.monotonic() - started < 5
    assert len(wire.requests) == 1
    assert not (tmp_path / "a").exists()


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"not ours")
    with pytest.raises(FileExistsError):
        try_one(whole(), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"not ours"


def test_the_body_of_an_answer_to_a_post_is_not_read() -> None:
    """A receiver that answers 200 with a gigabyte costs its head."""

    async def run() -> object:
        async with servers(endless(OK + b"Content-Length: 1073741824\r\n")) as wire:
            outbound = opened(wire)
            try:
                return await outbound.post(wire.url(), b"{}", total_seconds=5)
            finally:
                await outbound.aclose()

    tracemalloc.start()
    assert asyncio.run(run()) == Posted(200)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
