"""Raw bytes that two servers might read differently, or that never end: one table, one judgement.

Each gets a 4xx or a closed connection. None makes a 5xx, none gets a second answer, and the request log has at most one
row of it, in which there is nothing of what was sent.
"""

import socket
import time
from contextlib import suppress
from typing import NamedTuple

import pytest

from security.attack import address, rows
from stage import Service, until

POST = "POST /v1/videos/quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {key}\r\n"
GET = "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
SECOND = b"GET /v1/account-of-somebody HTTP/1.1\r\nHost: x\r\n\r\n"
"""What is smuggled: nobody else asks for this address."""
BODY = b'{"prompt":"x"}'
CANARY = "c4n4ry"


class Case(NamedTuple):
    """The head without its last line, what comes after it, and how many rows the log may have of it."""

    head: str
    body: bytes = b""
    rows: int = 1
    may_pass: bool = False
    """Whether RFC 9112 lets a server take it, as ours does: then once, and nothing behind it."""


def chunked(*lines: str, body: bytes = BODY, may_pass: bool = False) -> Case:
    """A request whose length is told twice or oddly, with a second request behind one reading of it."""
    return Case(
        POST + "".join(f"{line}\r\n" for line in lines),
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) + SECOND,
        may_pass=may_pass,
    )


CASES = {
    # the length, told in two ways
    "CL.TE": chunked("Content-Length: 5", "Transfer-Encoding: chunked", may_pass=True),
    "TE.CL": chunked("Transfer-Encoding: chunked", "Content-Length: 5", may_pass=True),
    "CL.0 and TE": chunked("Content-Length: 0", "Transfer-Encoding: chunked", may_pass=True),
    "TE.TE": chunked("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "TE.TE, one unknown": chunked("Transfer-Encoding: cow", "Transfer-Encoding: chunked"),
    "TE with a list": chunked("Transfer-Encoding: chunked, identity"),
    "TE with a vertical tab": chunked("Transfer-Encoding: \x0bchunked"),
    "TE in quotes": chunked('Transfer-Encoding: "chunked"'),
    "TE with a space before the colon": chunked("Transfer-Encoding : chunked"),
    "TE folded": chunked("Transfer-Encoding:\r\n chunked"),
    "TE behind a bare LF": chunked("X-A: b\nTransfer-Encoding: chunked", may_pass=True),
    "TE behind a bare CR": chunked("X-A: b\rTransfer-Encoding: chunked"),
    "TE in HTTP/1.0": Case(POST.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SECOND),
    "two lengths that differ": Case(POST + "Content-Length: 14\r\nContent-Length: 0\r\n", BODY + SECOND),
    "two lengths in a list": Case(POST + "Content-Length: 14, 0\r\n", BODY + SECOND),
    "a length that is negative": Case(POST + "Content-Length: -14\r\n", BODY + SECOND),
    "a length with a sign": Case(POST + "Content-Length: +14\r\n", BODY + SECOND),
    "a length in hexadecimal": Case(POST + "Content-Length: 0xe\r\n", BODY + SECOND),
    "a length above 64 bits": Case(POST + f"Content-Length: {2**64 + 14}\r\n", BODY + SECOND),
    "a length with letters": Case(POST + "Content-Length: 14a\r\n", BODY + SECOND),
    # lines
    "obs-fold": Case(GET + "X-A: a\r\n b\r\n"),
    "a header behind a bare LF": Case(GET + "X-A: a\nX-B: b\r\n", may_pass=True),
    "a header behind a bare CR": Case(GET + "X-A: a\rX-B: b\r\n"),
    "only bare LF": Case(GET.replace("\r\n", "\n"), may_pass=True),
    "a space before the colon": Case(GET + "X-A : a\r\n"),
    "a line without a colon": Case(GET + "nonsense\r\n"),
    "a header without a name": Case(GET + ": a\r\n"),
    "a NUL in a value": Case(GET + "X-A: a\0b\r\n"),
    "a NUL in a name": Case(GET + "X\0A: b\r\n"),
    "a NUL in the path": Case(GET.replace("/v1/models", "/v1/mod\0els")),
    "a NUL in the key": Case(GET.replace("{key}", "{key}\0")),
    "a blank in the path": Case(GET.replace("/v1/models", "/v1/mod els")),
    "a method of control characters": Case(GET.replace("GET", "G\x01T")),
    "a version of its own": Case(GET.replace("HTTP/1.1", "HTTP/9.9")),
    "no HTTP": Case("\x16\x03\x01\x02\x00\x01"),
    # much
    "100,000 headers": Case(GET + "X-A: b\r\n" * 100_000, rows=0),
    "101 headers": Case(GET + "".join(f"X-{n}: b\r\n" for n in range(101))),
    "a header of 1 MB": Case(GET + f"X-A: {'a' * 1_000_000}\r\n", rows=0),
    "a path of 1 MB": Case(GET.replace("/v1/models", f"/v1/{'a' * 1_000_000}"), rows=0),
    "a chunk extension of 1 MB": Case(
        POST + "Transfer-Encoding: chunked\r\n", b"e;" + b"a" * 1_000_000 + b"\r\n" + BODY
    ),
    # chunks
    "a chunk that is no number": Case(POST + "Transfer-Encoding: chunked\r\n", b"zz\r\n" + BODY + SECOND),
    "a chunk that is negative": Case(POST + "Transfer-Encoding: chunked\r\n", b"-e\r\n" + BODY + SECOND),
    "a chunk above 64 bits": Case(POST + "Transfer-Encoding: chunked\r\n", b"f" * 17 + b"\r\n" + BODY + SECOND),
    "a chunk longer than it says": Case(POST + "Transfer-Encoding: chunked\r\n", b"5\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk behind a bare LF": Case(POST + "Transfer-Encoding: chunked\r\n", b"e\n" + BODY + b"\n0\n\n" + SECOND),
    # what the log is to believe
    "an address with a line end": Case(
        "GET /nothing HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.7\\r\\n{canary}\r\n"
    ),
    "a path with line ends": Case("GET /%0d%0a200%20{canary} HTTP/1.1\r\nHost: x\r\n"),
    "a path of other letters": Case("GET /v1/%00%1b[2J{canary}%ff HTTP/1.1\r\nHost: x\r\n"),
    "a method of its own": Case("{canary} / HTTP/1.1\r\nHost: x\r\n"),
    "a request id of its own": Case("GET /nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: {canary}\r\n"),
}
LOG = "SELECT t::text AS row, id, endpoint, status FROM request_log t WHERE address = $1::inet"
SOURCES = iter(f"127.7.{n // 250}.{n % 250 + 1}" for n in range(60_000))
"""Each case comes from an address of its own, by which its rows are found."""


@pytest.fixture
def source() -> str:
    return next(SOURCES)


def exchange(service: Service, data: bytes, source: str) -> bytes:
    """What is said to these bytes until the connection is closed, or nothing comes for a second and a half."""
    heard = b""
    with socket.create_connection(address(service), 20, source_address=(source, 0)) as connection:
        with suppress(OSError):  # it may stop listening early, which is its right
            connection.sendall(data)
        connection.settimeout(1.5)
        with suppress(OSError):
            while more := connection.recv(65536):
                heard += more
    return heard


def logged(service: Service, source: str) -> list[dict]:
    """The rows of an address, once a request that came from there afterwards has its own."""
    exchange(service, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", source)

    def look() -> list[dict] | None:
        found = [dict(row) for row in rows(service.database_url, LOG, source)]
        return found if any("/healthz" in row["endpoint"] for row in found) else None

    found = until(look, 20)
    assert found is not None
    return [row for row in found if "/healthz" not in row["endpoint"]]


@pytest.mark.parametrize("name", CASES)
def test_a_raw_request_gets_one_refusal_at_most(service: Service, source: str, name: str) -> None:
    case = CASES[name]
    head = case.head.replace("{key}", service.key).replace("{canary}", CANARY)
    heard = exchange(service, head.encode("latin-1") + b"\r\n" + case.body, source)
    assert heard.count(b"HTTP/1.") <= 1, heard[:600]
    if heard:
        assert heard[9:10] == b"4" or (case.may_pass and heard[9:12] == b"200"), heard[:300]
    found = logged(service, source)
    assert len(found) <= case.rows, found
    for row in found:
        assert 400 <= row["status"] < 500 or (case.may_pass and row["status"] == 200), row
        assert CANARY not in row["row"], "nothing of what was sent is in the log"
        assert row["row"].isprintable(), "one clean row"


@pytest.mark.parametrize("coding", ["chunked", "Chunked", " chunked "])
def test_nothing_behind_a_chunked_body_is_taken_for_a_request(service: Service, source: str, coding: str) -> None:
    """And the request itself is answered."""
    head = POST.replace("{key}", service.key) + f"Transfer-Encoding: {coding}\r\n\r\n"
    heard = exchange(service, head.encode() + b"e\r\n" + BODY + b"\r\n0\r\n\r\n" + SECOND, source)
    assert heard.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in heard
    assert [row["status"] for row in logged(service, source)] == [200]


def test_pipelined_requests_are_answered_in_order_one_row_each(service: Service, source: str) -> None:
    """They are legitimate; what is behind a refused one that brought half a body is not taken for a request."""
    get = GET.replace("{key}", service.key).encode()
    heard = exchange(service, (get + b"\r\n") * 2 + get + b"Connection: close\r\n\r\n", source)
    assert heard.count(b"HTTP/1.1 200") == 3
    assert [row["status"] for row in logged(service, source)] == [200] * 3


def test_a_byte_a_second_is_not_waited_for(service: Service, source: str) -> None:
    """Neither in a head nor in a body: the service's own bounds are 30 and 20 seconds."""
    post = POST.replace("{key}", service.key) + "Content-Length: 1000\r\n\r\n"
    with (
        socket.create_connection(address(service), 20, source_address=(source, 0)) as head,
        socket.create_connection(address(service), 20, source_address=(source, 0)) as body,
    ):
        head.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-A: ")
        body.sendall(post.encode())
        heard = {head: b"", body: b""}
        open_still = [head, body]
        end = time.monotonic() + 60
        while open_still and time.monotonic() < end:
            time.sleep(1)
            for one in list(open_still):
                if not trickled(one, heard):
                    open_still.remove(one)
        assert not open_still
        assert heard[body].startswith(b"HTTP/1.1 408 "), heard[body][:200]
        assert not heard[head] or heard[head].startswith(b"HTTP/1.1 4")
    (row,) = logged(service, source)
    assert row["status"] == 408


def trickled(one: socket.socket, heard: dict[socket.socket, bytes]) -> bool:
    """Send one more byte, and hear what there is; False once the connection is closed."""
    one.settimeout(0.05)
    try:
        one.sendall(b" ")
        more = one.recv(65536)
    except TimeoutError:
        return True
    except OSError:
        return False
    heard[one] += more
    return bool(more)
