"""The old flags at the end of a prompt, such as `--rs 720p --dur 5`."""

import re

_NAMES = {
    "rs": "resolution", "resolution": "resolution", "rt": "ratio", "ratio": "ratio", "dur": "duration",
    "duration": "duration", "frames": "frames", "fps": "fps", "seed": "seed", "cf": "camera_fixed",
    "camerafixed": "camera_fixed", "wm": "watermark", "watermark": "watermark",
}  # fmt: skip
_FLAG = re.compile(r"(?:^|\s)--([A-Za-z_]+)(?:[ \t]+([^\s-][^\s]*|-\d+))?")


def split(text: str) -> tuple[str, dict[str, str]]:
    """The prompt without its flags, and the flags by the names of the body's fields. Unknown ones vanish."""
    found = {_NAMES[name.lower()]: value for name, value in _FLAG.findall(text) if name.lower() in _NAMES}
    return _FLAG.sub("", text).strip(), found


def as_integer(value: str) -> int | None:
    """A number, or None: most flags are not checked but swallowed."""
    return int(value) if re.fullmatch(r"-?\d{1,12}", value) else None


def as_boolean(value: str) -> bool | None:
    """A truth, or None."""
    return {"true": True, "false": False}.get(value.lower())
