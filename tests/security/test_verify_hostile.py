"""Hostile files for `POST /v1/verify`: each gets a 200 or a 4xx in our shape, nothing is kept, nothing is fetched."""

import io
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from delivery.kit import make_clip
from fakes.ark.media import credentials
from security.attack import address, bomb, file_part, form, noise, picture, raw, refused, text_part
from stage import Service, until

pytestmark = pytest.mark.usefixtures("nothing_kept")
UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
FTYP = b"\0\0\0\x18ftypisom\0\0\2\0isommp41"


def box(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    return (len(content) + 8 if size is None else size).to_bytes(4, "big") + kind + content


def uuid(jumbf: bytes, size: int | None = None) -> bytes:
    """C2PA's box of an MP4."""
    return box(b"uuid", UUID + b"\0\0\0\0manifest\0" + b"\0" * 8 + jumbf, size)


def nested(depth: int) -> bytes:
    """JUMBF in JUMBF in JUMBF."""
    inner = b""
    for _ in range(depth):
        inner = box(b"jumb", box(b"jumd", b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0") + inner)
    return inner


def nested_moov(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = box(b"moov", inner)
    return inner


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", b"\0" * 10_000_000)
    return file.getvalue()


FILES = {
    "nothing": b"",
    "one byte": b"\0",
    "garbage": noise(30, 30)[100:],
    "ZIP": zipped(),
    "HTML": b"<html><script>alert(1)</script>",
    "head only": FTYP,
    "endless box": FTYP + box(b"mdat", b"x" * 100, 0xFFFFFFFF),
    "box of no size": FTYP + b"\0\0\0\1mdat" + b"\xff" * 8,
    "deep boxes": FTYP + nested_moov(20_000),
    "JUMBF of nothing": FTYP + uuid(b""),
    "JUMBF that lies": FTYP + uuid(box(b"jumb", b"c2pa", 0x7FFFFFFF), 0x7FFFFFFF),
    "JUMBF 500 deep": FTYP + uuid(nested(500)),
    "JUMBF 50,000 deep": FTYP + uuid(nested(50_000)),
    "JUMBF wide": FTYP + uuid(box(b"jumb", box(b"jumd", b"c2pa") + box(b"jumb", b"") * 200_000)),
    "CBOR bomb": FTYP
    + uuid(box(b"jumb", box(b"jumd", b"c2pa") + box(b"cbor", b"\x9b" + b"\x7f" * 8 + b"\x81" * 100_000))),
    "brotli bomb": FTYP + uuid(box(b"brob", b"c2pa" + b"\x8b" * 1_000_000)),
    "PNG bomb": bomb(),
    "PNG cut": picture()[:200],
    "JPEG of three bytes": b"\xff\xd8\xff",
    "JPEG of segments": b"\xff\xd8" + b"\xff\xeb\xff\xffJP" + b"c2pa" * 50_000,
    "WebP that lies": b"RIFF\xff\xff\xff\xffWEBPC2PA\xff\xff\xff\x7f",
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=1).read_bytes()


def post(service: Service, content: bytes, **more: str) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/verify", content=content, headers=more, timeout=90, trust_env=False)


def answered(answer: httpx.Response) -> dict:
    """A verdict, or a refusal in our shape."""
    if answer.status_code == 200:
        found = answer.json()
        assert found["ours"] is False
        assert found["ai_generated"] is None
        return found
    return refused(answer, 400, code="unreadable_file")


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_a_hostile_file_gets_an_answer(service: Service, data: bytes) -> None:
    answered(post(service, data))


@pytest.mark.parametrize("part", [0.01, 0.05, 0.5, 0.999])
def test_a_cut_film_is_changed_or_unreadable(service: Service, clip: bytes, part: float) -> None:
    signed = credentials.sign(clip)
    found = answered(post(service, signed[: int(len(signed) * part)]))
    assert found.get("integrity", "unreadable") in ("changed", "unreadable")


def test_nothing_that_a_file_points_to_is_fetched(service: Service, clip: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/manifest.c2pa"
        packet = (
            '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
            'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
            f'xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{url}"/></rdf:RDF></x:xmpmeta>'
            '<?xpacket end="w"?>'
        )
        xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + packet.encode())
        head = int.from_bytes(clip[:4], "big")
        answered(post(service, clip[:head] + xmp + clip[head:]))
        trap.settimeout(0.5)
        with pytest.raises(TimeoutError):
            trap.accept()


def test_forms_of_other_shapes_are_refused(service: Service, clip: bytes) -> None:
    bodies = [
        form([file_part("fil", "a.mp4", clip)]),
        form([file_part("file", "a.mp4", clip), file_part("file", "b.mp4", clip)]),
        form([file_part("file", "a.mp4", clip), text_part("more", "x")]),
        form([text_part("file", "x")]),
        form([]),
        b"--edge\r\nnothing",
    ]
    for body in bodies:
        refused(post(service, body, **{"content-type": "multipart/form-data; boundary=edge"}), 400)


def test_a_body_of_ten_gigabytes_is_refused_before_it_is_read(service: Service) -> None:
    head = b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n"
    assert raw(service, head).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_bounded(start_service: Callable[..., Service]) -> None:
    service = start_service(verify_megabytes="2")

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield FTYP + bytes(1 << 16)

    answer = httpx.post(f"{service.url}/v1/verify", content=chunks(), timeout=30, trust_env=False)
    refused(answer, 413, code="body_too_large")


def test_a_body_that_stops_is_told(service: Service) -> None:
    with socket.create_connection(address(service), timeout=40) as connection:
        connection.sendall(b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + FTYP)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(40)
        answer = connection.recv(65536)
    assert answer == b"" or b" 400 " in answer.split(b"\r\n", 1)[0]


def test_many_at_once_leave_the_service_standing(service: Service, clip: bytes) -> None:
    process = psutil.Process(service.process.pid)
    data = FILES["JUMBF 50,000 deep"]
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(post(service, data).status_code)) for _ in range(10)]
    for one in threads:
        one.start()
    slowest = 0.0
    while any(one.is_alive() for one in threads):
        began = time.monotonic()
        assert httpx.get(f"{service.url}/healthz", trust_env=False).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)
    assert set(statuses) <= {200, 400, 429, 503}
    assert slowest < 5
    until(lambda: not [one for one in process.children(recursive=True) if "recognise" in str(one.cmdline())], 10)
