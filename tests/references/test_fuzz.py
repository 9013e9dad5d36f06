"""Mutated media: whatever it is, it is refused or comes out clean, and it costs a child at most."""

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from references.look import look_at
from seedance_api.catalog.order import Kind
from seedance_api.references.inspect import BadMedia, Inspected, Staged, clean_path

AT_ONCE = 12
CLEAN = {"image/jpeg": "JPEG", "image/png": "PNG"}


def picture(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.effect_mandelbrot((640, 400), (-2, -1, 1, 1), 40).convert("RGB").save(file, form, **options)
    return file.getvalue()


def film() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 864, 496, "yuv420p"
        for n in range(50):
            frame = np.full((496, 864, 3), n * 5, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


SEEDS = {
    "JPEG": picture("JPEG"),
    "progressive JPEG": picture("JPEG", progressive=True),
    "PNG": picture("PNG"),
    "WebP": picture("WEBP"),
    "lossless WebP": picture("WEBP", lossless=True),
    "MP4": film(),
}


@st.composite
def mutants(draw: st.DrawFn, seed: bytes) -> bytes:
    """A file with some bytes changed, a part cut out, repeated or moved, or its sizes blown up."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1) | st.integers(0, min(200, len(data) - 1)))
        match draw(st.sampled_from(["flip", "huge", "cut", "repeat", "noise", "end"])):
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "huge":
                data[at : at + 4] = draw(st.sampled_from([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)]))
            case "cut":
                del data[at : at + draw(st.integers(1, 5000))]
            case "repeat":
                data[at:at] = data[at : at + draw(st.integers(1, 5000))]
            case "noise":
                data[at : at + 16] = draw(st.binary(min_size=16, max_size=16))
            case _:
                del data[at + 1 :]
        data = data or bytearray(b"\0")
    return bytes(data)


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
def test_a_mutant_is_refused_or_comes_out_clean(seed: bytes) -> None:
    before = psutil.Process().memory_info().rss

    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list[Any](HealthCheck))
    @given(st.lists(mutants(seed), min_size=AT_ONCE, max_size=AT_ONCE))
    def check(given: list[bytes]) -> None:
        folder = Path(tempfile.mkdtemp())
        try:
            files = [Staged(path=folder / str(n), bytes=len(data)) for n, data in enumerate(given)]
            for file, data in zip(files, given, strict=True):
                file.path.write_bytes(data)
            for file, outcome in zip(files, look_at(*files), strict=True):
                is_sound(file, outcome)
        finally:
            shutil.rmtree(folder)

    check()
    assert psutil.Process().memory_info().rss - before < 100_000_000


def is_sound(file: Staged, outcome: Inspected | BadMedia) -> None:
    if isinstance(outcome, BadMedia):
        assert not clean_path(file).exists()
        assert str(file.path) not in outcome.message
    elif outcome.kind is Kind.IMAGE:
        with Image.open(outcome.path, formats=[CLEAN[outcome.facts.media_type]]) as image:
            image.load()
            assert image.size == (outcome.facts.width, outcome.facts.height)
        assert outcome.path.stat().st_size == outcome.facts.bytes
    else:
        assert outcome.path == file.path
        assert 2 <= (outcome.facts.seconds or 0) <= 30
