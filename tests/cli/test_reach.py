"""A command that cannot reach its database or object store says why, without what is secret."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import forkserver
from stage import fresh_database

SECRET = "s3cr3t-words"


def said(folder: Path, *arguments: str, **environment: str) -> str:
    """What a command that fails says."""
    settings = os.environ | {"SEEDANCE_DATA_DIR": str(folder / "data")} | environment
    done = forkserver.run([*arguments], settings, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def refusing(code: bytes) -> Iterator[int]:
    """A PostgreSQL that refuses everybody with this SQLSTATE."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                with one:
                    if one.recv(4096)[4:8] == b"\x04\xd2\x16\x2f":  # it asks for TLS
                        one.sendall(b"N")
                        one.recv(4096)
                    fields = b"SFATAL\0VFATAL\0C" + code + b"\0M" + SECRET.encode() + b"\0\0"
                    one.sendall(b"E" + (len(fields) + 4).to_bytes(4) + fields)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)  # else it would go on accepting


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (b"28P01", "wrong password"),
        (b"28000", "there is no such user"),
        (b"3D000", "there is no such database"),
        (b"53300", "it has as many connections"),
        (b"57P03", "it is starting up"),
    ],
)
def test_a_database_that_refuses(tmp_path: Path, code: bytes, why: str) -> None:
    with refusing(code) as port:
        url = f"postgresql://me:{SECRET}@127.0.0.1:{port}/shop"
        text = said(tmp_path, "account", "list", SEEDANCE_DATABASE_URL=url)
    assert f"the database shop at 127.0.0.1:{port} cannot be reached: {why}" in text
    assert "SEEDANCE_DATABASE_URL" in text


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts and says nothing
        for host, why in (
            ("127.0.0.1:1", "the connection is refused"),
            ("nowhere.invalid", "the name of its host is not found"),
            (f"127.0.0.1:{silent.getsockname()[1]}", "there was no answer in time"),
        ):
            text = said(tmp_path, "migrate", SEEDANCE_DATABASE_URL=f"postgresql://me:{SECRET}@{host}/shop")
            assert f"cannot be reached: {why}" in text


@contextmanager
def store(status: int, code: str) -> Iterator[str]:
    """An S3 that answers everything with this error."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


AWS = {
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "me",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "SEEDANCE_STORAGE_URL": "s3://films/x",
}


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        (404, "NoSuchBucket", "there is no such bucket"),
        (403, "InvalidAccessKeyId", "bad credentials"),
        (403, "SignatureDoesNotMatch", "bad credentials"),
        (403, "AccessDenied", "access is denied"),
    ],
)
def test_an_object_store_that_refuses(postgres: str, tmp_path: Path, status: int, code: str, why: str) -> None:
    with fresh_database(postgres) as url, store(status, code) as endpoint:
        text = said(tmp_path, "init", SEEDANCE_DATABASE_URL=url, AWS_ENDPOINT=endpoint, **AWS)
    assert "the object store s3://films/x" in text
    assert why in text


@pytest.mark.parametrize(
    ("host", "why"), [("127.0.0.1:1", "the connection is refused"), ("nowhere.invalid:1", "host is not found")]
)
def test_an_object_store_that_is_not_there(postgres: str, tmp_path: Path, host: str, why: str) -> None:
    with fresh_database(postgres) as url:
        text = said(tmp_path, "init", SEEDANCE_DATABASE_URL=url, AWS_ENDPOINT=f"http://{host}", **AWS)
    assert why in text
