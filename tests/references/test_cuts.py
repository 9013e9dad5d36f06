"""Videos as phones, cameras and editors leave them: cut without encoding, in fragments, of uneven frames, turned."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from references.look import Look, bad
from references.test_inspect_recordings import clip, good, tone
from seedance_api.catalog.request import Facts

CASES = Path(__file__).parent.parent / "cases"
Edit = tuple[float, float]
"""Seconds of the movie, and where in the media they begin; -1 for nothing at all."""


def boxes(data: bytearray, at: int, end: int) -> dict[bytes, tuple[int, int]]:
    """The boxes of a stretch of an ISO file: where each begins and ends."""
    found: dict[bytes, tuple[int, int]] = {}
    while at < end:
        size = int.from_bytes(data[at : at + 4], "big")
        found[bytes(data[at + 4 : at + 8])] = at, at + size
        at += size
    return found


def edited(path: Path, *edits: Edit) -> Path:
    """The same file with another edit list (ISO/IEC 14496-12 §8.6.6); its `moov` must stand at the end."""
    data = bytearray(path.read_bytes())
    moov = boxes(data, 0, len(data))[b"moov"]
    trak = boxes(data, moov[0] + 8, moov[1])[b"trak"]
    inside = boxes(data, trak[0] + 8, trak[1])
    mdhd = boxes(data, inside[b"mdia"][0] + 8, inside[b"mdia"][1])[b"mdhd"][0]
    media_scale = int.from_bytes(data[mdhd + 20 : mdhd + 24], "big")
    movie_scale = int.from_bytes(data[moov[0] + 28 : moov[0] + 32], "big")
    entries = b"".join(
        struct.pack(">IiI", round(seconds * movie_scale), -1 if at < 0 else round(at * media_scale), 1 << 16)
        for seconds, at in edits
    )
    elst = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
    edts = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
    old = inside.get(b"edts", (inside[b"tkhd"][1],) * 2)
    whole = round(sum(seconds for seconds, _ in edits) * movie_scale)
    data[moov[0] + 32 : moov[0] + 36] = data[trak[0] + 36 : trak[0] + 40] = whole.to_bytes(4, "big")
    data[old[0] : old[1]] = edts
    grown = len(edts) - (old[1] - old[0])
    for at in (moov[0], trak[0]):
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + grown).to_bytes(4, "big")
    path.write_bytes(data)
    return path


def made(
    path: Path, *, movflags: str = "", frames: int = 96, bf: int = 0, times: Callable[[int], int] = lambda n: n * 1000
) -> Path:
    """A clip of 24 frames a second in thousandths of a frame, with B-frames and uneven times if asked for."""
    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as out:
        video = out.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 854, 480, "yuv420p"
        video.codec_context.time_base = Fraction(1, 24_000)
        video.options = {"preset": "ultrafast", "crf": "40", "g": "24", "bf": str(bf)}
        for n in range(frames):
            frame = av.VideoFrame(854, 480, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([n * 2 % 256]) * plane.buffer_size)
            frame.pts, frame.time_base = times(n), Fraction(1, 24_000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def facts(look: Look, path: Path) -> Facts:
    return good(look(path), path).facts


def test_a_cut_copy_is_as_long_as_its_edit_list_says(look: Look) -> None:
    found = facts(look, CASES / "cut_copy.mp4")
    assert (found.seconds, found.fps) == (4.0, 30.0)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
@pytest.mark.parametrize("bf", [0, 2])
@pytest.mark.parametrize(
    ("edits", "seconds"),
    [
        ([(2.5, 1.5)], 2.5),  # the head is cut, in the middle of a group of frames
        ([(2.25, 0.0)], 2.25),  # the tail is cut: the last groups of frames are never shown
        ([(2.0, 1.0)], 2.0),  # both, on a key frame
        ([(0.5, -1), (4.0, 0.0)], 4.0),  # begins late
        ([(1.5, 0.0), (1.5, 2.5)], 3.0),  # the middle is cut out
    ],
)
def test_edit_lists(look: Look, tmp_path: Path, name: str, bf: int, edits: list[Edit], seconds: float) -> None:
    path = edited(made(tmp_path / name, bf=bf), *edits)
    assert facts(look, path).seconds == pytest.approx(seconds, abs=0.09)


def test_what_is_cut_to_nothing_or_too_short_is_told_so(look: Look, tmp_path: Path) -> None:
    path = edited(made(tmp_path / "a.mp4"), (1.0, 1.5))
    assert "1.00 s: it must be 2–30 s long" in bad(look(path), "media_length")


def test_a_cut_of_a_long_recording_counts_as_what_is_shown(look: Look, tmp_path: Path) -> None:
    path = edited(made(tmp_path / "a.mov", frames=40 * 24), (3.0, 35.5))
    assert facts(look, path).seconds == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize(
    "movflags",
    ["frag_keyframe+empty_moov", "frag_keyframe+empty_moov+default_base_moof", "frag_keyframe+delay_moov", "dash"],
)
@pytest.mark.parametrize("bf", [0, 2])
def test_fragments(look: Look, tmp_path: Path, movflags: str, bf: int) -> None:
    found = facts(look, made(tmp_path / "a.mp4", movflags=movflags, bf=bf))
    assert found.seconds == pytest.approx(4, abs=0.09)
    assert found.fps == pytest.approx(24, abs=0.6)


@pytest.mark.parametrize("movflags", ["", "faststart", "use_metadata_tags+negative_cts_offsets"])
@pytest.mark.parametrize("bf", [0, 3])
def test_delayed_frames(look: Look, tmp_path: Path, movflags: str, bf: int) -> None:
    found = facts(look, made(tmp_path / "a.mp4", movflags=movflags, bf=bf))
    assert (found.seconds, found.fps) == (4.0, 24.0)


def test_uneven_frames_count_by_their_mean(look: Look, tmp_path: Path) -> None:
    """A phone's recording: 30 frames a second, now and then one late."""
    path = made(tmp_path / "a.mp4", frames=120, times=lambda n: n * 800 + (n % 7) * 60)
    found = facts(look, path)
    assert found.seconds == pytest.approx(4, abs=0.05)
    assert found.fps == pytest.approx(30, abs=0.3)
    slow = made(tmp_path / "b.mp4", frames=60, times=lambda n: n * 1600 + (n % 3) * 200)
    assert "frames a second: a video must have 23.8–60" in bad(look(slow), "media_fps")


def test_a_turned_video_is_as_a_player_shows_it(look: Look, tmp_path: Path) -> None:
    path = made(tmp_path / "a.mov")
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    quarter = [0, 1 << 16, 0, -(1 << 16), 0, 0, 480 << 16, 0, 1 << 30]
    data[matrix : matrix + 36] = struct.pack(">9i", *quarter)
    path.write_bytes(data)
    found = facts(look, path)
    assert (found.width, found.height) == (480, 854)


def test_sound_may_outlast_the_pictures(look: Look, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", sound="aac", frames=15 * 24)
    assert facts(look, path).seconds == 15.0
    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 854, 480, "yuv420p"
        sound = out.add_stream("aac", rate=44_100)
        for _ in range(72):
            out.mux(video.encode(av.VideoFrame(854, 480, "yuv420p")))
        out.mux(video.encode(None))
        tone(out, sound, 4)
    found = facts(look, path)
    assert (found.seconds, found.audio_codec) == (3.0, "aac")


@pytest.mark.parametrize("tail", [b"\x00" * 5000, b"TAIL" * 999, struct.pack(">I4s", 8, b"free"), b"\xff\xd8\xff\xe0"])
@pytest.mark.parametrize("movflags", ["", "faststart"])
def test_what_stands_behind_the_end_does_not_matter(look: Look, tmp_path: Path, movflags: str, tail: bytes) -> None:
    path = made(tmp_path / "a.mp4", movflags=movflags)
    path.write_bytes(path.read_bytes() + tail)
    assert facts(look, path).seconds == 4.0


@pytest.mark.parametrize(
    ("rate", "frames", "taken"),
    [
        (Fraction(24000, 1001), 48, True),
        (Fraction(30000, 1001), 60, True),
        (Fraction(60000, 1001), 1800, True),  # "30 seconds": 30.03 s
        (25, 49, True),  # 1.96 s
        (Fraction(60000, 1001), 117, True),  # 1.952 s
        (24, 46, False),  # 1.917 s
        (25, 752, False),  # 30.08 s
    ],
)
def test_lengths_and_rates_count_rounded_to_a_tenth(
    look: Look, tmp_path: Path, rate: Fraction | int, frames: int, taken: bool
) -> None:
    path = clip(tmp_path / "a.mp4", fps=rate, frames=frames)
    if taken:
        assert facts(look, path).seconds == pytest.approx(frames / rate, abs=0.002)
    else:
        bad(look(path), "media_length")


def test_a_camera_without_brands(look: Look, tmp_path: Path) -> None:
    """QuickTime as it was before brands: `ftyp` is missing, and `wide` or `mdat` come first."""
    path = made(tmp_path / "a.mov")
    data = bytearray(path.read_bytes())
    assert (data[4:8], data[24:28], data[32:36]) == (b"ftyp", b"wide", b"mdat")
    for head in (20, 8):  # without `ftyp`, and then without `wide`
        table = data.index(b"stco") + 12
        for at in range(table, table + 4 * int.from_bytes(data[table - 4 : table], "big"), 4):
            data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") - head).to_bytes(4, "big")
        del data[:head]
        path.write_bytes(data)
        assert facts(look, path).media_type == "video/quicktime"
