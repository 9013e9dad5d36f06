"""Widths and heights, from the table and, for adaptive outputs of 2.5, off it."""

import math

_ORDER = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
_Size = tuple[int, int]


def _row(*sizes: str) -> dict[str, _Size]:
    pairs = [tuple(int(side) for side in size.split("x")) for size in sizes]
    return {ratio: (width, height) for ratio, (width, height) in zip(_ORDER, pairs, strict=True)}


_FIRST = {
    "480p": _row("864x480", "736x544", "640x640", "544x736", "480x864", "960x416") | {"9:21": (416, 960)},
    "720p": _row("1248x704", "1120x832", "960x960", "832x1120", "704x1248", "1504x640") | {"9:21": (640, 1504)},
    "1080p": _row("1920x1088", "1664x1248", "1440x1440", "1248x1664", "1088x1920", "2176x928") | {"9:21": (928, 2176)},
}
_LATER = {
    "480p": _row("864x496", "752x560", "640x640", "560x752", "496x864", "992x432"),
    "720p": _row("1280x720", "1112x834", "960x960", "834x1112", "720x1280", "1470x630"),
    "1080p": _row("1920x1080", "1664x1248", "1440x1440", "1248x1664", "1080x1920", "2206x946"),
    "4k": _row("3840x2160", "3326x2494", "2880x2880", "2494x3326", "2160x3840", "4398x1886"),
}
_NEWEST = {
    **_LATER,
    "480p": _row("854x480", "752x560", "640x640", "560x752", "480x854", "992x432"),
}


def _table(family: str, resolution: str) -> dict[str, _Size]:
    table = _NEWEST if family == "2.5" else _FIRST if family.startswith("1.0") else _LATER
    return table[resolution]


def size(family: str, resolution: str, ratio: str) -> _Size:
    """The pixels of a ratio that was named."""
    table = _table(family, resolution)
    if ratio in table:
        return table[ratio]
    across, down = ratio.split(":")
    return _free(table, float(across) / float(down))


def nearest(family: str, resolution: str, shape: float) -> tuple[str, _Size]:
    """What `adaptive` makes of a picture of this shape: the nearest ratio of the table, or for 2.5 the very shape."""
    table = _table(family, resolution)
    ratio = min(_ORDER, key=lambda one: abs(math.log(_shape(table[one]) / shape)))
    if family != "2.5":
        return ratio, table[ratio]
    close = abs(math.log(_shape(table[ratio]) / shape)) < 0.01
    width, height = table[ratio] if close else _free(table, shape)
    common = math.gcd(width, height)
    return f"{width // common}:{height // common}", (width, height)


def _free(table: dict[str, _Size], shape: float) -> _Size:
    """The area of 4:3, in even numbers: that gives every size off the table that has been measured."""
    area = math.prod(table["4:3"])
    return 2 * round(math.sqrt(area * shape) / 2), 2 * round(math.sqrt(area / shape) / 2)


def _shape(pixels: _Size) -> float:
    return pixels[0] / pixels[1]
