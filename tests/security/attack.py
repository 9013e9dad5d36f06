"""What the hostile tests share: reading refusals, raw bytes to the server, and a count of everything that is kept."""

import asyncio
import io
import random
import socket
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stage import Service

FIELDS = {"code", "message", "type", "param", "request_id", "errors"}
TABLES = ("generation", "generation_input", "generation_media", "file", "attempt", "content", "asset", "idempotency",
          "hold", "transfer", "usage", "wallet", "notice")  # fmt: skip


def refused(response: httpx.Response, *statuses: int, code: str | None = None) -> dict:
    """The error of a refusal, which must be a 4xx in our shape."""
    text = response.text[:500]
    assert 400 <= response.status_code < 500, (response.status_code, text)
    assert not statuses or response.status_code in statuses, (response.status_code, text)
    error = response.json()["error"]
    assert set(error) == FIELDS, text
    assert error["request_id"] == response.headers["x-request-id"]
    assert code is None or error["code"] == code, text
    return error


def paths(error: dict) -> set[str]:
    """The places of all problems."""
    return {problem["path"] for problem in error["errors"]}


def address(service: Service) -> tuple[str, int]:
    """Host and port."""
    url = httpx.URL(service.url)
    return url.host, url.port or 80


def raw(service: Service, data: bytes, *, seconds: float = 20.0) -> bytes:
    """Everything the server says to these bytes until it closes or falls silent."""
    answer = b""
    with socket.create_connection(address(service), timeout=seconds) as connection:
        with suppress(OSError):  # it may stop listening early, which is its right
            connection.sendall(data)
        connection.settimeout(seconds)
        with suppress(OSError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer


def ask(service: Service, method: str, target: str, *, key: str | None = None, **headers: str) -> httpx.Response:
    """One request with the target exactly as given: no client tidies it up."""
    lines = {"Host": "x", "Connection": "close", "Authorization": f"Bearer {key or service.key}"} | headers
    lines = {name.replace("_", "-"): value for name, value in lines.items() if value}
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return parsed(raw(service, head.encode("latin-1") + b"\r\n"))


def parsed(answer: bytes) -> httpx.Response:
    """Raw bytes as a response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    assert first.startswith("HTTP/1.1 "), answer[:200]
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in rest)]
    return httpx.Response(int(first.split()[1]), headers=headers, content=body)


def rows(url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    """Ask the database itself."""

    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def kept(service: Service) -> dict[str, Any]:
    """How many rows and which stored inputs and unfinished uploads there are."""
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in TABLES)
    found: dict[str, Any] = dict(rows(service.database_url, f"SELECT {counts}")[0])
    data = service.folder / "data"
    found["objects"] = sorted(path.name for path in (data / "objects" / "files").glob("*"))
    found["scratch"] = sorted(path.name for path in (data / "scratch").glob("*/tmp*"))
    return found


def settled(service: Service, seconds: float = 20) -> dict[str, Any]:
    """The same once the videos of earlier tests have ended; one that takes longer adds nothing by itself."""
    sql = "SELECT count(*) AS n FROM generation WHERE state NOT IN ('completed', 'failed', 'canceled')"
    end = time.monotonic() + seconds
    while rows(service.database_url, sql)[0]["n"] and time.monotonic() < end:
        time.sleep(0.1)
    return kept(service)


def grown(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What there is more of; what an earlier test left may go meanwhile."""
    more: dict[str, Any] = {name: value - before[name] for name, value in now.items() if isinstance(value, int)}
    more |= {name: set(value) - set(before[name]) for name, value in now.items() if isinstance(value, list)}
    return {name: value for name, value in more.items() if value and (isinstance(value, set) or value > 0)}


def picture(width: int = 640, height: int = 400, *, canary: str | None = None, form: str = "PNG") -> bytes:
    """A picture that is taken, with a canary in its text chunk if asked for."""
    info = PngInfo()
    if canary:
        info.add_text("Comment", canary)
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, form, pnginfo=info)
    return file.getvalue()


def noise(width: int, height: int) -> bytes:
    """A picture that does not compress."""
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), random.Random(1).randbytes(width * height * 3)).save(file, "PNG")
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(side: int, *chunks: bytes) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


def bomb(side: int = 65_000) -> bytes:
    """A PNG whose header promises `side`² pixels."""
    return _png(side, _chunk(b"IDAT", zlib.compress(b"\0" * 1000)))


def chunked_png(kind: bytes, data: bytes, side: int = 400) -> bytes:
    """A whole PNG with one more chunk before its pixels."""
    return _png(side, _chunk(kind, data), _chunk(b"IDAT", zlib.compress(bytes((3 * side + 1) * side))))


def form(parts: list[bytes], boundary: bytes = b"edge") -> bytes:
    """A multipart body of raw parts."""
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def text_part(name: str, value: str) -> bytes:
    """A text field."""
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()


def file_part(name: str, filename: str, data: bytes) -> bytes:
    """A file."""
    return f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'.encode() + data


def log(service: Service) -> str:
    """What the processes wrote to standard error."""
    return Path(service.errors).read_text(errors="replace")
