"""The file: what is in it, to the frame, and the same every time."""

import os

import av
import pytest

from providers.sandbox.kit import PROMPT, audio, boxes, commission, differ, image, landscape, plan, render, tone, video
from seedance_api.catalog.order import Role, TaskType
from seedance_api.providers.provider import Done, Failed


@pytest.mark.parametrize("size", [(854, 480), (480, 854), (1112, 834), (992, 432)])
def test_the_file_is_what_was_ordered(tmp_path, size):
    take = render(tmp_path, width=size[0], height=size[1], frames=29, generate_audio=True)
    with av.open(take.path) as container:
        [picture], [sound] = container.streams.video, container.streams.audio
        frames = [
            (f.width, f.height, f.format.name, (f.pts or 0) * (f.time_base or 0)) for f in container.decode(picture)
        ]
        assert (picture.codec_context.name, picture.codec_context.profile) == ("h264", "High")
        assert picture.average_rate == 24
        assert (sound.codec_context.name, sound.channels, sound.rate) == ("aac", 1, 48000)
    assert len(frames) == 29
    assert {f[:3] for f in frames} == {(*size, "yuv420p")}
    assert [round(f[3] * 24, 6) for f in frames] == list(range(29))
    assert boxes(take.path)[:2] == ["ftyp", "moov"]


def test_seconds_make_24_frames_each_and_one_more(tmp_path):
    take = render(tmp_path, duration=2, frames=None)
    with av.open(take.path) as container:
        assert sum(1 for _ in container.decode(video=0)) == 49
    assert isinstance(take.result, Done)
    assert (take.result.output.frames, take.result.output.seconds) == (49, 49 / 24)


def test_a_length_left_open_is_chosen_by_prompt_and_seed():
    chosen = {plan(commission(duration=-1, frames=None, seed=seed)).frames for seed in range(40)}
    assert chosen == {24 * s + 1 for s in range(4, 9)}
    first, again = (plan(commission(attempt_id=a, duration=-1, frames=None)) for a in ("att_a", "att_b"))
    assert first.frames == again.frames


@pytest.mark.parametrize(("given", "expected"), [(5.3, 5), (2.0, 4), (29.6, 30)])
def test_an_edit_is_as_long_as_its_clip(given, expected):
    work = commission(inputs=[video(given)], duration=-1, frames=None, task_type=TaskType.EDIT)
    assert plan(work).frames == 24 * expected + 1


def test_the_same_commission_makes_the_same_bytes(tmp_path):
    common = {"inputs": [image(), audio()], "generate_audio": True, "watermark": True}
    files = [landscape(), tone(tmp_path / "tone.wav", 440)]
    first, again = (render(tmp_path, files, attempt_id=a, **common) for a in ("att_a", "att_b"))
    assert first.path.read_bytes() == again.path.read_bytes()
    other = render(tmp_path, files, seed=8, **common)
    assert other.path.read_bytes() != first.path.read_bytes()


def test_the_bytes_say_nothing_of_when_and_what(tmp_path):
    data = render(tmp_path, prompt="A secret word: Rumpelstiltskin").path.read_bytes()
    assert b"Rumpelstiltskin" not in data
    assert b"Lavf" not in data


def test_a_seed_left_open_belongs_to_the_attempt(tmp_path):
    seeds = [plan(commission(attempt_id=a, seed=-1)).job.seed for a in ("att_a", "att_a", "att_b")]
    assert seeds[0] == seeds[1] != seeds[2]
    take = render(tmp_path, attempt_id="att_a", seed=-1)
    assert isinstance(take.result, Done)
    assert take.result.output.seed == seeds[0]
    chosen = render(tmp_path, attempt_id="att_c", seed=seeds[0])
    assert chosen.path.read_bytes() == take.path.read_bytes()


def test_no_sound_unless_ordered(tmp_path):
    with av.open(render(tmp_path).path) as container:
        assert not container.streams.audio


def test_the_output_says_what_was_made(tmp_path):
    take = render(tmp_path, width=854, height=480, frames=121, ratio="adaptive")
    assert isinstance(take.result, Done)
    output = take.result.output
    assert (output.width, output.height, output.ratio, output.seed) == (854, 480, "16:9", 7)
    assert output.tokens == 48_437  # the bill measured for this size in reference/ark.md §10.3
    assert not output.last_frame


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
def test_an_input_that_is_no_such_thing_fails_the_render(tmp_path, kind):
    junk = tmp_path / "junk"
    junk.write_bytes(os.urandom(5000))
    given = {"image": image(Role.FIRST_FRAME), "video": video(), "audio": audio()}[kind]
    take = render(tmp_path, [junk], inputs=[given], generate_audio=True)
    assert isinstance(take.result, Failed)
    assert take.result.code == "input_unreadable"
    assert PROMPT not in take.result.message


def test_sound_follows_the_seed(tmp_path):
    one, other = (render(tmp_path, generate_audio=True, seed=s).sound() for s in (1, 2))
    assert 0.005 < abs(one).mean() < 0.3
    assert differ(one, other) > 0.005


def test_reference_audio_is_heard(tmp_path):
    import numpy as np

    file = tone(tmp_path / "tone.wav", 3000)

    def strength(take):
        sound = take.sound()
        spectrum = abs(np.fft.rfft(sound * np.hanning(sound.size)))
        return spectrum[round(3000 * sound.size / 48000)] / spectrum.max()

    assert strength(render(tmp_path, generate_audio=True)) < 0.05
    assert strength(render(tmp_path, [file], inputs=[audio()], generate_audio=True)) > 0.5
