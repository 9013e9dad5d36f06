"""A first video, from a key to a deleted file. Read this test first: it reads like the product."""

import io
from pathlib import Path

import av
import pytest
from PIL import Image

from seedance import APIError, NotFound, Seedance
from stage import Service


def test_first_video(service: Service, tmp_path: Path) -> None:
    picture = tmp_path / "harbour.png"
    Image.linear_gradient("L").resize((640, 400)).convert("RGB").save(picture)

    with Seedance(api_key=service.key, base_url=service.url) as client:
        quote = client.videos.quote("A harbour at dawn", images=[picture], resolution="480p", duration=4)
        assert quote.tokens is not None
        assert quote.tokens.expected == 40594

        video = client.videos.create("A harbour at dawn", images=[picture], resolution="480p", duration=4, seed=7)
        assert video.status == "queued"
        assert video.ai_generated

        seen: list[float] = []
        video = client.videos.wait(video, timeout=60, on_change=lambda now: seen.append(now.progress))
        assert video.status == "completed"
        assert seen == sorted(seen)
        assert video.usage is not None
        assert video.usage.total_tokens == 40594

        saved = client.videos.download(video, tmp_path / "harbour.mp4")
        with av.open(str(saved.path)) as film:
            stream = film.streams.video[0]
            assert (stream.width, stream.height, stream.frames, stream.average_rate) == (864, 496, 97, 24)
            assert film.streams.audio

        thumbnail = io.BytesIO()
        client.videos.download(video, thumbnail, variant="thumbnail")
        assert Image.open(thumbnail).format == "WEBP"

        assert next(one.id for one in client.videos.list()) == video.id
        assert client.videos.delete(video).deleted
        with pytest.raises(NotFound):
            client.videos.retrieve(video)
        with pytest.raises(APIError):
            client.videos.download(video, tmp_path / "again.mp4")
    assert not [path for path in (service.folder / "data" / "objects").rglob("*") if video.id in str(path)]
