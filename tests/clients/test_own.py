"""The `seedance` package and command against the real server."""

import asyncio
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from security.attack import noise, picture
from seedance import (
    AsyncSeedance,
    AuthenticationError,
    BadRequest,
    Conflict,
    NotFound,
    ReceiptInvalid,
    Seedance,
    VideoFailed,
    WebhookDelivery,
    WebhookInvalid,
    unwrap_webhook,
    verify_receipt,
)
from stage import Service, until
from webhooks.kit import standing_receiver

SMALL: dict[str, Any] = {"duration": 4, "resolution": "480p"}


@pytest.fixture
def client(service: Service) -> Iterator[Seedance]:
    with Seedance(api_key=service.key, base_url=service.url) as client:
        yield client


@pytest.fixture(scope="module")
def done(service: Service) -> str:
    """A finished video with its last frame."""
    with Seedance(api_key=service.key, base_url=service.url) as client:
        return client.videos.wait(client.videos.create("A field", return_last_frame=True, **SMALL), timeout=90).id


def test_references_by_path_id_and_data_url(client: Seedance, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    told: list[int] = []
    file = client.files.upload(path, on_progress=lambda sent, total: told.append(sent))
    assert told[-1] >= path.stat().st_size
    assert client.files.retrieve(file).id == file.id
    video = client.videos.create(
        "A field",
        model="seedance-2.0",
        images=[{"file": path, "role": "reference"}, {"file_id": file.id, "role": "reference"}],
        **SMALL,
    )
    seen = [event.video for event in client.videos.stream_events(video)]
    assert [one.progress for one in seen] == sorted(one.progress for one in seen)
    assert seen[-1].status == "completed"
    assert client.files.delete(file).deleted
    with pytest.raises(NotFound):
        client.files.retrieve(file)


def test_a_first_and_a_last_frame(client: Seedance, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(noise(640, 400))
    frames: list[Any] = [
        {"file": tmp_path / "a.png", "role": "first_frame"},
        {"file": tmp_path / "b.png", "role": "last_frame"},
    ]
    quote = client.videos.quote("x", images=frames, **SMALL)
    assert quote.tokens is not None
    assert (quote.tokens.expected or 0) > 0
    video = client.videos.create("[sandbox:stall] x", images=frames, **SMALL)
    assert client.videos.cancel(video).status in ("canceled", "in_progress")
    with pytest.raises(VideoFailed):
        client.videos.wait(video, timeout=60)


def test_a_cut_download_goes_on_where_it_was(service: Service, done: str, tmp_path: Path) -> None:
    """A proxy in between drops the connection twice."""
    cuts: list[str] = []

    class Cut(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            if request.url.path.endswith("/content") and len(cuts) < 2:
                cuts.append(request.headers.get("range", ""))
                inner = response.stream

                class Half(httpx.SyncByteStream):
                    def __iter__(self) -> Iterator[bytes]:
                        for number, chunk in enumerate(inner):  # type: ignore[arg-type]
                            yield chunk[:50_000]
                            if len(chunk) > 50_000 or number:
                                raise httpx.ReadError("cut")

                    def close(self) -> None:
                        inner.close()  # type: ignore[union-attr]

                response.stream = Half()
            return response

    with (
        httpx.Client(transport=Cut()) as http,
        Seedance(api_key=service.key, base_url=service.url, http_client=http, retry_delay=0.01) as client,
    ):
        saved = client.videos.download(done, tmp_path / "a.mp4")
    assert len(cuts) == 2
    with service.client() as plain:
        response = plain.get(f"/v1/videos/{done}/content")
    assert hashlib.sha256((tmp_path / "a.mp4").read_bytes()).digest() == hashlib.sha256(response.content).digest()
    assert saved.bytes == len(response.content)


def test_a_delivered_video_from_its_webhook_to_its_receipt(client: Seedance, service: Service, tmp_path: Path) -> None:
    video = client.videos.wait(client.videos.create("A pond", **SMALL), timeout=90)
    saved = client.videos.download(video, tmp_path / "a.mp4", confirm=False)
    link = client.videos.link(video, expires_in=60)
    linked = httpx.get(link.url, trust_env=False)
    assert hashlib.sha256(linked.content).hexdigest() == saved.sha256
    assert saved.verified
    told = client.videos.download(video, tmp_path / "a.mp4").video
    assert told is not None
    assert told.delivered_at is not None
    assert client.videos.delivered(video).delivered_at == told.delivered_at
    receipt = client.videos.receipt(video)
    assert (receipt.complete, {"video", "prompt"} <= {one.what for one in receipt.kept}) == (False, True)
    client.videos.delete(video)
    until(lambda: client.videos.receipt(video).complete, 30)
    receipt = client.videos.receipt(video)
    assert saved.sha256 in [one.digest for one in receipt.deleted]
    assert verify_receipt(receipt, receipt.signature.public_key) == receipt
    with pytest.raises(ReceiptInvalid):
        verify_receipt(receipt.raw | {"deleted": []})


def test_webhooks_and_events(service: Service) -> None:
    email = service.new_account()["email"]
    with (
        standing_receiver(service.webhook_port) as there,
        Seedance(api_key=service.new_key("test", email), base_url=service.url) as client,
    ):
        assert "video.completed" in client.webhooks.event_types()
        made = client.webhooks.create(there.url, ["video.completed"], signatures=["v1", "v1a"], name="mine")
        assert [one.id for one in client.webhooks.list()] == [made.id]
        first = client.webhooks.rotate_secret(made, keep_old=True)
        account = client.webhooks.rotate_account_secret()  # which shows it, once
        assert client.webhooks.secret().signing_secret is None
        video = client.videos.wait(
            client.videos.create("x", webhook_url=f"{there.url}&one", expires_after=7200, **SMALL), timeout=90
        )
        until(lambda: len(there.came) == 2, 30)
        mine, one = sorted(there.came, key=lambda came: came.path.endswith("&one"))
        for secret in (made.signing_secret, first.signing_secret, first.public_key, made.public_key):
            assert secret is not None
            event = client.webhooks.unwrap(mine.body, mine.headers, secret)
            assert (event.type, event.data["id"]) == ("video.completed", video.id)
        assert unwrap_webhook(one.body, one.headers, account.signing_secret or "") == event
        with pytest.raises(WebhookInvalid):
            unwrap_webhook(one.body, one.headers, first.signing_secret or "")
        tried = client.webhooks.test(made, "balance.low")
        assert (tried.success, tried.status_code, tried.outcome) == (True, 200, "delivered")
        [sent] = until_delivered(client, made.id)
        assert (sent.event_id, sent.attempts[0].status) == (event.id, 200)
        assert client.webhooks.replay(made, event.id).count == 1
        until(lambda: len(there.came) == 4, 30)
        assert client.webhooks.replay(made, since=0, only_failed=True).count in (0, 1)  # the second may be under way
        assert client.webhooks.update(made, enabled=False).disabled_reason == "owner"
        seen = list(client.events.list(limit=2))
        assert [one.type for one in seen] == ["video.queued", "video.in_progress", "video.completed"]
        assert client.events.retrieve(event).data == event.data
        assert [one.id for one in client.events.list(after=seen[1].id)] == [event.id]
        following = iter(client.events.follow(after=seen[0].id, every=0.05))
        assert [next(following).id, next(following).id] == [seen[1].id, event.id]
        client.videos.delete(video)
        assert next(following).type == "video.purged"
        assert client.webhooks.delete(made).deleted


def until_delivered(client: Seedance, endpoint_id: str) -> list[WebhookDelivery]:
    """The deliveries that have arrived, once there is one."""
    found = until(lambda: list(client.webhooks.deliveries(endpoint_id, state="delivered")), 30)
    assert isinstance(found, list)
    return found


def test_errors_have_their_classes(client: Seedance, service: Service, done: str) -> None:
    with pytest.raises(BadRequest) as bad:
        client.videos.create("x", duration=99, resolution="8k")
    assert {problem.path for problem in bad.value.errors} == {"duration", "resolution"}
    with pytest.raises(NotFound):
        client.videos.retrieve("vid_nothing")
    with pytest.raises(Conflict):
        client.videos.cancel(done)
    with Seedance(api_key="sda_test_wrong", base_url=service.url) as stranger, pytest.raises(AuthenticationError):
        stranger.videos.list()
    with pytest.raises(VideoFailed) as failed:
        client.videos.wait(client.videos.create("[sandbox:fail]", **SMALL), timeout=60)
    assert failed.value.video.error is not None


def test_the_same_key_makes_the_same_video(client: Seedance) -> None:
    one, two = (client.videos.create("x", idempotency_key="mine", **SMALL) for _ in range(2))
    assert one.id == two.id
    client.videos.cancel(one)


def test_asyncio(service: Service, done: str) -> None:
    async def story() -> None:
        async with AsyncSeedance(api_key=service.key, base_url=service.url) as client:
            video = await client.videos.create("x", **SMALL)
            states = [event.video.status async for event in client.videos.stream_events(video)]
            assert states[-1] == "completed"
            target = io.BytesIO()
            await client.videos.download(video, target, variant="thumbnail")
            assert target.getvalue()[:4] == b"RIFF"
            found = [one.id async for one in await client.videos.list(limit=1, status="completed")]
            assert {video.id, done} <= set(found)
            await client.videos.delete(video)

    asyncio.run(story())


@pytest.fixture
def run(service: Service, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the `seedance` command in a folder of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEEDANCE_")}
    environment |= {"SEEDANCE_BASE_URL": service.url, "SEEDANCE_API_KEY": service.key, "HOME": str(tmp_path)}

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "seedance.cli", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=120,
            check=False,
        )

    return command


def test_generate_makes_a_file(run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    made = run(
        "generate",
        "A harbour",
        "--image",
        "a.png",
        "--duration",
        "4",
        "--resolution",
        "480p",
        "--seed",
        "3",
        "--metadata",
        "a=b",
        "--last-frame-out",
        "last.png",
        "-o",
        "out.mp4",
    )
    assert made.returncode == 0, made.stderr
    assert "out.mp4" in made.stdout
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.streams.video[0].frames == 97
    assert (tmp_path / "last.png").read_bytes()[:4] == b"\x89PNG"


def test_the_other_commands(
    run: Callable[..., subprocess.CompletedProcess[str]], service: Service, done: str, tmp_path: Path
) -> None:
    models = run("models")
    assert models.returncode == 0
    assert all(name in models.stdout for name in ("seedance-2.0-mini", "seedance-2.5", "seedance-1.0-pro"))
    assert len(json.loads(run("models", "--json").stdout)["data"]) >= 8
    assert run("quote", "x", "--resolution", "480p").returncode == 0
    assert done in run("list", "--status", "completed").stdout
    assert run("download", done, "-o", "again.mp4").returncode == 0
    assert (tmp_path / "again.mp4").read_bytes()[4:8] == b"ftyp"
    with service.client() as client:
        video = client.post("/v1/videos", json=SMALL | {"prompt": "[sandbox:stall]"}).json()["id"]
    assert run("cancel", video).returncode == 0
    assert json.loads(run("events", "--json").stdout)["data"][0]["type"] == "video.queued"
    assert run("receipt", done).returncode == 0
    assert run("webhooks", "list").returncode == 0
    until(lambda: json.loads(run("status", video, "--json").stdout)["status"] == "canceled", 30)
    assert run("delete", video).returncode == 0
    assert run("status", video).returncode == 1
    failed = run("generate", "[sandbox:fail]", "--duration", "4", "--resolution", "480p", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["error"]["code"] == "provider_failed"
    refused = run("generate", "x", "--resolution", "8k")
    assert refused.returncode == 1
    assert "480p" in refused.stderr
