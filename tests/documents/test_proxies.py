"""The samples of proxies load as they stand, pass the service through, and write no link into a log."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from documents.blocks import blocks
from seedance_api.delivery.issue import issue
from stage import Service, finished, free_port, until

TOKEN = "c4n4ry7e57"
"""What stands in for a signed link's token where the request does not get as far as the service."""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"{program} is not installed (on Debian: apt-get install {program})"
    )


def sample(language: str, to: Path, changes: dict[str, str]) -> Path:
    """The sample of `docs/operate.md` with this machine's places in it; each must be there to be changed."""
    (block,) = [one for one in blocks("docs/operate.md") if one.language == language]
    text = block.text
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    to.write_text(text)
    return to


def nginx(folder: Path, port: int, upstream: str) -> tuple[list[str], list[Path]]:
    """Its command, and its logs."""
    pem = pair(folder)
    conf = sample("nginx", folder / "seedance.conf", {
        "listen 443": f"listen 127.0.0.1:{port}", "/etc/ssl/video.pem": pem, "/etc/ssl/video.key": pem,
        "/var/log/nginx/": f"{folder}/", "127.0.0.1:8000": upstream,
    })  # fmt: skip
    main = folder / "nginx.conf"
    own = "".join(f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main.write_text(f"pid {folder}/pid; daemon off; events {{}} http {{ {own} include {conf}; }}")
    command = ["nginx", "-c", str(main), "-e", str(folder / "start.log")]
    return command, [folder / "seedance.log", folder / "error.log", folder / "start.log"]


def haproxy(folder: Path, port: int, upstream: str) -> tuple[list[str], list[Path]]:
    """Its command, and its logs: standard output here."""
    conf = sample("haproxy", folder / "haproxy.cfg", {
        "bind :443": f"bind 127.0.0.1:{port}", "/etc/ssl/video-with-key.pem": pair(folder),
        "log /dev/log local0": "log stdout format raw local0", "127.0.0.1:8000": upstream,
    })  # fmt: skip
    return ["haproxy", "-db", "-f", str(conf)], [folder / "output"]


def pair(folder: Path) -> str:
    """A certificate and its key in one file."""
    made = issue(folder / "certificate", "Acme")
    both = folder / "pair.pem"
    both.write_text(Path(made.certificate).read_text() + Path(made.key).read_text())
    return str(both)


PROXIES = {"nginx": (nginx, ["-t"]), "haproxy": (haproxy, ["-c"])}
LOGGED = {"nginx": "/v1/content/-", "haproxy": "/v1/-"}
"""What stands in a log in the place of a link."""
EACH = pytest.mark.parametrize("name", [pytest.param(one, marks=needs(one)) for one in PROXIES])


@contextmanager
def running(name: str, folder: Path, upstream: str) -> Iterator[tuple[httpx.Client, Callable[[], str]]]:
    """A client of the running proxy, and what it has logged so far."""
    port = free_port("127.0.0.1")
    command, logs = PROXIES[name][0](folder, port, upstream)
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


@EACH
def test_the_sample_loads(name: str, tmp_path: Path) -> None:
    make, check = PROXIES[name]
    command, _ = make(tmp_path, 443, "127.0.0.1:8000")
    done = subprocess.run([*command, *check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"\b(warn|WARNING|ALERT)", done.stderr), done.stderr


@EACH
def test_no_link_is_logged(name: str, service: Service, tmp_path: Path) -> None:
    with service.client() as client, running(name, tmp_path, service.url.removeprefix("http://")) as (proxy, logged):
        body = {"prompt": "x", "duration": 4, "resolution": "480p", "seed": 3}
        video = finished(client, client.post("/v1/videos", json=body).json()["id"])
        link = client.post(f"/v1/videos/{video['id']}/links", json={}).json()["url"]
        path = link.removeprefix(service.url)
        token = path.removeprefix("/v1/content/")
        assert len(token) > 20
        # the same link in other spellings, whether or not it leads anywhere
        spellings = [path, path.replace("content", "%63ontent"), path.replace("/v1/", "/v1//"), path.upper()]
        assert proxy.get(path).status_code == 200
        for one in (*spellings, f"/v1/media/{TOKEN}", f"/v1/callbacks/att_1/{TOKEN}", f"{path}?{TOKEN}"):
            proxy.get(one)
        proxy.get("/v1/models/last")
        until(lambda: "/v1/models/last" in logged())
        assert not any(secret.lower() in logged().lower() for secret in (token, TOKEN)), logged()
        assert LOGGED[name] in logged()
        until(lambda: {429, 503} & refused(proxy, f"/v1/content/{TOKEN}"))
        assert TOKEN not in logged()


def refused(proxy: httpx.Client, path: str) -> set[int]:
    """What comes of more requests at once than the sample allows one address; a POST is refused without a delay."""
    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(lambda _: proxy.post(path).status_code, range(300)))


@EACH
def test_no_link_is_logged_in_trouble(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path, f"127.0.0.1:{free_port('127.0.0.1')}") as (proxy, logged):
        assert proxy.get(f"/v1/content/{TOKEN}").status_code in (502, 503), "nobody listens behind it"
        until(lambda: LOGGED[name] in logged())
        assert TOKEN not in logged()
