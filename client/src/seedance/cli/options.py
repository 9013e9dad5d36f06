"""The options that `generate` and `quote` share, and the request they make."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias, cast
from urllib.parse import urlsplit

import typer

from seedance.create import Media, Reference, Role, VideoOptions
from seedance.sink import STDOUT, check_target

PICTURE = "PATH|URL|file_id"

Prompt: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="PROMPT", help="What the video shows. Omit with --final-of.")
]
Images: TypeAlias = Annotated[
    list[str] | None, typer.Option("--image", metavar=PICTURE, help="An image to start from. Repeatable.")
]
FirstFrame: TypeAlias = Annotated[str | None, typer.Option("--first-frame", metavar=PICTURE, help="The first frame.")]
LastFrame: TypeAlias = Annotated[str | None, typer.Option("--last-frame", metavar=PICTURE, help="The last frame.")]
References: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--reference", metavar=PICTURE, help="A reference image, video or audio file. Repeatable."),
]
Model: TypeAlias = Annotated[str | None, typer.Option("--model", help="Model name; see `seedance models`.")]
Duration: TypeAlias = Annotated[
    int | None, typer.Option("--duration", "--seconds", metavar="SECONDS", help="Length in seconds.")
]
Resolution: TypeAlias = Annotated[str | None, typer.Option("--resolution", help="Such as 720p.")]
Ratio: TypeAlias = Annotated[str | None, typer.Option("--ratio", help="Such as 16:9.")]
Seed: TypeAlias = Annotated[int | None, typer.Option("--seed", help="The same seed gives similar videos.")]
Audio: TypeAlias = Annotated[bool | None, typer.Option("--audio/--no-audio", help="Generate audio or not.")]
CameraFixed: TypeAlias = Annotated[
    bool | None, typer.Option("--camera-fixed/--camera-free", help="Keep the camera still.")
]
Watermark: TypeAlias = Annotated[
    bool | None, typer.Option("--watermark/--no-watermark", help="Add a visible watermark.")
]
Draft: TypeAlias = Annotated[bool | None, typer.Option("--draft/--no-draft", help="Make a quick preview.")]
FinalOf: TypeAlias = Annotated[
    str | None, typer.Option("--final-of", metavar="VIDEO_ID", help="Make the full-quality take of a draft.")
]
Metadata: TypeAlias = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Stored with the video. Repeatable.")
]

WebhookUrl: TypeAlias = Annotated[
    str | None, typer.Option("--webhook-url", metavar="URL", help="Called when this video finishes or fails.")
]
ExpiresAfter: TypeAlias = Annotated[
    int | None, typer.Option("--expires-after", metavar="SECONDS", help="Delete the video after at most this long.")
]
Confirm: TypeAlias = Annotated[
    bool, typer.Option("--confirm/--no-confirm", help="Confirm the delivery once the file is verified, or not.")
]


def checked_amount(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[0-9]+(\.[0-9]{1,6})?", value):
        raise typer.BadParameter(f"{value!r} is not an amount, such as 0.50")
    return value


MaxCost: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--max-cost", metavar="AMOUNT", callback=checked_amount, help="Refuse if it could cost more, such as 0.50."
    ),
]


def check_prompt(prompt: str | None, final_of: str | None) -> None:
    """A video is of a prompt, or of a draft that has one."""
    if (prompt is None) == (final_of is None):
        raise typer.BadParameter("give either a prompt or --final-of VIDEO_ID", param_hint="PROMPT")


def video_options(
    *,
    images: Sequence[str] | None,
    first_frame: str | None,
    last_frame: str | None,
    references: Sequence[str] | None,
    metadata: Sequence[str] | None,
    **plain: str | float | bool | None,
) -> VideoOptions:
    """The request that the options stand for, without those that were not given."""
    named: list[tuple[str, str, Role | None]] = []
    named.extend(("--image", item, None) for item in images or ())
    named.extend(("--first-frame", item, "first_frame") for item in [first_frame] if item)
    named.extend(("--last-frame", item, "last_frame") for item in [last_frame] if item)
    named.extend(("--reference", item, "reference") for item in references or ())
    options = cast("VideoOptions", {name: value for name, value in plain.items() if value is not None})
    for kind in ("images", "videos", "audios"):
        media = [refer(option, item, role) for option, item, role in named if kind_of(option, item) == kind]
        if media:
            options[kind] = media
    if metadata:
        options["metadata"] = dict(pair(item) for item in metadata)
    return options


def refer(option: str, item: str, role: Role | None) -> Media:
    if item.startswith(("http://", "https://", "data:")):
        return item if role is None else Reference(url=item, role=role)
    path = Path(item)
    if path.is_file():
        return path if role is None else Reference(file=path, role=role)
    if re.fullmatch(r"file_[A-Za-z0-9]+", item):
        return item if role is None else Reference(file_id=item, role=role)
    raise typer.BadParameter(f"{item!r} is not a file here, a URL or a file id", param_hint=option)


def kind_of(option: str, item: str) -> str:
    if option != "--reference":
        return "images"
    if item.startswith("data:"):
        kind = item.removeprefix("data:")
    else:
        kind = mimetypes.guess_type(urlsplit(item).path)[0] or ""
    return {"video": "videos", "audio": "audios"}.get(kind.partition("/")[0], "images")


def pair(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not key or not equals:
        raise typer.BadParameter(f"{item!r} is not KEY=VALUE", param_hint="--metadata")
    return key, value


def check_output(path: Path, option: str) -> None:
    """Found out before a video is made and paid for, not after."""
    if is_stdout(path):
        return
    try:
        check_target(path)
    except OSError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def check_stdout(as_json: bool, **outputs: Path | None) -> bool:
    """Whether standard output takes a file, and so nothing else. It takes one thing only."""
    to_stdout = [f"--{name.replace('_', '-')}" for name, path in outputs.items() if path and is_stdout(path)]
    if len(to_stdout) + (as_json and bool(to_stdout)) > 1:
        others = " and ".join([*to_stdout, "--json"] if as_json else to_stdout)
        raise typer.BadParameter(f"standard output takes one thing only, not {others}", param_hint=to_stdout[0])
    return bool(to_stdout)


def is_stdout(path: Path) -> bool:
    """Whether this is `-`, or what standard output is sent to: /dev/stdout, say."""
    if str(path) == STDOUT:
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except (OSError, ValueError):
        return False


def target_of(path: Path) -> Path:
    """What the path stands for, for the client."""
    return Path(STDOUT) if is_stdout(path) else path


def in_words(path: str | None) -> str:
    return path or "standard output"
