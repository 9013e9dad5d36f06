"""First bytes."""

import pytest

from seedance_api.catalog.order import Kind
from seedance_api.references.sniff import Sniffed, name_other, sniff

FTYP = b"\x00\x00\x00\x18ftyp"

KNOWN = [
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF\n\n\n\nWEBPVP8L", "image/webp"),
    (b"BM" + bytes(12) + b"\x28\x00\x00\x00", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (FTYP + b"heic", "image/heic"),
    (FTYP + b"mif1", "image/heif"),
    (FTYP + b"isom", "video/mp4"),
    (FTYP + b"mp42", "video/mp4"),
    (FTYP + b"qt  ", "video/quicktime"),
    (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
    (b"ID3\x04\x00\x00", "audio/mpeg"),
    (b"\xff\xfb\x90\x64", "audio/mpeg"),
    (b"\xff\xf3\x40\xc0", "audio/mpeg"),
]

UNKNOWN = [
    b"",
    b"\xff\xd8",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"<?xml version='1.0'?><svg/>",
    b"%PDF-1.7",
    b"PK\x03\x04",
    b"<!doctype html><img>",
    b"<html>\x89PNG\r\n\x1a\n",
    b" \x89PNG\r\n\x1a\n",
    b"%!PS-Adobe-3.0 EPSF-3.0",
    b"#EXTM3U\nhttp://127.0.0.1/",
    b"ffconcat version 1.0\nfile /etc/passwd",
    b"BMW is a car, not a picture",
    b"RIFF\x00\x00\x00\x00AVI LIST",
    b"RIFF\x00\x00\x00\x00WEBPEXIF",
    FTYP + b"avif",
    FTYP + b"hevc",
    FTYP + b"M4A ",
    FTYP + b"3gp4",
    b"\x1aE\xdf\xa3webm",
    b"OggS",
    b"fLaC",
    b"\xff\xf1\x50\x80",  # AAC in ADTS
    b"\xff\xfb\xf0\x00",  # bit rate 15
    b"\xff\xfb\x9c\x00",  # sampling rate 3
    b"\xff\xeb\x90\x00",  # version 1
    b"II+\x00",  # BigTIFF
]


@pytest.mark.parametrize(("head", "media_type"), KNOWN)
def test_a_known_format_is_told(head: bytes, media_type: str) -> None:
    assert sniff(head + bytes(64)) == Sniffed(Kind(media_type.split("/", maxsplit=1)[0]), media_type)


@pytest.mark.parametrize("head", UNKNOWN)
def test_anything_else_is_nothing(head: bytes) -> None:
    assert sniff(head) is None
    assert sniff(head + bytes(64)) is None


@pytest.mark.parametrize(
    ("major", "compatible", "media_type"),
    [
        (b"XAVC", (b"XAVC", b"mp42", b"iso2"), "video/mp4"),
        (b"NIKO", (b"avc1", b"iso6"), "video/mp4"),
        (b"ndsh", (b"isom",), "video/mp4"),
        (b"3gp5", (b"3gp5", b"isom"), "video/mp4"),
        (b"iso8", (), "video/mp4"),
        (b"isoc", (), "video/mp4"),
        (b"cmfc", (b"dash",), "video/mp4"),
        (b"XMOV", (b"qt  ",), "video/quicktime"),
        (b"qt  ", (b"mp42",), "video/quicktime"),
        (b"isom", (b"qt  ",), "video/mp4"),
        (b"msf1", (b"msf1", b"heic", b"mif1"), "image/heic"),
        (b"hevc", (b"mif1", b"heis"), "image/heic"),
        (b"MiHE", (b"mif1",), "image/heif"),
        (b"avif", (b"mif1", b"miaf"), None),
        (b"M4A ", (b"mp42", b"isom"), None),
        (b"crx ", (b"crx ", b"isom"), None),
        (b"XXXX", (b"YYYY", b"ZZZZ"), None),
    ],
)
def test_compatible_brands_count(major: bytes, compatible: tuple[bytes, ...], media_type: str | None) -> None:
    box = b"ftyp" + major + bytes(4) + b"".join(compatible)
    head = (len(box) + 4).to_bytes(4, "big") + box + b"\x00\x00\x00\x08freemdat mp42 isom qt  "
    found = sniff(head)
    assert (found.media_type if found else None) == media_type


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x00\x00\x00\x14ftypavif\x00\x00\x00\x00mif1", "AVIF"),
        (b"\x00\x00\x00\x14ftypM4A \x00\x00\x00\x00isom", "M4A"),
        (b"\x1aE\xdf\xa3webm", "WebM or Matroska"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "AVI"),
        (b"OggS", "Ogg"),
        (b"fLaC", "FLAC"),
        (b"\xff\xf1\x50\x80", "AAC"),
        (b" <!DOCTYPE HTML>", "a web page"),
        (b'{"error": {}}', "JSON"),
        (b"hello", None),
    ],
)
def test_what_is_often_sent_by_mistake_has_a_name(head: bytes, name: str | None) -> None:
    assert sniff(head) is None
    assert name_other(head) == name
