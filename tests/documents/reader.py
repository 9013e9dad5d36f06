"""A newcomer who does what the documents say: an account with a key, videos, a server of his own, a folder."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from documents.blocks import ROOT
from stage import Service, finished

ORDER = {"prompt": "A paper boat", "duration": 4, "resolution": "480p", "seed": 1}
_SHELL = """
set -eu
curl() { command curl --fail-with-body --silent --show-error "$@"; }
"""


class _Server(BaseHTTPRequestHandler):
    """`example.com`: takes webhooks, and has a picture."""

    picture: bytes

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "image/png")
        self.send_header("content-length", str(len(self.picture)))
        self.end_headers()
        self.wfile.write(self.picture)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Reader:
    """What the samples are run with. A placeholder of a document stands for something that is there."""

    service: Service
    folder: Path
    key: str
    email: str
    server: str
    """What plays `https://example.com`."""
    endpoint: str = ""
    event: str = ""
    file: str = ""
    secret: str = ""
    video: str = ""

    def prepare(self) -> None:
        """Make what the documents have by the time they use it: a finished video, a file, events."""
        with self.client() as client:
            self.file = client.post("/v1/files", files={"file": (self.folder / "boat.png").read_bytes()}).json()["id"]
            self.video = self.finished()
            for name in ("video.mp4", "boat.mp4"):
                (self.folder / name).write_bytes(client.get(f"/v1/videos/{self.video}/content").content)
            self.event = client.get("/v1/events").json()["data"][0]["id"]

    def open_endpoint(self) -> None:
        """Make an endpoint, for a page whose last command may delete it."""
        with self.client() as client:
            made = answered(client, "/v1/webhook_endpoints", {"url": f"{self.server}/seedance", "event_types": ["*"]})
        self.endpoint, self.secret = made["id"], made["signing_secret"]

    def finished(self) -> str:
        """Another finished video."""
        with self.client() as client:
            made = answered(client, "/v1/videos", ORDER)["id"]
            assert finished(client, made)["status"] == "completed"
        return made

    @property
    def url(self) -> str:
        """The service's address; there is none where it does not run."""
        return getattr(self.service, "url", "http://127.0.0.1:9")

    def client(self) -> httpx.Client:
        return self.service.client(self.key or "none")

    def spare(self, command: str) -> str:
        """A video that the command may end: another finished one to delete, an unfinished one to cancel."""
        if "cancel" not in command:
            return self.finished()
        with self.client() as client:
            return answered(client, "/v1/videos", ORDER | {"prompt": "[sandbox:stall]"})["id"]

    def filled(self, text: str) -> str:
        """The text with what is here in the place of what the document leaves open."""
        ends = re.search(r"\bseedance (?:cancel|delete)\b", text)
        values = {
            "http://127.0.0.1:8000": self.url,
            "https://example.com": self.server,
            "you@example.org": self.email,
            "sda_test_…": self.key,
            "sda_live_…": self.key,
            "whsec_…": self.secret,
            "whe_…": self.endpoint,
            "evt_…": self.event,
            "file_…": self.file,
        }
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        if "sda_live_FOUND…" in text:  # it is revoked thereby
            text = text.replace("sda_live_FOUND…", self.service.new_key("live"))
        if "vid_…" in text:
            text = text.replace("vid_…", self.spare(text) if ends else self.video)
        return text

    def environment(self, **more: str) -> dict[str, str]:
        """As his shell has it."""
        kept = {name: value for name, value in self.service.environment.items() if "proxy" not in name.lower()}
        return kept | {
            "SEEDANCE_BASE_URL": self.url,
            "SEEDANCE_API_KEY": self.key,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "COLUMNS": "100",
        } | more  # fmt: skip

    def run(self, commands: list[str], *, given: str = "") -> str:
        """Run commands one after the other in one shell, which ends at the first that fails; what they print."""
        script = _SHELL + "\n".join(f"echo '+ {number}'\n{one}" for number, one in enumerate(commands))
        return self._done(["bash", "-c", script], commands, given=given)

    def run_python(self, program: str) -> str:
        """Run a program; what it prints."""
        return self._done([str(ROOT / ".venv/bin/python"), "-c", program], [program])

    def _done(self, command: list[str], said: list[str], *, given: str = "") -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), input=given, text=True, capture_output=True,
            timeout=500, check=False,
        )  # fmt: skip
        steps = [int(one) for one in re.findall(r"^\+ (\d+)$", done.stdout, re.MULTILINE)]
        last = said[steps[-1] if steps else 0]
        assert done.returncode == 0, f"{last}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout


@contextmanager
def example_com(picture: bytes) -> Iterator[str]:
    """A server on loopback that plays somebody's on the internet; its host.

    Media are fetched from few ports only: an address for each process keeps them from each other's way.
    """
    host = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}.2"
    server = ThreadingHTTPServer((host, 8443), type("Server", (_Server,), {"picture": picture}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def furnish(folder: Path) -> None:
    """A folder to work in, with the programs as a fresh checkout has them, and some pictures."""
    folder.mkdir()
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "bin").mkdir()
    (folder / "bin/seedance").symlink_to(ROOT / ".venv/bin/seedance")
    for number, name in enumerate(("boat.png", "a.png", "b.png")):
        Image.new("RGB", (640, 360), (40 * number, 90, 160)).save(folder / name)


def answered(client: httpx.Client, path: str, body: Mapping[str, Any]) -> Any:
    """The answer to a POST that must be taken."""
    answer = client.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()
