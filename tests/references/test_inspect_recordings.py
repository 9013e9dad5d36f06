"""Videos and sounds, made with FFmpeg here and looked into by the real child."""

import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.container import OutputContainer

from references.look import Look, bad, look_at
from seedance_api.catalog.order import Kind
from seedance_api.references.inspect import BadMedia, Inspected, Staged

RATE = 44_100
Make = Callable[[Path, float], Path]


def clip(
    path: Path,
    *,
    codec: str = "libx264",
    sound: str | None = None,
    size: tuple[int, int] = (854, 480),
    fps: Fraction | int = 24,
    frames: int = 60,
    form: str | None = None,
    faststart: bool = True,
) -> Path:
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", format=form, options=options) as out:
        video: Any = out.add_stream(codec, rate=fps)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {
            "preset": "ultrafast",
            "crf": "30",
            "g": "30",
            "cpu-used": "8",
            "x265-params": "log-level=none",
        }
        audio: Any = out.add_stream(sound, rate=RATE) if sound else None
        for n in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for at, plane in enumerate(frame.planes):
                plane.update(bytes([(n * 3 + at * 50) % 256]) * plane.buffer_size)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            tone(out, audio, frames / fps)
    return path


def tone(out: OutputContainer, stream: av.AudioStream, seconds: Fraction | float) -> None:
    block, sent = 1152, 0
    while sent < seconds * RATE:
        frame = av.AudioFrame("s16", "mono", min(block, round(seconds * RATE) - sent) or 1)
        frame.sample_rate, frame.pts = RATE, sent
        for plane in frame.planes:
            plane.update(bytes(range(256)) * (plane.buffer_size // 256) + bytes(plane.buffer_size % 256))
        out.mux(stream.encode(frame))
        sent += frame.samples
    out.mux(stream.encode(None))


def mp3(path: Path, seconds: float) -> Path:
    with av.open(str(path), "w", format="mp3") as out:
        tone(out, out.add_stream("libmp3lame", rate=RATE, layout="mono"), seconds)
    return path


def wav(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(bytes(range(256)) * int(seconds * RATE * 2 / 256))
    return path


def good(outcome: Inspected | BadMedia, path: Path) -> Inspected:
    assert isinstance(outcome, Inspected), outcome
    assert outcome.path == path
    assert outcome.facts.bytes == path.stat().st_size
    return outcome


# --- videos ---


@pytest.mark.parametrize(
    ("name", "codec", "sound", "names"),
    [
        ("a.mp4", "libx264", None, ("video/mp4", "h264", None)),
        ("a.mp4", "libx264", "aac", ("video/mp4", "h264", "aac")),
        ("a.mp4", "libx265", "libmp3lame", ("video/mp4", "hevc", "mp3")),
        ("a.mov", "libx264", "pcm_s16le", ("video/quicktime", "h264", "pcm_s16le")),
    ],
)
def test_a_video_is_kept_as_it_is(
    look: Look, tmp_path: Path, name: str, codec: str, sound: str | None, names: tuple[str, str, str | None]
) -> None:
    path = clip(tmp_path / name, codec=codec, sound=sound)
    before = path.read_bytes()
    facts = good(look(path, kind=Kind.VIDEO), path).facts
    assert (facts.media_type, facts.video_codec, facts.audio_codec) == names
    assert (facts.width, facts.height, facts.seconds, facts.fps) == (854, 480, 2.5, 24.0)
    assert path.read_bytes() == before


def test_ntsc_film_is_24_frames(look: Look, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", fps=Fraction(24000, 1001))
    assert good(look(path), path).facts.fps == 23.976


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"codec": "mpeg4"}, "media_codec", "mpeg4: the video codec must be H.264 or H.265"),
        ({"codec": "libvpx-vp9", "frames": 50}, "media_codec", "vp9: the video codec"),
        ({"sound": "ac3"}, "media_codec", "ac3: the sound"),
        ({"frames": 24}, "media_length", "1.00 s: it must be 2–30 s long"),
        ({"frames": 31 * 24}, "media_length", "31.00 s"),
        ({"fps": 15}, "media_fps", "15 frames a second: a video must have 23.8–60"),
        ({"fps": 90, "frames": 200}, "media_fps", "90 frames a second"),
        ({"size": (640, 480)}, "media_size", "640 × 480 px are 307,200 in all: a frame must have 407,696–8,295,044"),
        ({"size": (1400, 280)}, "media_size", "1400 × 280 px: the height"),
        ({"size": (1300, 500)}, "media_ratio", "1300 × 500 px is 2.600"),
    ],
)
def test_a_video_outside_the_limits(
    look: Look, tmp_path: Path, given: dict[str, object], code: str, words: str
) -> None:
    path = clip(tmp_path / "a.mp4", **given)  # pyright: ignore[reportArgumentType]
    assert words in bad(look(path), code)


def test_pcm_belongs_in_mov_only(look: Look, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", sound="pcm_s16le")
    assert "pcm_s16le" in bad(look(path), "media_codec")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("faststart", [True, False])
def test_a_truncated_video_is_refused(look: Look, tmp_path: Path, share: float, faststart: bool) -> None:
    path = clip(tmp_path / "a.mp4", faststart=faststart)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    bad(look(path), "media_unreadable")


def test_a_video_without_its_last_frames_is_refused(look: Look, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    data[-3000:] = bytes(3000)
    path.write_bytes(data)
    assert isinstance(look(path), BadMedia)


def test_a_header_that_lies_about_the_length_is_refused(look: Look, tmp_path: Path) -> None:
    """What is paid for input video depends on it (ISO/IEC 14496-12 §8.4.2, `mdhd`)."""
    path = clip(tmp_path / "a.mp4", frames=240)
    data = bytearray(path.read_bytes())
    for box, at in ((b"mdhd", 16), (b"mvhd", 16), (b"tkhd", 20)):
        field = data.index(box) + 4 + at
        length = int.from_bytes(data[field : field + 4], "big")
        data[field : field + 4] = (length // 4).to_bytes(4, "big")
    path.write_bytes(data)
    bad(look(path), "media_unreadable")


def test_other_containers_are_unknown(look: Look, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", form="matroska", faststart=False)
    bad(look(path), "media_unknown")


# --- sounds ---


def test_wav_and_mp3(look: Look, tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", 3)
    facts = good(look(path, kind=Kind.AUDIO), path).facts
    assert (facts.media_type, facts.audio_codec) == ("audio/wav", "pcm_s16le")
    assert facts.seconds == pytest.approx(3, abs=0.01)
    path = mp3(tmp_path / "a.mp3", 3)
    facts = good(look(path, kind=Kind.AUDIO), path).facts
    assert (facts.media_type, facts.audio_codec) == ("audio/mpeg", "mp3")
    assert facts.seconds == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("make", [wav, mp3])
@pytest.mark.parametrize("seconds", [1, 31])
def test_a_sound_has_2_to_30_seconds(look: Look, tmp_path: Path, make: Make, seconds: int) -> None:
    bad(look(make(tmp_path / "a", seconds)), "media_length")


@pytest.mark.parametrize("make", [wav, mp3])
def test_a_truncated_sound_is_refused(look: Look, tmp_path: Path, make: Make) -> None:
    path = make(tmp_path / "a", 20)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    bad(look(path), "media_unreadable")


def test_a_wav_of_something_else_is_refused(look: Look, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w", format="wav") as out:
        tone(out, out.add_stream("adpcm_ms", rate=RATE, layout="mono"), 3)
    assert "adpcm_ms" in bad(look(path), "media_codec")


def test_a_large_sound_is_refused_unread(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", 3)
    outcome = look_at(Staged(path=path, bytes=15_000_001))[0]
    assert "at most 15 MB" in bad(outcome, "media_too_large")
    assert isinstance(look_at(Staged(path=path, bytes=15_000_000))[0], Inspected)


def test_noise_with_a_magic_number(look: Look) -> None:
    for head in (b"ID3\x04\x00\x00", b"\xff\xfb\x90\x64", b"RIFF\x00\x00\x00\x00WAVEfmt "):
        bad(look(head + bytes(range(256)) * 40), "media_unreadable")
