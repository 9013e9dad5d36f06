"""What the machine, the address or the database refuses is said in a line, with what to do, and nothing is made."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.test_init import execute, run, start
from stage import fresh_database, named

SERVE = ["-m", "seedance_api", "serve"]


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """It ended with exit code 1 and one line."""
    assert (done.returncode, done.stdout) == (1, ""), done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("seedance-api: "), done.stderr
    for one in said:
        assert one in done.stderr


def test_a_port_in_use(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(
            start(place, *SERVE, "--port", str(port)),
            f"port {port} of 127.0.0.1 is in use",
            "--port 0",
            "SEEDANCE_PORT",
        )
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("nowhere.invalid", "cannot be resolved"),
        ("192.0.2.7", "192.0.2.7 is not an address of this machine"),
        ("2001:db8::7", "2001:db8::7"),
        ("http://127.0.0.1", "no IP address"),
        ("a..b", "no IP address"),
    ],
)
def test_a_host_that_is_none_of_ours(place: Path, host: str, said: str) -> None:
    refused(start(place, *SERVE, "--port", "0", "--host", host), said)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "init"])
@pytest.mark.parametrize("folder", ["file", "file/sub", "/proc/seedance", "/dev/null"])
def test_a_data_folder_that_cannot_be_made(place: Path, command: str, folder: str) -> None:
    (place / "file").write_text("")
    done = start(place, "-m", "seedance_api", command, "--data-dir", folder)
    refused(done, f"the data folder {place / folder} cannot be made", "--data-dir")


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A server that is no PostgreSQL: it answers each connection with this; the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    connection.sendall(reply)

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


COMMANDS = [["account", "list"], ["migrate"], ["doctor"], ["prices", "show"], ["collect"], ["worker"], ["init"]]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:hunter2@127.0.0.1:9/shop", "the connection is refused: nothing listens there"),
        ("postgresql://u:hunter2@localhost:9/shop", "the connection is refused: nothing listens there"),
        ("postgresql://u:hunter2@nowhere.invalid/shop", "the name of its host is not found"),
        ("postgresql://u:hunter2@/shop?host=/no/such/folder", "there is no such socket"),
    ],
)
def test_a_database_that_is_not_there(place: Path, url: str, said: str) -> None:
    for done in run(place, *COMMANDS, database_url=url):
        assert (done.code, done.out) == (1, ""), done
        assert said in done.errors, done
        assert "the database shop at" in done.errors
        assert "hunter2" not in done.errors
        assert "Traceback" not in done.errors


def test_a_database_that_lets_us_not_in(postgres: str, place: Path) -> None:
    unknown = named(postgres, "postgres").replace("postgres:@", "nobody:hunter2@")
    absent = named(postgres, "not_there").replace("postgres:@", "postgres:hunter2@")
    for url, said in (
        (unknown, "no such user"),
        (absent, "there is no such database"),
    ):
        for done in run(place, ["account", "list"], ["init"], database_url=url):
            assert (done.code, said in done.errors, "hunter2" in done.errors) == (1, True, False), done
    with answering(b"E") as port:
        (done,) = run(place, ["account", "list"], database_url=f"postgresql://u@127.0.0.1:{port}/x")
        assert (done.code, "cannot be reached" in done.errors) == (1, True), done


def test_a_newer_schema(postgres: str, place: Path) -> None:
    with fresh_database(postgres) as url:
        asyncio.run(execute(url, "INSERT INTO migration (name, release) VALUES ('9999_tomorrow', '9.0.0')"))
        asyncio.run(execute(url, "INSERT INTO installation (pepper_mark) VALUES ('x')"))
        for done in run(place, ["account", "list"], ["migrate"], ["worker"], database_url=url):
            assert done.code == 1
            assert "9999_tomorrow" in done.errors
            assert "Install version 9.0.0 or later" in done.errors


@pytest.mark.parametrize("url", ["mysql://a/b", "hello", "postgresql://u:hunter2@127.0.0.1:port/x"])
def test_an_address_that_is_none(place: Path, url: str) -> None:
    (done,) = run(place, ["account", "list"], database_url=url)
    assert (done.code, done.out) == (2, "")
    assert done.errors.startswith("seedance-api: SEEDANCE_DATABASE_URL: ")
    assert "hunter2" not in done.errors


def test_a_connection_that_is_lost_on_the_way(database_url: str) -> None:
    """Whatever is under way when the database goes away."""
    program = """
import asyncio
from seedance_api.cli.answer import refusals
from seedance_api.foundation.db import Database

async def work():
    db = await Database.connect(%r)
    await db.execute("SELECT pg_terminate_backend(pg_backend_pid())")

with refusals():
    asyncio.run(work())
"""
    done = subprocess.run(
        [sys.executable, "-c", program % database_url], capture_output=True, text=True, check=False, timeout=60
    )
    assert "seedance-api: the connection to the database was lost" in done.stderr, done.stderr


def test_help_and_version_are_everywhere(place: Path) -> None:
    (version,) = run(place, ["--version"])
    assert (version.code, version.out.startswith("seedance-api ")) == (0, True)
    commands = [[], ["serve"], ["account"], ["account", "create"], ["doctor"], ["prices", "load"]]
    for done in run(place, *([*one, option] for one in commands for option in ("-h", "--help"))):
        assert (done.code, "Usage:" in done.out) == (0, True), done


def test_a_start_says_so_and_ctrl_c_ends_it(place: Path, interruptible: None) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEEDANCE_")}
    child = subprocess.Popen(
        [sys.executable, *SERVE, "--port", "0"], cwd=place, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stderr is not None
    line = child.stderr.readline()
    assert line == "Starting PostgreSQL …\n"
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, ""), errors
    assert "Traceback" not in errors
    assert "seedance-api: interrupted" in errors


def test_what_was_given_is_shown_and_what_may_have_been_meant(place: Path) -> None:
    (done,) = run(place, ["doctor"], port="70000", prot="1", fetch_http="ja", qqqqqq="1")
    assert (done.code, done.out) == (2, "")
    assert "SEEDANCE_PORT: must be between 0 and 65535, not '70000'" in done.errors
    assert "SEEDANCE_FETCH_HTTP: must be true or false, not 'ja'" in done.errors
    assert "SEEDANCE_PROT: no such setting (did you mean SEEDANCE_PORT?)" in done.errors
    assert "SEEDANCE_QQQQQQ: no such setting" in done.errors
    assert "SEEDANCE_QQQQQQ: no such setting (" not in done.errors


def test_what_the_client_reads_is_no_wrong_setting(place: Path) -> None:
    client = {"base_url": "http://127.0.0.1:1", "api_key": "sda_test_x", "webhook_secret": "whsec_AAAA"}
    (done,) = run(place, ["doctor"], **client)
    assert (done.code, "no such setting" in done.errors) == (1, False), done


@pytest.mark.parametrize("name", ["pepper", "database_url", "storage_url", "smtp_url", "marking_tsa_url", "public_url"])
def test_a_setting_that_may_hold_a_secret_is_not_shown(place: Path, name: str) -> None:
    (done,) = run(place, ["doctor"], **{name: "mysql://u:hunter2@host/x"})
    assert (done.code, f"SEEDANCE_{name.upper()}: must" in done.errors) == (2, True), done
    assert "hunter2" not in done.errors


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["key", "create", "X"], "Type: seedance-api key create --account E-MAIL\n"),
        (["key", "list"], "Type: seedance-api key list --account E-MAIL\n"),
        (["account", "credit"], "Type: seedance-api account credit E-MAIL AMOUNT --reason REASON\n"),
        (["prices", "load"], "Type: seedance-api prices load FILE\n"),
        (["serve", "--workers", "many"], "'many' is not a whole number, such as 5\n"),
        (["doctor", "--hours", "1000"], "1000 is too large; the most is 168\n"),
        (["doctor", "--hours", "0"], "0 is too small; the least is 0.1\n"),
    ],
)
def test_a_command_that_lacks_something_shows_the_line_to_type(place: Path, command: list[str], said: str) -> None:
    done = start(place, "-m", "seedance_api", *command)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.endswith(said), done


def test_help_is_plain(place: Path) -> None:
    for done in run(place, ["serve", "--help"], ["key", "--help"], ["key", "create", "--help"], ["upstream", "--help"]):
        assert " .\n" not in done.out, done
        assert "<bool>" not in done.out
        assert "completion" not in done.out
    (serve,) = run(place, ["serve", "--help"])
    assert "[default: 127.0.0.1]" in serve.out


def test_an_invalid_file_of_upstreams_is_adopted_by_no_init(place: Path) -> None:
    file = place / "upstreams.toml"
    file.write_text('[upstreams.one]\nkind = "arc"\nmodels = []\n[upstreams.two]\nkind = "ark"\nbase_url = 5\n')
    for options in ([], ["--adopt", "settings"]):
        (done,) = run(place, ["init", *options], upstreams=str(file))
        assert (done.code, done.out) == (2, ""), done
        assert "upstreams.one.kind" in done.errors
        assert "upstreams.two.base_url" in done.errors
        assert list(place.iterdir()) == [file]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"label_seconds": "2", "label_font": "/no/such.ttf"}, "/no/such.ttf is no font"),
        ({"fetch_allow_networks": "127.0.0.1/33"}, "SEEDANCE_FETCH_ALLOW_NETWORKS: must be networks"),
        ({"notice_url": "notaurl"}, "SEEDANCE_NOTICE_URL: must be https://host/path"),
        ({"notice_url": "https://host:99999/"}, "SEEDANCE_NOTICE_URL: must be https://host/path"),
        ({"notice_url": "https://host:one/"}, "SEEDANCE_NOTICE_URL: must be https://host/path"),
        ({"notice_url": "https://[::1/"}, "SEEDANCE_NOTICE_URL: must be https://host/path"),
    ],
)
def test_a_setting_that_could_never_work_is_refused_before_anything_is_made(
    place: Path, settings: dict[str, str], said: str
) -> None:
    for command in (["init"], ["serve", "--port", "0"]):
        done = start(place, "-m", "seedance_api", *command, **settings)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert list(place.iterdir()) == []
