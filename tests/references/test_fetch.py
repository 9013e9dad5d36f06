"""Sources as a request names them: data URLs by the letter, addresses through the one door."""

import asyncio
import base64
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from references.look import look_at
from seedance_api.catalog.order import Kind
from seedance_api.foundation.address import UNREACHABLE
from seedance_api.foundation.outbound import Outbound
from seedance_api.references.fetch import fetch
from seedance_api.references.inspect import BadMedia, Inspected, Staged

DATA = b"picture"
SMALL = base64.b64encode(DATA).decode()


def fetched(source: str, to: Path, kind: Kind = Kind.IMAGE, **options: object) -> Staged | BadMedia:
    async def run() -> Staged | BadMedia:
        outbound = Outbound(failure_step_seconds=0.01, **options)  # pyright: ignore[reportArgumentType]
        try:
            return await fetch(source, to, kind=kind, outbound=outbound, total_seconds=5)
        finally:
            await outbound.aclose()

    outcome = asyncio.run(run())
    assert isinstance(outcome, Staged) == to.exists()
    return outcome


@pytest.mark.parametrize("data", [b"picture", b"pictures", b"p", b"", bytes(range(256)) * 20_000])
def test_a_data_url_becomes_a_file(tmp_path: Path, data: bytes) -> None:
    to = tmp_path / "a"
    outcome = fetched(f"data:Image/PNG;base64,{base64.b64encode(data).decode()}", to)
    assert outcome == Staged(path=to, bytes=len(data), kind=Kind.IMAGE)
    assert to.read_bytes() == data


@pytest.mark.parametrize(
    "head",
    [
        "data:image/png;base64,",
        "DATA:image/png;BASE64,",
        "data:;base64,",
        "data:image/*;base64,",
        "data:text/plain;base64,",
        "data:text/html;base64,",
        "data:image/jpg;charset=utf-8;name=a b.jpg;base64,",
        "data:application/octet-stream; base64 ,",
        " \n data:image/png;base64,",
    ],
)
def test_what_a_data_url_says_of_itself_is_a_hint(tmp_path: Path, head: str) -> None:
    assert fetched(head + SMALL, tmp_path / "a") == Staged(path=tmp_path / "a", bytes=len(DATA), kind=Kind.IMAGE)
    assert (tmp_path / "a").read_bytes() == DATA


LONG = bytes(range(256)) * 9_000 + b"."
"""Over three chunks of base64; one byte more than a multiple of three."""


def lines(text: str, width: int, end: str) -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width)) + end


@pytest.mark.parametrize(
    "write",
    [
        lambda text: lines(text, 76, "\n"),
        lambda text: lines(text, 64, "\r\n"),
        lambda text: lines(text, 7, " \t"),
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
        lambda text: quote(text, safe=""),
        lambda text: quote(lines(text, 76, "\n"), safe=""),
        lambda text: text.replace("=", "%3d"),
    ],
)
def test_base64_as_people_write_it(tmp_path: Path, write: Callable[[str], str]) -> None:
    for at, data in enumerate((b"", b"p", b"\xff\xfe\xfd", bytes(range(256)), LONG)):
        to = tmp_path / str(at)
        outcome = fetched("data:image/png;base64," + write(base64.b64encode(data).decode()), to)
        assert outcome == Staged(path=to, bytes=len(data), kind=Kind.IMAGE)
        assert to.read_bytes() == data


def test_percent_encoded_bytes(tmp_path: Path) -> None:
    outcome = fetched("data:image/png," + quote(LONG), tmp_path / "a")
    assert outcome == Staged(path=tmp_path / "a", bytes=len(LONG), kind=Kind.IMAGE)
    assert (tmp_path / "a").read_bytes() == LONG


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"data:image/png,{SMALL}", "does not say that it is base64"),
        (f"data:image/png;BASE65,{SMALL}", "does not say that it is base64"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,AAAAA", "cut short"),
        ("data:image/png;base64,AAA=AAAA", "goes on behind its padding"),
        ("data:image/png;base64,AAA%2A", "an escape"),
        ("data:image/png;base64,AAA=AAAA", "behind its padding"),
        ("data:image/png;base64,AAAÄ", "character 4 after the comma"),
        ("data:image/png;base64," + "A" * ((1 << 20) - 2) + "==" + "AAAA", "behind its padding"),
        ("data:image/png;base64," + "A" * (1 << 20) + "!AAA", "character 1048577 after the comma"),
    ],
)
def test_a_doubtful_data_url_is_refused(tmp_path: Path, source: str, said: str) -> None:
    outcome = fetched(source, tmp_path / "a")
    assert isinstance(outcome, BadMedia)
    assert outcome.code == "media_url"
    assert said in outcome.message
    assert SMALL not in outcome.message


def test_no_inline_video(tmp_path: Path) -> None:
    outcome = fetched(f"data:video/mp4;base64,{SMALL}", tmp_path / "a", Kind.VIDEO)
    assert isinstance(outcome, BadMedia)
    assert "cannot be sent inline" in outcome.message


def test_a_large_data_url_is_refused_and_costs_no_copy(tmp_path: Path) -> None:
    source = "data:audio/wav;base64," + "A" * 20_000_004
    tracemalloc.start()
    outcome = fetched(source, tmp_path / "a", Kind.AUDIO)
    assert isinstance(outcome, BadMedia)
    assert outcome == BadMedia("media_too_large", "15.00 MB: a sound may have at most 15 MB")
    assert isinstance(fetched(source[:-8], tmp_path / "b", Kind.AUDIO), Staged)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30_000_000  # the shortened source is a copy of 20 MB; the file is none


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        fetched(f"data:image/png;base64,{SMALL}", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"mine"


WHAT_IS_ONE = (
    "Give an https address, a `data:` URL or a file's id; to send a file of yours, upload it with POST /v1/files, or "
    "send a form with images=@boat.png"
)


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("http://example.com/a.png", "media_url", "the address must start with https://"),
        ("file:///etc/passwd", "media_url", "the address must start with https://"),
        ("https://a:b@example.com/?secret", "media_url", "the address must not carry a user name or password"),
        (
            "https://xn--a.com/",
            "media_url",
            "this is not a usable https address: check its spelling, and the host's if it starts with xn-- (RFC 5891)",
        ),
        (
            "https://example.com/a b.png",
            "media_url",
            "the address holds a space, a control character or a backslash: write it percent-encoded",
        ),
        ("file_12", "media_url", "`file_12` is not the id of a file, which is `file_` and 26 letters and digits"),
        (
            SMALL,
            "media_url",
            "base64 needs its type in front of it: write data:image/png;base64, and then the file in base64",
        ),
        (
            "nonsense",
            "media_url",
            f"`nonsense` is not an address. {WHAT_IS_ONE}",
        ),
        ("https://10.0.0.1/?secret", "media_unreachable", f"{UNREACHABLE} (10.0.0.1)"),
        ("https://[::1]/", "media_unreachable", f"{UNREACHABLE} (::1)"),
    ],
)
def test_an_address_is_refused_in_words(tmp_path: Path, source: str, code: str, message: str) -> None:
    assert fetched(source, tmp_path / "a") == BadMedia(code, message)


def served(response: bytes, to: Path) -> Staged | BadMedia:
    """What is fetched from a server that answers so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        writer.close()

    async def run() -> Staged | BadMedia:
        async with await asyncio.start_server(answer, "127.0.0.2", 0) as server:
            port: int = server.sockets[0].getsockname()[1]
            outbound = Outbound(
                allow_http=True,
                extra_ports=frozenset({port}),
                allow_networks=("127.0.0.2/32",),
                failure_step_seconds=0.01,
            )
            try:
                return await fetch(f"http://127.0.0.2:{port}/", to, kind=Kind.IMAGE, outbound=outbound)
            finally:
                await outbound.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (b"200 OK\r\nContent-Type: image/png; a=b\r\nContent-Length: 7\r\n\r\npicture", None),
        (
            b"404 Not Found\r\nContent-Length: 6\r\n\r\nsecret",
            BadMedia("media_unreachable", "the server answered with status 404 (127.0.0.2)"),
        ),
        (b"200 OK\r\nContent-Length: 30000001\r\n\r\n", BadMedia("media_too_large", "the file is larger than 30 MB")),
    ],
)
def test_an_address_becomes_a_file(tmp_path: Path, head: bytes, outcome: BadMedia | None) -> None:
    to = tmp_path / "a"
    expected = outcome or Staged(path=to, bytes=7, kind=Kind.IMAGE)
    assert served(b"HTTP/1.1 " + head, to) == expected
    assert to.exists() == (outcome is None)


@pytest.mark.parametrize("label", [None, "text/plain", "image/*", "image/jpeg", "text/html", "video/mp4", "nonsense"])
def test_a_servers_label_does_not_count(tmp_path: Path, label: str | None) -> None:
    picture = (Path(__file__).parent.parent / "cases" / "red.png").read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(picture)}\r\n"
    head += f"Content-Type: {label}\r\n" if label else ""
    staged = served(head.encode() + b"\r\n" + picture, tmp_path / "a")
    assert isinstance(staged, Staged)
    (outcome,) = look_at(staged)
    assert isinstance(outcome, Inspected)
    assert outcome.facts.media_type == "image/png"
