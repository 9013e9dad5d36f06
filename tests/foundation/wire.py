"""The wire of the hostile tests: 127.0.0.2 plays the public internet; on 127.0.0.1 a trip-wire counts visits."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.outcome import Downloaded

BODY = b"\x89PNG body " * 1000
OK = b"HTTP/1.1 200 OK\r\n"
Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

INNER = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.9.10"),
    *("169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1"),
    *(
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "168.63.129.16",
        "224.0.0.1",
    ),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
]
INNER6 = [
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:168.63.129.16"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b::a83f:8110", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2002:a83f:8110::"),
    *("2001:0:7f00:1::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "fc00::1", "fd00:ec2::254"),
    *("fe80::1", "fec0::1", "ff02::1"),
]


class Wire:
    """The public server's address, what it was sent, and how often somebody touched the inside."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[bytes] = []
        self.touched = 0
        self.sent = 0

    def url(self, path: str = "/a.png", host: str = "127.0.0.2", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def servers(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """A public server, and a trip-wire on the same port of 127.0.0.1."""

    async def public(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            wire.requests.append(head)
            await handler(head, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    async def inside(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.touched += 1
        writer.transport.abort()

    trip = await asyncio.start_server(inside, "127.0.0.1", 0)
    wire = Wire(trip.sockets[0].getsockname()[1])
    # the one on 127.0.0.1 first: there other tests' servers take ports by chance, and on 127.0.0.2 hardly anybody
    async with trip, await asyncio.start_server(public, "127.0.0.2", wire.port, ssl=tls):
        yield wire


def resolver(
    *answers: list[str],
) -> tuple[Callable[..., list[tuple[int, int, int, str, tuple[object, ...]]]], list[str]]:
    """Answers in turn, the last one for ever; the list has every name that was asked for."""
    asked: list[str] = []

    def look_up(host: str, port: int, *_: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        turn = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (
                socket.AF_INET6 if ":" in ip else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (ip, port) if ":" not in ip else (ip, port, 0, 0),
            )
            for ip in turn
        ]

    return look_up, asked


def opened(wire: Wire, **options: object) -> Outbound:
    given: dict[str, object] = {
        "allow_http": True,
        "extra_ports": frozenset({wire.port}),
        "allow_networks": ("127.0.0.2/32",),
        "failure_step_seconds": 0.01,
    }
    return Outbound(**(given | options))  # pyright: ignore[reportArgumentType]


async def fetched(wire: Wire, to: Path, url: str = "", **options: object) -> object:
    limits = {"max_bytes": 1_000_000, "total_seconds": 5.0}
    named = ("max_bytes", "total_seconds", "max_redirects", "resumes", "min_bytes_per_second", "window_seconds")
    limits |= {key: options.pop(key) for key in named if key in options}
    outbound = opened(wire, **options)
    try:
        return await outbound.download(url or wire.url(), to, **limits)  # pyright: ignore[reportArgumentType]
    finally:
        await outbound.aclose()


def answer(head: bytes, body: bytes = b"") -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"\r\n" + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return handler


def whole(body: bytes = BODY, extra: bytes = b"") -> Handler:
    return answer(OK + b"Content-Length: %d\r\n%s" % (len(body), extra), body)


def moved(location: str, status: int = 302) -> Handler:
    return answer(b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n" % (status, location.encode()))


def try_one(handler: Handler, to: Path, url: str = "", **options: object) -> tuple[object, Wire]:
    async def run() -> tuple[object, Wire]:
        async with servers(handler) as wire:
            outcome = await fetched(wire, to, url.replace("PORT", str(wire.port)), **options)
        return outcome, wire

    outcome, wire = asyncio.run(run())
    assert wire.touched == 0, "something connected to the inside"
    assert isinstance(outcome, Downloaded) == to.exists(), "a file is there exactly when all of it is"
    return outcome, wire


def endless(head: bytes, frame: Callable[[bytes], bytes] = bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"\r\n")
        piece = frame(bytes(65536))
        for _piece in range(10 * 2**30 // 65536):
            writer.write(piece)
            await writer.drain()

    return handler


# TLS, with a certificate for public.test that serves these tests only, good until 2126

CERTIFICATE = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7a6xSY2KD/XyuGsC
2HYmgbKLDmd8Yl2f+hRn4jTT4+ChRANCAAS/MmhEwVRsarRaKsfRAz9HuUn8nyJy
3JmI+L6r3hvjMAZ1DvFPjetuPH8wQz6WXfBbL9S8Fep4uTBwLUwOzoxz
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUFa5/1tE5bvRf6b8MGF3mprrRXxkwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLcHVibGljLnRlc3QwIBcNMjYxMTIzMTQ1NjIxWhgPMjEyNjEw
MzAxNDU2MjFaMBYxFDASBgNVBAMMC3B1YmxpYy50ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEvzJoRMFUbGq0WirH0QM/R7lJ/J8ictyZiPi+q94b4zAGdQ7x
T43rbjx/MEM+ll3wWy/UvBXqeLkwcC1MDs6Mc6NrMGkwHQYDVR0OBBYEFNNx+nAW
imBc3Nz/VZMbew3Iu7QmMB8GA1UdIwQYMBaAFNNx+nAWimBc3Nz/VZMbew3Iu7Qm
MA8GA1UdEwEB/wQFMAMBAf8wFgYDVR0RBA8wDYILcHVibGljLnRlc3QwCgYIKoZI
zj0EAwIDSAAwRQIgCcSzGjg14vs2l43rlLjV73h1IANfuchem6CxxtaxWvACIQCW
n+VfI+jO/l9r8RQ3+/Bc6lfywOdCFKPbtN+sSNdHtA==
-----END CERTIFICATE-----"""


def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    pem = tmp_path / "public.test.pem"
    pem.write_text(CERTIFICATE)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))
