"""What a file is by its first bytes: the few formats the models take, and nothing else.

A name or a declared type proves nothing. SVG, PDF, HTML, ZIP and scripts are refused by not being here.
"""

import re

import msgspec

from seedance_api.catalog.order import Kind

HEAD_BYTES = 64


class Sniffed(msgspec.Struct, frozen=True):
    """`media_type` is IANA's; audio/wav, which IANA has not, is WHATWG's (mimesniff.spec.whatwg.org)."""

    kind: Kind
    media_type: str


# ISO base media files (ISO/IEC 14496-12 §4.3) say at byte 4 that they are, and at byte 8 which.
_BRANDS: dict[str, bytes] = {
    "video/mp4": rb"isom|iso[2-9]|mp4[12]|avc1|M4V |M4VH|M4VP|MSNV|dash|mmp4|f4v ",
    "video/quicktime": rb"qt  ",
    "image/heic": rb"heic|heix|heim|heis",
    "image/heif": rb"mif1|mif2",
}

_RATES = b"".join(rb"\x%x0-\x%xb" % (bits, bits) for bits in range(1, 15))

_MAGIC: tuple[tuple[str, bytes], ...] = (
    ("image/jpeg", rb"\xff\xd8\xff"),
    ("image/png", rb"\x89PNG\r\n\x1a\n"),
    ("image/gif", rb"GIF8[79]a"),
    ("image/webp", rb"RIFF....WEBPVP8[ LX]"),
    (
        "image/bmp",
        rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00",
    ),  # the size of one of its seven headers
    ("image/tiff", rb"II\x2a\x00|MM\x00\x2a"),
    *((media_type, rb"....ftyp(?:" + brands + rb")") for media_type, brands in _BRANDS.items()),
    ("audio/wav", rb"RIFF....WAVE"),
    ("audio/mpeg", rb"ID3[\x02-\x04]\x00"),  # id3.org, ID3v2.4 §3.1
    # A frame of MPEG audio, layer III, with no reserved bit rate or sampling rate (ISO/IEC 11172-3).
    ("audio/mpeg", rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][" + _RATES + rb"]"),
)
_TABLE = tuple((media_type, re.compile(magic, re.DOTALL)) for media_type, magic in _MAGIC)

# What servers and people write for the same thing. HEIC is HEIF with one codec; both names are given to it.
_SAME = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "image/heic": "image/heif",
    "video/mov": "video/quicktime",
    "video/x-m4v": "video/mp4",
    "audio/mp3": "audio/mpeg",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
}
_SAYS_NOTHING = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download"})


def sniff(head: bytes) -> Sniffed | None:
    """Tell the format by the first `HEAD_BYTES` of a file; None if it is none of ours."""
    for media_type, magic in _TABLE:
        if magic.match(head):
            return Sniffed(Kind(media_type.partition("/")[0]), media_type)
    return None


def agrees(declared: str | None, media_type: str) -> bool:
    """Whether a declared type, if it says anything, is the sniffed one under one of its names."""
    name = (declared or "").partition(";")[0].strip().lower()
    return name in _SAYS_NOTHING or _SAME.get(name, name) == _SAME.get(media_type, media_type)
