"""The unmodified `openai` package, told nothing but a base URL and a key."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import openai
import pytest
from openai import OpenAI

from security.attack import picture
from stage import Service, until

# all of its video methods are deprecated; that is why people need another server for them
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")
SMALL = {"resolution": "480p"}


@pytest.fixture
def client(service: Service) -> Iterator[OpenAI]:
    with OpenAI(api_key=service.key, base_url=f"{service.url}/v1") as client:
        yield client


def plays(data: bytes) -> tuple[int, int, int]:
    """Width, height and frames of an MP4 that plays to its end."""
    with av.open(io.BytesIO(data), "r") as film:
        frames = sum(1 for _ in film.decode(video=0))
        stream = film.streams.video[0]
        return stream.width, stream.height, frames


def test_create_and_poll_then_download_then_delete(client: OpenAI, tmp_path: Path) -> None:
    video = client.videos.create_and_poll(prompt="A lighthouse", seconds="4", extra_body=SMALL, poll_interval_ms=200)  # type: ignore[arg-type]
    assert (video.status, video.progress, video.object, video.error) == ("completed", 100, "video", None)
    assert (video.seconds, video.prompt, video.remixed_from_video_id) == ("4", "A lighthouse", None)
    assert video.completed_at is not None
    assert video.completed_at >= video.created_at
    assert video.expires_at is not None
    assert video.expires_at > video.completed_at
    content = client.videos.download_content(video.id)
    content.write_to_file(tmp_path / "a.mp4")
    width, height, frames = plays((tmp_path / "a.mp4").read_bytes())
    assert (f"{width}x{height}", frames) == (video.size, 97)
    assert client.videos.download_content(video.id, variant="thumbnail").read()[:4] == b"RIFF"
    deleted = client.videos.delete(video.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (video.id, True, "video.deleted")
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


@pytest.mark.parametrize("way", ["open file", "bytes", "tuple"])
def test_an_image_is_the_first_frame(client: OpenAI, tmp_path: Path, way: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    with path.open("rb") as file:
        given: Any = {"open file": file, "bytes": path.read_bytes(), "tuple": ("x.png", path.read_bytes(), "image/png")}
        video = client.videos.create(prompt="x", input_reference=given[way], seconds="4", extra_body=SMALL)  # type: ignore[arg-type]
    client.post(f"/videos/{video.id}/cancel", cast_to=object)


def test_create_and_poll_with_an_image(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    wish: Any = {"prompt": "x", "input_reference": path, "seconds": "4", "extra_body": SMALL}
    assert client.videos.create_and_poll(**wish, poll_interval_ms=200).status == "completed"


def test_openai_sizes_and_seconds(client: OpenAI) -> None:
    video = client.videos.create(prompt="x", size="1280x720", seconds="8")
    assert (video.size, video.seconds, video.status) == ("1280x720", "8", "queued")
    assert video.model_extra is not None
    assert (video.model_extra["resolution"], video.model_extra["ratio"]) == ("720p", "16:9")
    client.post(f"/videos/{video.id}/cancel", cast_to=object)


def test_extras_go_along(client: OpenAI) -> None:
    extra: dict[str, Any] = SMALL | {"seed": 7, "generate_audio": False, "metadata": {"a": "b"}}
    with pytest.raises(openai.BadRequestError) as refusal:
        client.videos.create(prompt="x", extra_body=extra | {"images": [{"url": "https://example.invalid/"}]})
    assert refusal.value.param == "images[0]"
    video = client.videos.create(prompt="x", extra_body=extra)
    assert video.model_extra is not None
    assert {name: video.model_extra[name] for name in ("seed", "generate_audio", "metadata")}.items() <= extra.items()
    client.post(f"/videos/{video.id}/cancel", cast_to=object)


def test_a_list_pages_itself(service: Service) -> None:
    key = service.new_key(email=service.command("account", "create", "pages@example.org")["email"])
    with OpenAI(api_key=key, base_url=f"{service.url}/v1") as client:
        made = [client.videos.create(prompt=f"{n}", extra_body=SMALL).id for n in range(7)]
        for video in made:
            client.post(f"/videos/{video}/cancel", cast_to=object)
        assert [video.id for video in client.videos.list(limit=3)] == made[::-1]
        assert [video.id for video in client.videos.list(limit=3, order="asc")] == made
        page = client.videos.list(limit=3, after=made[3])
        assert ([video.id for video in page.data], page.has_more) == (made[2::-1], False)


def test_errors_are_of_the_right_class(client: OpenAI, service: Service) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.videos.create(prompt="x", size="1x1")  # type: ignore[arg-type]
    assert (bad.value.code, bad.value.param, bad.value.type) == ("invalid_request", "size", "invalid_request_error")
    assert bad.value.request_id
    with pytest.raises(openai.NotFoundError) as missing:
        client.videos.retrieve("vid_nothing")
    assert missing.value.code == "not_found"
    with (
        OpenAI(api_key="sda_test_wrong", base_url=f"{service.url}/v1") as other,
        pytest.raises(openai.AuthenticationError) as wrong,
    ):
        other.videos.list()
    assert wrong.value.code == "invalid_key"
    live = service.new_key("live")
    with pytest.raises(openai.PermissionDeniedError), OpenAI(api_key=live, base_url=f"{service.url}/v1") as other:
        other.videos.create(prompt="x")
    video = client.videos.create(prompt="[sandbox:stall]", extra_body=SMALL)
    with pytest.raises(openai.NotFoundError) as early:
        client.videos.download_content(video.id)
    assert early.value.code == "not_ready"
    with pytest.raises(openai.ConflictError):
        client.videos.delete(video.id)
    client.post(f"/videos/{video.id}/cancel", cast_to=object)
    until(lambda: client.videos.retrieve(video.id).status == "canceled", 30)


def test_a_failed_video_says_why(client: OpenAI) -> None:
    video = client.videos.create_and_poll(prompt="[sandbox:fail]", seconds="4", extra_body=SMALL, poll_interval_ms=200)  # type: ignore[arg-type]
    assert video.status == "failed"
    assert video.error is not None
    assert video.error.code == "provider_failed"
