"""What the tests of the fake Ark share: pictures, the official SDKs, and somebody who is called back."""

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import av
import httpx
from PIL import Image

from fakes.ark.run import FakeArk
from stage import until

TASKS = "contents/generations/tasks"
MODELS = {
    "volcengine": {"2.5": "doubao-seedance-2-5-260628", "2.0": "doubao-seedance-2-0-260128"},
    "byteplus": {"2.5": "dreamina-seedance-2-5-260628", "2.0": "dreamina-seedance-2-0-260128"},
}


class Sdk:
    """One of the two official SDKs, pointed at a fake."""

    def __init__(self, cloud: str, module: ModuleType, fake: FakeArk) -> None:
        self.fake, self.models, self._module = fake, MODELS[cloud], module
        self.errors = module._exceptions
        self._plain = fake.client()
        self._ark = self.client()
        self.tasks = self._ark.content_generation.tasks

    def __enter__(self) -> "Sdk":
        return self

    def __exit__(self, *_: object) -> None:
        self._plain.close()
        self._ark.close()

    def client(self, **options: Any) -> Any:
        """A client; it retries nothing unless told to."""
        return self._module.Ark(**({"base_url": self.fake.url, "api_key": self.fake.key, "max_retries": 0} | options))

    def download(self, link: str) -> bytes:
        """The file behind a link."""
        response = self._plain.get(link)
        assert response.status_code == 200
        return response.content

    def create(self, *content: dict[str, Any], model: str = "2.0", **options: Any) -> str:
        """Create a task; returns its id."""
        return self.tasks.create(model=self.models[model], content=list(content), **options).id

    def finish(self, task_id: str) -> Any:
        """The task once it has ended."""
        return until(lambda: self.ended(task_id), 10)

    def ended(self, task_id: str) -> Any:
        """The task if it has ended."""
        task = self.tasks.get(task_id=task_id)
        return task if task.status not in {"queued", "running"} else None


def text(words: str = "a cat on a roof") -> dict[str, Any]:
    """A prompt."""
    return {"type": "text", "text": words}


def medium(kind: str, url: str, role: str | None = None) -> dict[str, Any]:
    """A reference."""
    item: dict[str, Any] = {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
    return item | ({"role": role} if role else {})


def picture(width: int = 640, height: int = 480) -> str:
    """A picture as a data URL."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def look(data: bytes) -> tuple[int, int, int, list[str]]:
    """Width, height, number of frames that can be decoded, and the layouts of the sound."""
    with av.open(io.BytesIO(data), "r") as film:
        stream = film.streams.video[0]
        assert stream.average_rate == 24
        sound = [track.layout.name for track in film.streams.audio]
        frames = sum(1 for _ in film.decode(stream))
        return stream.width, stream.height, frames, sound


def finished(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """The task once it has ended, by plain HTTP."""

    def ended() -> dict[str, Any] | None:
        task = client.get(f"{TASKS}/{task_id}").json()
        return task if task["status"] not in {"queued", "running"} else None

    found = until(ended, 10)
    assert isinstance(found, dict)
    return found


def post(client: httpx.Client, words: str = "a cat", **fields: Any) -> httpx.Response:
    """A create by plain HTTP, of 2.0 unless told otherwise."""
    body = {"model": "dreamina-seedance-2-0-260128", "content": [text(words)]}
    return client.post(TASKS, json=body | fields)


class Listener:
    """Somebody who is called back, and answers with `status`."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.bodies: list[Any] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                listener.bodies.append(json.loads(raw))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base's own name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?token=secret"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def states(self, task_id: str) -> list[str]:
        """The states of a task that were called back, in order of arrival."""
        return [body["status"] for body in self.bodies if body["id"] == task_id]
