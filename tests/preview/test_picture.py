"""The picture: prompts, seeds, inputs and options are seen in it."""

import av
import numpy as np
import pytest
from PIL import Image

from providers.sandbox.kit import PROMPT, differ, image, landscape, plain, render, video
from seedance_api.catalog.order import Mode, Role, TaskType
from seedance_preview.label import caption_stamp, label_stamp, watermark_stamp
from seedance_preview.pixels import cover, to_picture

HD = {"width": 854, "height": 480}


def upper(frame: np.ndarray) -> np.ndarray:
    """What the lettering at the bottom does not reach."""
    return frame[: int(frame.shape[0] * 0.84)]


def clip(folder, picture=None, **kwargs):
    """A clip to give as an input."""
    files, inputs = ([picture], [image(Role.FIRST_FRAME)]) if picture else ([], [])
    return render(folder, files, inputs=inputs, **kwargs).path


def test_prompt_and_seed_change_the_picture(tmp_path):
    base, again, seed, prompt = (
        render(tmp_path, frames=2, **changes).frames(0)[0]
        for changes in ({}, {}, {"seed": 8}, {"prompt": "Sunset over the desert"})
    )
    assert differ(base, again) == 0
    assert differ(base, seed) > 8
    assert differ(base, prompt) > 8


def test_ratio_changes_the_composition(tmp_path):
    wide, tall = (render(tmp_path, frames=2, width=w, height=h).frames(0)[0] for w, h in ((320, 180), (180, 320)))
    squeezed = np.asarray(Image.fromarray(wide.astype(np.uint8)).resize((180, 320)))
    assert differ(squeezed, tall) > 5


@pytest.mark.parametrize("seed", range(8))
def test_every_scene_moves_and_moves_softly(tmp_path, seed):
    take = render(tmp_path, frames=49, seed=seed, prompt="Scenes")
    frames = take.frames(*range(0, 49, 6))
    assert differ(frames[0], frames[-1]) > 1.5
    steps = [differ(a, b) for a, b in zip(take.frames(*range(10, 20)), take.frames(*range(11, 21)), strict=True)]
    assert max(steps) < 4


def test_the_first_frame_is_the_given_picture(tmp_path):
    given = landscape(640, 480)
    first, last = render(tmp_path, [given], inputs=[image(Role.FIRST_FRAME)], **HD).frames(0, -1)
    expected = np.asarray(cover(given, 854, 480), np.float32)
    assert differ(upper(first), upper(expected)) < 2.5
    assert differ(first, expected) < 3.5
    assert differ(upper(last), upper(expected)) > 5


def test_the_last_frame_is_the_given_picture(tmp_path):
    given, goal = landscape(640, 480), landscape(500, 900, hue=2)
    inputs = [image(Role.FIRST_FRAME), image(Role.LAST_FRAME)]
    first, middle, last = render(tmp_path, [given, goal], inputs=inputs, **HD).frames(0, 12, -1)
    start, end = (np.asarray(cover(p, 854, 480), np.float32) for p in (given, goal))
    assert differ(upper(first), upper(start)) < 2.5
    assert differ(upper(last), upper(end)) < 2.5
    assert differ(start, end) > 20
    assert min(differ(middle, start), differ(middle, end)) > 5


def test_a_picture_leaves_its_first_frame_smoothly(tmp_path):
    take = render(tmp_path, [landscape()], inputs=[image(Role.FIRST_FRAME)], frames=30)
    steps = [differ(a, b) for a, b in zip(take.frames(*range(29)), take.frames(*range(1, 30)), strict=True)]
    assert max(steps) < 4


def test_a_fixed_camera_leaves_everything_in_place(tmp_path):
    stripes = Image.fromarray(np.tile(np.repeat(np.array([30, 225], np.uint8), 20), (480, 21))[:, :840]).convert("RGB")

    def moved(**changes):
        inputs = [image(Role.FIRST_FRAME)]
        first, last = render(tmp_path, [stripes], inputs=inputs, prompt="日", **HD, **changes).frames(0, -1)
        assert differ(first, last) > 1  # alive in any case
        return ((upper(first) > 128) != (upper(last) > 128)).mean()

    assert moved(camera_fixed=True) < 0.02
    assert moved() > 0.1


def test_a_fixed_camera_changes_a_scene(tmp_path):
    fixed, free = (render(tmp_path, frames=49, camera_fixed=f).frames(0, -1) for f in (True, False))
    assert differ(fixed[0], fixed[1]) > 1
    assert differ(fixed[1], free[1]) > 1


def reds(frame: np.ndarray) -> float:
    return float(((frame[..., 0] > 200) & (frame[..., 1] < 60) & (frame[..., 2] < 60)).mean())


def test_reference_pictures_are_seen(tmp_path):
    files, inputs = [plain((240, 10, 10)), landscape()], [image(), image()]
    assert reds(render(tmp_path, frames=30).frames(-1)[0]) == 0
    assert reds(render(tmp_path, files, inputs=inputs, frames=30).frames(-1)[0]) > 0.05


@pytest.mark.parametrize("count", [1, 4, 9, 30])
def test_every_reference_has_its_turn(tmp_path, count):
    files = [landscape(60, 60)] * (count - 1) + [plain((240, 10, 10), (60, 60))]
    frames = render(tmp_path, files, inputs=[image()] * count, duration=4, frames=None).frames(*range(0, 97, 8))
    assert max(reds(frame) for frame in frames) > 0.004


def test_a_reference_clip_plays_on_its_card(tmp_path):
    red = clip(tmp_path, plain((240, 10, 10)), frames=25)
    assert reds(render(tmp_path, [red], inputs=[video()], frames=30).frames(20)[0]) > 0.04


def test_an_edit_restyles_the_clip(tmp_path):
    source = clip(tmp_path, landscape(), frames=25, prompt="日")
    take = render(tmp_path, [source], inputs=[video()], task_type=TaskType.EDIT, prompt="日")
    with av.open(source, "r") as container:
        before = [f.to_ndarray(format="rgb24").astype(np.float32) for f in container.decode(video=0)]
    for index in (0, 24):
        [after] = take.frames(index)
        likeness = np.corrcoef(upper(before[index]).mean(-1).ravel(), upper(after).mean(-1).ravel())[0, 1]
        assert likeness > 0.75
        assert differ(before[index], after) > 8


def test_an_extension_starts_from_the_last_frame(tmp_path):
    source = clip(tmp_path, landscape(), frames=25, prompt="日")
    with av.open(source, "r") as container:
        end = [f.to_ndarray(format="rgb24").astype(np.float32) for f in container.decode(video=0)][-1]
    [first] = render(tmp_path, [source], inputs=[video()], task_type=TaskType.EXTEND, prompt="日").frames(0)
    assert differ(upper(first), upper(end)) < 2.5


def test_the_watermark_is_seen_at_the_bottom_right_and_nowhere_else(tmp_path):
    plainly, marked = (render(tmp_path, frames=5, watermark=w, **HD).frames(2)[0] for w in (False, True))
    mark = watermark_stamp(854, 480)
    height, width = mark.keep.shape
    box = np.s_[mark.top : mark.top + height, mark.left : mark.left + width]
    assert mark.left > 854 * 0.7
    assert mark.top > 480 * 0.8
    assert differ(plainly[box], marked[box]) > 12
    plainly[box] = marked[box] = 0
    assert differ(plainly, marked) < 1.5


@pytest.mark.parametrize("watermark", [False, True])
def test_the_last_frame_file_is_the_last_frame_without_the_watermark(tmp_path, watermark):
    take = render(tmp_path, return_last_frame=True, watermark=watermark, frames=51, **HD)
    saved = np.asarray(Image.open(take.folder / "last_frame.png"))
    decoded = np.asarray(to_picture(_last(take))).copy()
    assert differ(decoded, _last(take).to_ndarray(format="rgb24")) < 1.5
    if watermark:
        mark = watermark_stamp(854, 480)
        box = np.s_[mark.top : mark.top + mark.keep.shape[0], mark.left : mark.left + mark.keep.shape[1]]
        without = np.asarray(to_picture(_last(render(tmp_path, frames=51, **HD))))
        assert differ(saved[box], decoded[box]) > 10
        assert differ(saved[box], without[box]) < 2
        decoded[box] = saved[box]
    assert (saved == decoded).all()


def _last(take):
    with av.open(str(take.path), "r") as container:
        return list(container.decode(video=0))[-1]


def test_a_draft_is_tagged_and_its_final_is_the_same_scene(tmp_path):
    draft = render(tmp_path, draft=True, frames=5, **HD).frames(2)[0]
    final = render(tmp_path, mode=Mode.FINAL, frames=5, width=1280, height=720).frames(2)[0]
    untagged = render(tmp_path, frames=5, **HD).frames(2)[0]
    assert differ(draft[:60, :140], untagged[:60, :140]) > 12
    assert differ(draft[80:], untagged[80:]) < 1.5
    smaller = np.asarray(Image.fromarray(final.astype(np.uint8)).resize((854, 480), Image.Resampling.LANCZOS))
    assert differ(upper(smaller)[80:], upper(untagged)[80:]) < 2


def test_the_label_is_always_there_and_small(tmp_path):
    bright = plain((250, 250, 250))
    [frame] = render(tmp_path, [bright], inputs=[image(Role.FIRST_FRAME)], frames=2, **HD).frames(0)
    mark = label_stamp(854, 480)
    height, width = mark.keep.shape
    assert frame[mark.top : mark.top + height, mark.left : mark.left + width].min() < 170
    assert width * height / (854 * 480) < 0.03
    assert mark.left < 30


@pytest.mark.parametrize("size", [(854, 480), (480, 854), (3840, 2160), (64, 64)])
def test_lettering_stays_inside_the_frame(size):
    for stamp in (label_stamp(*size), watermark_stamp(*size), caption_stamp("Long words " * 80, *size)):
        assert stamp
        assert stamp.left >= 0
        assert stamp.top >= 0
        assert stamp.left + stamp.keep.shape[1] <= size[0]
        assert stamp.top + stamp.keep.shape[0] <= size[1]


@pytest.mark.parametrize("prompt", ["", "一只猫", "кот", "قطة", "A cat 🐈", "a\N{COMBINING LONG STROKE OVERLAY}\ufffe"])
def test_a_prompt_that_cannot_be_spelt_is_not_shown(prompt):
    assert caption_stamp(prompt, 854, 480) is None


def test_the_caption_leaves_out_the_magic(tmp_path):
    with_magic, without = (
        render(tmp_path, prompt=p, frames=49).frames(24)[0] for p in (f"{PROMPT} [sandbox:slow=1]", PROMPT)
    )
    assert differ(with_magic, without) == 0
    assert differ(without, render(tmp_path, prompt=f"{PROMPT}, and so on", frames=49).frames(24)[0]) > 0
