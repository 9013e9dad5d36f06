"""What the confined children of a delivery are asked, and what they answer.

The structs stand apart from the work: who asks has no use for decoders, which take longer to load than the rest of us.
"""

import msgspec


class MeasureQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Where the file is and where its thumbnail goes; where the picture of its last frame is, if there is one."""

    video: str
    thumbnail: str
    last_frame: str | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What the file really holds. Sizes in pixels, length in seconds."""

    width: int
    height: int
    frames: int
    seconds: float
    codec: str
    audio: bool
    last_frame: str | None = None
    """Its media type, when it is a whole picture of the video's size."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What is burned in, for how long. `font` is a file; None takes one that has Latin letters."""

    text: str
    seconds: int
    font: str | None = None


class LabelQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which files, each with where the labelled one goes. The pictures show a labelled moment of the video."""

    label: Label
    producer: str
    content_id: str
    video: tuple[str, str]
    pictures: tuple[tuple[str, str], ...]
