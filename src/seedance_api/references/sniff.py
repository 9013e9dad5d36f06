"""What a file is by its first bytes: the few formats the models take, and nothing else.

A name or a declared type proves nothing, so nobody asks for them. SVG, PDF, HTML, ZIP and scripts are refused by not
being here.
"""

import re

import msgspec

from seedance_api.catalog.order import Kind

HEAD_BYTES = 512


class Sniffed(msgspec.Struct, frozen=True):
    """`media_type` is IANA's; audio/wav, which IANA has not, is WHATWG's (mimesniff.spec.whatwg.org)."""

    kind: Kind
    media_type: str


# ISO base media files (ISO/IEC 14496-12 §4.3) begin with a box that names one major brand and any number of others
# that the file is compatible with, which is what counts where the major one is a maker's own: Sony's XAVC, say.
_BRANDS: dict[str, re.Pattern[bytes]] = {
    "image/heic": re.compile(rb"heic|heix|heim|heis"),
    "image/heif": re.compile(rb"mif1|mif2"),
    "video/mp4": re.compile(rb"isom|iso[2-9a-c]|mp4[12]|avc1|hvc1|M4V |M4VH|M4VP|MSNV|dash|mmp4|f4v |cmf[c2fs]"),
    "video/quicktime": re.compile(rb"qt  "),
}
# What is built of the same boxes, and compatible with them by its own word, but none of ours.
_OTHER_BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF", b"crx ": "a camera's raw picture", b"M4A ": "M4A", b"M4B ": "M4A",
    b"jxl ": "JPEG XL",
}  # fmt: skip

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
    # QuickTime's own files of before 2001, which many cameras go on writing, have no brands.
    ("video/quicktime", rb"....(?:moov|mdat)|\x00\x00\x00\x08wide"),
    ("audio/wav", rb"RIFF....WAVE"),
    ("audio/mpeg", rb"ID3[\x02-\x04]\x00"),  # id3.org, ID3v2.4 §3.1
    # A frame of MPEG audio, layer III, with no reserved bit rate or sampling rate (ISO/IEC 11172-3).
    ("audio/mpeg", rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][" + _RATES + rb"]"),
)
_TABLE = tuple((media_type, re.compile(magic, re.DOTALL)) for media_type, magic in _MAGIC)

# What people send by mistake, so that a refusal can name it.
_OTHERS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(magic, re.DOTALL | re.IGNORECASE))
    for name, magic in (
        ("WebM or Matroska", rb"\x1aE\xdf\xa3"),
        ("AVI", rb"RIFF....AVI "),
        ("Ogg", rb"OggS"),
        ("FLAC", rb"fLaC"),
        ("AIFF", rb"FORM....AIF[FC]"),
        ("AAC", rb"\xff[\xf0\xf1\xf8\xf9]"),
        ("JPEG XL", rb"\xff\x0a|....JXL \r\n\x87\n"),
        ("JPEG 2000", rb"....jP  \r\n\x87\n"),
        ("a Photoshop document", rb"8BPS"),
        ("PDF", rb"%PDF-"),
        ("SVG", rb"\s*(?:<\?xml[^>]*>\s*)?<svg"),
        ("a web page", rb"\s*(?:<!doctype html|<html)"),
        ("a ZIP archive", rb"PK\x03\x04"),
        ("gzip", rb"\x1f\x8b"),
        ("JSON", rb"\s*[{\[]\s*[\"{\[]"),
        ("base64 text", rb"(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|data:)"),
    )
)


def sniff(head: bytes) -> Sniffed | None:
    """Tell the format by the first `HEAD_BYTES` of a file; None if it is none of ours."""
    for media_type, magic in _TABLE:
        if magic.match(head):
            return _sniffed(media_type)
    return _by_brand(_brands(head))


def name_other(head: bytes) -> str | None:
    """What people call a file that is none of ours; None where nobody could tell."""
    brands = _brands(head)
    if brands and brands[0] in _OTHER_BRANDS:
        return _OTHER_BRANDS[brands[0]]
    return next((name for name, magic in _OTHERS if magic.match(head)), None)


def _brands(head: bytes) -> list[bytes]:
    """The major brand of an ISO file, and then those it is compatible with; none of any other file."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def _by_brand(brands: list[bytes]) -> Sniffed | None:
    if not brands or brands[0] in _OTHER_BRANDS:
        return None
    major = [name for name, known in _BRANDS.items() if known.fullmatch(brands[0])]
    compatible = [name for name, known in _BRANDS.items() if any(known.fullmatch(brand) for brand in brands)]
    return next((_sniffed(name) for name in (*major, *compatible)), None)


def _sniffed(media_type: str) -> Sniffed:
    return Sniffed(Kind(media_type.partition("/")[0]), media_type)
