"""The shipped proxies, run with this machine's ports and folders in their configurations."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from documents.blocks import ROOT
from seedance_api.delivery.issue import issue
from stage import free_port, until


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"{program} is not installed (on Debian: apt-get install {program})"
    )


def sample(name: str, to: Path, changes: dict[str, str]) -> Path:
    """A configuration of `deploy/` with this machine's places in it; each must be there to be changed."""
    text = (ROOT / "deploy" / name).read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    to.write_text(text)
    return to


def nginx(folder: Path, port: int, upstream: str, rate: int = 100) -> tuple[list[str], list[Path]]:
    """Its command, and its logs. `rate`: the requests a second of one address."""
    pem = pair(folder)
    own = "".join(f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = sample("nginx/nginx.conf", folder / "nginx.conf", {
        "user www-data;": "", "pid /run/nginx.pid;": f"pid {folder}/pid; daemon off;", "auto;": "1;",
        "http {": f"http {{ {own}", "listen 443": f"listen 127.0.0.1:{port}", "/etc/ssl/video.pem": pem,
        "/etc/ssl/video.key": pem, "/var/log/nginx/": f"{folder}/", "127.0.0.1:8000": upstream,
        "rate=100r/s": f"rate={rate}r/s",
    })  # fmt: skip
    command = ["nginx", "-c", str(conf), "-e", str(folder / "start.log")]
    return command, [folder / "seedance.log", folder / "error.log", folder / "start.log"]


def haproxy(folder: Path, port: int, upstream: str, rate: int = 100) -> tuple[list[str], list[Path]]:
    """Its command, and its logs: standard output here."""
    conf = sample("haproxy/haproxy.cfg", folder / "haproxy.cfg", {
        "bind :443": f"bind 127.0.0.1:{port}", "/etc/ssl/video-with-key.pem": pair(folder),
        "log /dev/log local0": "log stdout format raw local0", "127.0.0.1:8000": upstream,
        "http_req_rate gt 1000": f"http_req_rate gt {rate * 10}",
    })  # fmt: skip
    return ["haproxy", "-db", "-f", str(conf)], [folder / "output"]


def pair(folder: Path) -> str:
    """A certificate and its key in one file."""
    made = issue(folder / "certificate", "Acme")
    both = folder / "pair.pem"
    both.write_text(Path(made.certificate).read_text() + Path(made.key).read_text())
    return str(both)


PROXIES = {"nginx": (nginx, ["-t"]), "haproxy": (haproxy, ["-c"])}
EACH = pytest.mark.parametrize("name", [pytest.param(one, marks=needs(one)) for one in PROXIES])


@contextmanager
def running(
    name: str, folder: Path, upstream: str, rate: int = 100
) -> Iterator[tuple[httpx.Client, Callable[[], str]]]:
    """A client of the running proxy, and what it has logged so far."""
    port = free_port("127.0.0.1")
    command, logs = PROXIES[name][0](folder, port, upstream, rate)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, trust_env=False, timeout=30) as client:
            until(lambda: answers(client))
            yield client, lambda: "".join(one.read_text() for one in {*logs, folder / "output"} if one.exists())
    finally:
        process.terminate()
        process.wait(30)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code > 0
    except httpx.TransportError:
        return False
