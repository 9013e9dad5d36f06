"""What a provider delivers is checked against the order before anybody is told of it."""

from pathlib import Path

import msgspec
import pytest
from PIL import Image

from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.order import Order
from seedance_api.catalog.request import Request
from seedance_api.delivery.confined import Measured
from seedance_api.delivery.judge import is_as_ordered
from seedance_api.delivery.measure import look

FIT = Measured(width=864, height=496, frames=121, seconds=121 / 24, codec="h264", audio=True)


def order(**changes: object) -> Order:
    accepted = check(Request(prompt="x", resolution="480p", duration=5, ratio="16:9"))
    assert isinstance(accepted, Accepted)
    return msgspec.structs.replace(accepted.order, **changes)


@pytest.mark.parametrize(
    ("changes", "found", "fits"),
    [
        ({}, {}, True),
        ({}, {"seconds": 4.6}, True),
        ({}, {"seconds": 4.4}, False),
        ({}, {"seconds": 9.0}, True),
        ({"seconds": 15.0, "duration": 15}, {"seconds": 14.3}, True),
        ({"seconds": 15.0, "duration": 15}, {"seconds": 14.2}, False),
        ({"duration": -1}, {"seconds": 4.0}, True),
        ({}, {"width": 496, "height": 864}, False),
        ({"ratio": "adaptive"}, {"width": 496, "height": 864}, True),
        ({"return_last_frame": True}, {}, False),
        ({"return_last_frame": True}, {"last_frame": "image/png"}, True),
    ],
)
def test_a_video_is_what_was_ordered(changes: dict[str, object], found: dict[str, object], fits: bool) -> None:
    assert is_as_ordered(order(**changes), msgspec.structs.replace(FIT, **found)) is fits


@pytest.mark.parametrize(("form", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_a_last_frame_is_a_whole_picture_of_the_videos_size(tmp_path: Path, form: str, kind: str) -> None:
    path = tmp_path / "last_frame"
    Image.effect_mandelbrot((320, 180), (-2, -1, 1, 1), 60).convert("RGB").save(path, form)
    assert look(path, (320, 180)) == kind
    assert look(path, (180, 320)) is None
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert look(path, (320, 180)) is None
    path.write_bytes(b"<html>")
    assert look(path, (320, 180)) is None
    path.write_bytes(b"")
    assert look(path, (320, 180)) is None
