"""Count boxes: how many an MP4 file is made of, before a library walks through them. Part of a child of `verify.py`."""

from typing import BinaryIO

MAX_BOXES = 20_000
"""C2PA's library takes time with the square of their number: 4 s for so many, and 110 s for five times as many.

A film has about a hundred, one in fragments of two seconds about ten for each.
"""
_HOLDING = frozenset(
    (
        b"moov",
        b"trak",
        b"mdia",
        b"minf",
        b"stbl",
        b"dinf",
        b"edts",
        b"udta",
        b"tref",
        b"mvex",
        b"moof",
        b"traf",
        b"mfra",
    )
)
"""Boxes of boxes (ISO/IEC 14496-12)."""


def has_too_many_boxes(file: BinaryIO, size: int) -> bool:
    """Whether a file of so many bytes has more boxes, at any depth, than are looked into."""
    number = 0
    inside = [(0, size)]
    while inside:
        at, end = inside.pop()
        while at + 8 <= end:
            number += 1
            if number > MAX_BOXES:
                return True
            file.seek(at)
            head = file.read(16)
            length, header = int.from_bytes(head[:4], "big"), 8
            if length == 1:
                length, header = int.from_bytes(head[8:16], "big"), 16
            elif length == 0:
                length = end - at
            if length < header:  # from here on it is no box
                break
            following = min(at + length, end)
            if head[4:8] in _HOLDING:
                inside.append((following, end))
                end, following = following, at + header
            at = following
    return False
