"""The guide page on models, written from the catalogue so that it cannot fall behind it.

Write it anew with `python -m tools.document >docs/models.md`.
"""

import sys
from collections.abc import Callable, Sequence

from seedance_api.catalog import flags, models, parameters, wanted
from seedance_api.catalog.capabilities import Model, Seed
from seedance_api.catalog.limits import CODEC_NAMES, MB, NAMES, AudioLimits, ImageLimits, VideoLimits
from seedance_api.catalog.media import max_references
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.order import Kind, Mode
from seedance_api.catalog.pixels import ADAPTIVE, OPENAI_SIZES
from seedance_api.catalog.problem import MEANINGS

_NO = "–"

_MODE_NAMES = {
    Mode.TEXT: "text",
    Mode.FIRST_FRAME: "first frame",
    Mode.FIRST_LAST: "first and last frame",
    Mode.REFERENCE: "references",
}


def render() -> str:
    """The whole page, as Markdown."""
    parts = (_lifecycle(), _capabilities(), _modes(), _pixels(), _inputs(), _tokens(), _flags(), _problems())
    return "\n\n".join(("# Models", _INTRODUCTION, *parts)) + "\n"


_INTRODUCTION = f"""\
What each Seedance model takes and makes. `GET /v1/models` tells the same as JSON. This page is
generated from the catalogue (`tools/document.py`); do not edit it by hand.

Without a `model`, `{models.DEFAULT}` is used. The vendor's dated ids are accepted as aliases."""


def _lifecycle() -> str:
    rows = [(f"`{model.name}`", _ids(model), _ends(model, 0), _ends(model, 1)) for model in MODELS]
    return _section(
        "Names and lifecycle",
        _table(("Model", "Vendor's ids", "Ends on Volcengine Ark", "Ends on BytePlus ModelArk"), rows),
        _LIFECYCLE_NOTES,
    )


_LIFECYCLE_NOTES = f"""\
A model with an end on one cloud is *retiring*; one that has ended on both is *retired* and refused, from
the day of its end on (UTC). The vendor names `{models.DEFAULT}` as the replacement of every 1.x model. For
`seedance-1.0-lite` on BytePlus no date was announced; the one given is the day its id was found gone."""


def _ids(model: Model) -> str:
    return ", ".join(f"`{alias}`" for alias in model.aliases)


def _ends(model: Model, cloud: int) -> str:
    ends_at = model.clouds[cloud].ends_at
    return _NO if ends_at is None else f"{ends_at:%Y-%m-%d %H:%M} UTC"


def _capabilities() -> str:
    rows: list[tuple[str, Callable[[Model], str]]] = [
        *((name, _takes(mode)) for mode, name in _MODE_NAMES.items()),
        *((f"reference {kind}s", _references(kind)) for kind in Kind),
        (
            "references in all",
            lambda m: str(m.capabilities.references.total) if m.capabilities.references else _NO,
        ),
        ("sound without a picture", _audio_alone),
        ("`resolution`", lambda m: " ".join(m.capabilities.resolutions)),
        ("default resolution", lambda m: m.capabilities.default_resolution),
        ("10-bit HEVC output", lambda m: " ".join(m.capabilities.ten_bit_hevc) or _NO),
        ("`duration` (seconds)", _duration),
        ("default duration", lambda m: str(m.capabilities.duration.default)),
        ("`frames`", _frames),
        ("`generate_audio`", lambda m: "yes, default" if m.capabilities.audio else _NO),
        ("`seed`", lambda m: m.capabilities.seed.value),
        ("`camera_fixed`", lambda m: _yes(m.capabilities.camera_fixed)),
        ("`draft`", lambda m: m.capabilities.draft.resolution if m.capabilities.draft else _NO),
        ("`service_tier`", lambda m: " ".join(m.capabilities.service_tiers)),
        ("`task_type`", lambda m: " ".join(m.capabilities.task_types)),
    ]
    head = ("", *(f"`{model.name.removeprefix('seedance-')}`" for model in MODELS))
    table = _table(head, [(name, *(cell(model) for model in MODELS)) for name, cell in rows])
    return _section("Capabilities", table, _CAPABILITY_NOTES)


_CAPABILITY_NOTES = f"""\
Videos have 24 frames a second. A `duration` of -1 lets the model decide; a quote then expects 5
seconds and holds for the longest the model makes. `frames` excludes `duration`. `watermark` and
`return_last_frame` are taken by every model, but a draft of 1.5 pro has no last frame and no
`flex`.

`seed` goes from {parameters.SEEDS[0]} (random) to {parameters.SEEDS[1]}. *{Seed.DOCUMENTED}*: the
vendor documents it. *{Seed.ACCEPTED}*: the live service takes it, but whether it repeats a video is
unproven. *{Seed.UNPROVEN}*: we take it and pass it on; whether the vendor honours it is unproven.

A prompt has at most {wanted.PROMPT_CHARACTERS:,} characters and is needed when there is no other
input.

A draft is made in 480p; its final take is asked for by naming the draft. On 1.5 pro it may repeat
the draft's parameters if they are equal; on 2.5 it repeats none and is always 1080p."""


def _takes(mode: Mode) -> Callable[[Model], str]:
    return lambda model: _yes(model.takes(mode))


def _references(kind: Kind) -> Callable[[Model], str]:
    return lambda model: str(max_references(model.capabilities.references, kind) or _NO)


def _audio_alone(model: Model) -> str:
    references = model.capabilities.references
    return _yes(references is not None and references.audio_alone)


def _duration(model: Model) -> str:
    takes = model.capabilities.duration
    return f"{takes.least}–{takes.most}" + (" or -1" if takes.auto else "")


def _frames(model: Model) -> str:
    takes = model.capabilities.frames
    return _NO if takes is None else f"{takes.least}–{takes.most}, step {takes.step}"


def _modes() -> str:
    rows = [
        (
            f"`{model.name}`",
            _MODE_NAMES[rules.mode],
            " ".join(rules.ratios),
            rules.default_ratio,
            " ".join(rules.resolutions),
            _yes(rules.camera_fixed),
        )
        for model in MODELS
        for rules in model.capabilities.modes
    ]
    head = ("Model", "Mode", "`ratio`", "Default ratio", "`resolution`", "`camera_fixed`")
    return _section("Modes", _MODE_NOTES, _table(head, rows), _ADAPTIVE_NOTES)


_MODE_NOTES = """\
The mode follows from the media. One image without a role is the first frame; several media need a
role on every image: `first_frame`, `last_frame` or `reference` (also `reference_image`). Videos and
sounds are references. Frames and references cannot be mixed. `task_type` `edit` and `extend` need a
video, `edit` no `duration` of its own, and both no `ratio` but `adaptive`."""

_ADAPTIVE_NOTES = f"""\
`{ADAPTIVE}` takes the ratio nearest to the first frame, else to the first reference video, else to
the first reference image; without any, the model chooses and a quote expects 16:9. On 2.5 the
result keeps the exact shape of the input and so may lie off the table below, with about as many
pixels."""


def _pixels() -> str:
    tables: list[str] = []
    for family in _alike(lambda model: model.pixels):
        pixels = family[0].pixels
        ratios = list(next(iter(pixels.values())))
        rows = [(name, *(f"{w}×{h}" for w, h in table.values())) for name, table in pixels.items()]
        tables.extend((_names(family) + ":", _table(("", *ratios), rows)))
    sizes = ", ".join(f"`{size}`" for size in OPENAI_SIZES)
    note = f"`size` takes any entry of the model's table (`1112x834`) and, as the nearest, OpenAI's {sizes}."
    return _section("Pixels", *tables, note)


def _inputs() -> str:
    sections: list[str] = []
    for family in _alike(lambda model: model.limits):
        limits = family[0].limits
        lines = [f"- Image: {_image(limits.image)}."]
        if limits.video is not None:
            lines.append(f"- Video: {_video(limits.video)}.")
        if limits.audio is not None:
            lines.append(f"- Sound: {_sound(limits.audio)}.")
        sections.extend((_names(family) + ":", "\n".join(lines)))
    return _section("Input media", *sections, _INPUT_NOTES)


_INPUT_NOTES = """\
An upload takes every file that some model takes, and a create every one that its model takes: both read this table.
What a file is, its bytes say; its name and its declared type do not matter. Lengths and frame rates count rounded to a
tenth: "15 seconds" at 29.97 frames a second are 15.015 s long and are taken as 15. A video is as long as a player
shows it, by its edit list. Of a picture with others behind it (a camera's JPEG with a preview, HEIC) the first counts
and nothing else is kept; animations are refused. MB is 1,000,000 bytes."""


def _file(limits: ImageLimits | VideoLimits | AudioLimits) -> str:
    return ", ".join(NAMES[one] for one in limits.media_types) + f"; at most {limits.max_bytes // MB} MB"


def _image(limits: ImageLimits) -> str:
    return "; ".join((_file(limits), _shape(limits)))


def _video(limits: VideoLimits) -> str:
    sound = " or ".join(CODEC_NAMES[one] for one in limits.audio_codecs)
    if limits.mov_audio_codecs:
        sound += ", in MOV also " + " or ".join(CODEC_NAMES[one] for one in limits.mov_audio_codecs)
    parts = [
        _file(limits),
        f"{' or '.join(CODEC_NAMES[one] for one in limits.video_codecs)}, sound {sound}",
        _shape(limits),
        f"{limits.pixels[0]:,}–{limits.pixels[1]:,} pixels in a frame",
        f"{_range(limits.fps)} frames a second",
        f"{_range(limits.seconds)} seconds each, at most {limits.total_seconds} in all",
    ]
    if limits.edit_seconds is not None:
        parts.append(f"a clip to be edited {_range(limits.edit_seconds)} seconds")
    return "; ".join(parts)


def _sound(limits: AudioLimits) -> str:
    return f"{_file(limits)}; {_range(limits.seconds)} seconds each, at most {limits.total_seconds} in all"


def _shape(limits: ImageLimits | VideoLimits) -> str:
    return (
        f"sides over {limits.sides[0]} and under {limits.sides[1]} pixels, "
        f"width / height over {limits.aspect[0]} and under {limits.aspect[1]}"
    )


def _tokens() -> str:
    return _section("Tokens", _TOKENS)


_TOKENS = """\
The vendor counts a video in tokens, and a quote is made from them:

```text
tokens  = floor(width × height × (24 × (seconds + input video seconds) + 1) / 1024)
minimum = floor(width × height × 24 × ceil(seconds × 5 / 3) / 1024)     with any input video
frames  = floor(width × height × frames / 1024)                         when `frames` is given
```

The larger of the first two is billed. Images and sounds add nothing. A draft of 1.5 pro costs 60 %
with sound and 70 % without; a draft of 2.5 its ordinary 480p tokens. The most that a generation can
cost takes the longest duration for -1 and one per cent over the largest table entry for `adaptive`.

Example: 720p 16:9 for 5 seconds is 1280 × 720 × 121 / 1024 = 108,900 tokens."""


def _flags() -> str:
    fields: dict[str, list[str]] = {}
    for name, field in flags.FLAGS.items():
        fields.setdefault(field, []).append(f"`--{name}`")
    rows = [(" ".join(names), f"`{field}`" if field != "fps" else "24 only") for field, names in fields.items()]
    return _section("Flags in the prompt", _FLAG_NOTES, _table(("Flag", "Field"), rows))


_FLAG_NOTES = """\
The vendor's old flags (`a cat --rs 720p --dur 5`) are understood, taken out of the prompt and
checked like fields. A flag that contradicts a field is refused, and so is one that looks like a
slip of the pen (`--ration 16:9`); other words that begin with two dashes are left in the text."""


def _problems() -> str:
    rows = [(f"`{code}`", meaning) for code, meaning in MEANINGS.items()]
    note = "A refusal lists every problem at once, each with its path, code, what is allowed and who takes it."
    return _section("Problems", note, _table(("Code", "Meaning"), rows))


def _alike(part: Callable[[Model], object]) -> list[list[Model]]:
    """The models in groups that have this part in common, in the order of the catalogue."""
    groups: list[list[Model]] = []
    for model in MODELS:
        group = next((group for group in groups if part(group[0]) == part(model)), None)
        if group is None:
            groups.append([model])
        else:
            group.append(model)
    return groups


def _names(family: Sequence[Model]) -> str:
    return ", ".join(f"`{model.name}`" for model in family)


def _section(title: str, *parts: str) -> str:
    return "\n\n".join((f"## {title}", *parts))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _yes(holds: bool) -> str:
    return "yes" if holds else _NO


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]}–{bounds[1]}"


if __name__ == "__main__":
    sys.stdout.write(render())
