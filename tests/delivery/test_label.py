"""The visible label: there for its seconds and no longer, and nothing else of the video changes."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from delivery.kit import make_clip
from seedance_api.delivery import label
from seedance_api.delivery.confined import Label
from stage import Service, finished

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ffmpeg is not installed (on Debian: apt-get install ffmpeg)"
)

LABEL = Label(text="AI-generated", seconds=2)
AIGC = {"Label": "1", "ContentProducer": "Acme", "ProduceID": "x"}


def frames(path: Path) -> list[NDArray[np.int16]]:
    """The luma of every frame."""
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="gray").astype(np.int16) for frame in film.decode(video=0)]


def sound(path: Path) -> bytes:
    """The sound as it is stored."""
    with av.open(str(path)) as film:
        return b"".join(bytes(packet) for packet in film.demux(audio=0))


@pytest.mark.parametrize("size", [(320, 192), (864, 496), (496, 864), (192, 320)])
def test_the_label_is_in_the_first_seconds_only(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    clip, labelled = make_clip(tmp_path / "a.mp4", seconds=3, width=width, height=height), tmp_path / "b.mp4"
    label.write_video(clip, labelled, label=LABEL, aigc=AIGC)
    before, after = frames(clip), frames(labelled)
    assert len(before) == len(after) == 73
    corner = label._corner(width, height)
    box = label._letters(LABEL, width, height).shape
    inside = np.s_[corner[1] : corner[1] + box[0], corner[0] : corner[0] + box[1]]
    assert box[0] >= height / 30
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        changed = np.abs(one - other)
        if number < 48:
            assert changed[inside].mean() > 15, number
            assert other[inside].max() > 200, "white letters"
        else:
            assert changed[inside].mean() < 8, number
        rest = changed.copy()
        rest[inside] = 0
        assert rest.mean() < 8, number


@needs_ffmpeg
def test_length_frames_and_sound_stay(clip: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.mp4"
    label.write_video(clip, labelled, label=LABEL, aigc=AIGC)
    fields = "stream=codec_name,nb_frames,duration,r_frame_rate,start_time,width,height"

    def facts(path: Path) -> list[dict[str, str]]:
        command = ["ffprobe", "-v", "error", "-show_entries", fields, "-of", "json", str(path)]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
        return sorted(found, key=lambda one: one["codec_name"])

    assert facts(labelled) == facts(clip)
    assert sound(labelled) == sound(clip)
    with av.open(str(labelled)) as film:
        assert json.loads(film.metadata["AIGC"]) == AIGC


@needs_ffmpeg
def test_what_the_provider_said_of_it_stays(clip: Path, tmp_path: Path) -> None:
    theirs, labelled = tmp_path / "theirs.mp4", tmp_path / "labelled.mp4"
    said = ["-metadata", 'AIGC={"Label":"1","ContentProducer":"Maker"}', "-movflags", "use_metadata_tags"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(clip), "-c", "copy", *said, str(theirs)], check=True)
    label.write_video(theirs, labelled, label=LABEL, aigc=AIGC)
    with av.open(str(labelled)) as film:
        assert json.loads(film.metadata["AIGC"])["ContentProducer"] == "Maker"


def test_a_text_that_its_font_has_no_letters_for_is_refused() -> None:
    label.check(Label(text="KI-erzeugt: made by AI, 2026", seconds=2))
    with pytest.raises(ValueError, match="no letter for 成 生"):
        label.check(Label(text="AI 生成", seconds=2))
    with pytest.raises(ValueError, match="no font"):
        label.check(Label(text="AI", seconds=2, font=__file__))


def test_a_service_labels_and_marks(start_service: Callable[..., Service], tmp_path: Path) -> None:
    service = start_service(label_seconds="5", label_text="Made by AI")
    with service.client() as client:
        body = {"prompt": "x", "duration": 4, "resolution": "480p", "seed": 1, "return_last_frame": True}
        video = client.post("/v1/videos", json=body).json()
        done = finished(client, video["id"])
        assert done["status"] == "completed"
        assert (done["duration"], done["frames"]) == (4, 97)
        pictures: dict[str, bytes] = {}
        for variant in ("video", "last_frame", "thumbnail"):
            content = client.get(f"/v1/videos/{video['id']}/content", params={"variant": variant}).content
            verdict = httpx.post(f"{service.url}/v1/verify", content=content, trust_env=False).json()
            assert (verdict["ours"], verdict["integrity"]) == (True, "untouched")
            pictures[variant] = content
    (tmp_path / "video.mp4").write_bytes(pictures["video"])
    (tmp_path / "last.png").write_bytes(pictures["last_frame"])
    with Image.open(tmp_path / "last.png") as image:
        last = np.asarray(image.convert("L")).astype(np.int16)
    film = frames(tmp_path / "video.mp4")
    assert len(film) == 97
    height, width = last.shape
    x, y = label._corner(width, height)
    assert (film[-1][y : y + 16, x : x + 40] < 90).mean() > 0.5, "the plate is in the last frame"
    assert (last[y : y + 16, x : x + 40] < 90).mean() > 0.5, "and in its picture"


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"label_seconds": "1"}, "0 or a whole number"), ({"label_seconds": "2", "label_text": "生成"}, "no letter for")],
)
def test_a_label_that_cannot_be_written_stops_the_start(
    database_url: str, tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    service = Service(database_url, tmp_path, started=False, **settings)
    with pytest.raises(AssertionError, match=says):
        service.start()
    assert service.process.wait(10) == 2
    service._close()
