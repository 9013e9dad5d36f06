"""Files say in plain metadata that they are AI-generated: as the mark does, once, where other programs look for it."""

import io
import json
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import av
import httpx
import msgspec
import pytest
from PIL import Image

from delivery.kit import ORIGIN, action, judged, manifest, signed
from seedance_api.delivery.certificate import Certificate
from seedance_api.delivery.declare import Declaration, declared
from seedance_api.delivery.mark import Marked, Unmarked
from seedance_api.delivery.part import MalformedError
from seedance_api.foundation.splice import Spliced
from stage import Service, finished

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED, COMPOSITE = SOURCE + "trainedAlgorithmicMedia", SOURCE + "compositeWithTrainedAlgorithmicMedia"
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
SAID = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
THEIRS = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    b' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
    b' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture">'
    b"<TC260:AIGC>{&quot;Label&quot;:&quot;1&quot;}</TC260:AIGC></rdf:Description></rdf:RDF></x:xmpmeta>"
    b'<?xpacket end="w"?>'
)


# What each kind of file holds, read here by its own rules


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Kind and content of each box of an MP4."""
    stop = len(data) if stop is None else stop
    while stop - start >= 8 and data[start : start + 8] != bytes(8):
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, start + 8), 16
        size = size or stop - start
        yield kind.decode("latin-1"), data[start + head : start + size]
        start += size


def mp4_packets(data: bytes) -> list[bytes]:
    return [body[16:] for kind, body in boxes(data) if kind == "uuid" and body[:16] == XMP]


def comments(data: bytes) -> list[str]:
    (moov,) = [body for kind, body in boxes(data) if kind == "moov"]
    (udta,) = [body for kind, body in boxes(moov) if kind == "udta"]
    found = [body for kind, body in boxes(udta) if kind == "©cmt"]
    assert all(len(one) == 4 + int.from_bytes(one[:2]) for one in found)
    return [one[4:].decode() for one in found]


def webp_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    assert data[:4] + data[8:12] == b"RIFFWEBP"
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    found, at = [], 12
    while at < len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        found.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def webp_packets(data: bytes) -> list[bytes]:
    first, *rest = webp_chunks(data)
    assert first[0] == b"VP8X"
    assert first[1][0] & 0x04
    return [body for kind, body in rest if kind == b"XMP "]


def png_packets(data: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, at + 8 + size)[0]
        if kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0"):
            found.append(body[18:].split(b"\0", 4)[4])
        at += 12 + size
    return found


def jpeg_packets(data: bytes) -> list[bytes]:
    found, at = [], 2
    assert data[2:4] == b"\xff\xe0", "JFIF's segment comes first"
    while data[at + 1] != 0xDA:
        size = struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + size]
        if data[at + 1] == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            found.append(body[29:])
        at += 2 + size
    return found


PACKETS = {"video/mp4": mp4_packets, "image/webp": webp_packets, "image/png": png_packets, "image/jpeg": jpeg_packets}


def source_type(data: bytes, kind: str) -> str:
    """What the one packet of a file says; it must be well-formed, and say it once."""
    (packet,) = PACKETS[kind](data)
    root = ET.fromstring(packet.decode())
    (said,) = [one.attrib[SAID] for one in root.iter() if SAID in one.attrib]
    assert packet.count(b"DigitalSourceType") == 1
    return said


def picture(path: Path, form: str, **options: object) -> Path:
    """Of odd sides, so that a chunk may need padding."""
    image = Image.effect_mandelbrot((321, 193), (-2, -1, 1, 1), 60).convert("RGB")
    image.save(path, form, **options)
    return path


FORMS = {"image/webp": "WEBP", "image/png": "PNG", "image/jpeg": "JPEG"}


# What they say


@pytest.mark.parametrize("composite", [False, True])
def test_a_video_says_what_its_mark_says(clip: Path, ours: Certificate, tmp_path: Path, composite: bool) -> None:
    origin = msgspec.structs.replace(ORIGIN, composite=composite)
    file, outcome = signed(clip, tmp_path / "to", ours, origin=origin)
    assert outcome == Marked("none")
    data = file.read_bytes()
    said = COMPOSITE if composite else GENERATED
    assert source_type(data, "video/mp4") == said == action(manifest(file))["digitalSourceType"]
    assert comments(data) == [f"AI-generated ({said}). Made by the AI model seedance-2.0-mini."]
    assert judged(file, ours).integrity == "untouched"


def test_a_preview_says_that_it_is_one(clip: Path, ours: Certificate, tmp_path: Path) -> None:
    file, _ = signed(clip, tmp_path / "to", ours, origin=msgspec.structs.replace(ORIGIN, sandbox=True))
    (comment,) = comments(file.read_bytes())
    assert comment.startswith(f"AI-generated ({GENERATED}). Sandbox preview: ")


@pytest.mark.parametrize("kind", FORMS)
def test_a_picture_says_it_too(kind: str, ours: Certificate, tmp_path: Path) -> None:
    source = picture(tmp_path / "thumbnail", FORMS[kind])
    file, outcome = signed(source, tmp_path / "to", ours, media_type=kind)
    assert outcome == Marked("none")
    assert source_type(file.read_bytes(), kind) == GENERATED
    with Image.open(file) as made, Image.open(source) as before:
        assert (made.size, made.mode, made.tobytes()) == (before.size, before.mode, before.tobytes())
    assert judged(file, ours).integrity == "untouched"


def test_a_lossless_picture_keeps_its_transparency(ours: Certificate, tmp_path: Path) -> None:
    source = tmp_path / "clear.webp"
    Image.new("RGBA", (31, 17), (200, 10, 10, 90)).save(source, "WEBP", lossless=True)
    assert webp_chunks(source.read_bytes())[0][0] == b"VP8L", "it has no VP8X of its own"
    file, _ = signed(source, tmp_path / "to", ours, media_type="image/webp")
    with Image.open(file) as made:
        assert (made.mode, made.size, made.getpixel((3, 3))) == ("RGBA", (31, 17), (200, 10, 10, 90))


# What was said before


@pytest.mark.parametrize("kind", PACKETS)
def test_a_repeat_does_not_say_it_twice(kind: str, clip: Path, ours: Certificate, tmp_path: Path) -> None:
    source = clip if kind == "video/mp4" else picture(tmp_path / "picture", FORMS[kind])
    first, _ = signed(source, tmp_path / "first", ours, media_type=kind)
    origin = msgspec.structs.replace(ORIGIN, composite=True, model="seedance-2.0")
    second, outcome = signed(first, tmp_path / "second", ours, media_type=kind, origin=origin)
    assert isinstance(outcome, Marked)
    data = second.read_bytes()
    assert source_type(data, kind) == COMPOSITE
    assert len(PACKETS[kind](data)[0]) == len(PACKETS[kind](first.read_bytes())[0]) + len(COMPOSITE) - len(GENERATED)
    if kind == "video/mp4":
        assert comments(data) == [f"AI-generated ({COMPOSITE}). Made by the AI model seedance-2.0."]
        assert packets(second) == packets(clip)
    assert judged(second, ours).integrity == "untouched"


@pytest.mark.parametrize("kind", FORMS)
def test_what_else_a_pictures_packet_says_is_kept(kind: str, ours: Certificate, tmp_path: Path) -> None:
    source = picture(tmp_path / "theirs", FORMS[kind])
    with_theirs = put(source, kind, THEIRS)
    file, _ = signed(with_theirs, tmp_path / "to", ours, media_type=kind)
    assert source_type(file.read_bytes(), kind) == GENERATED
    assert b"<TC260:AIGC>{&quot;Label&quot;:&quot;1&quot;}</TC260:AIGC>" in PACKETS[kind](file.read_bytes())[0]


def put(source: Path, kind: str, packet: bytes) -> Path:
    """The picture with a packet of its maker's, by Pillow."""
    to = source.with_name("with_theirs")
    with Image.open(source) as image:
        if kind == "image/png":
            from PIL.PngImagePlugin import PngInfo

            info = PngInfo()
            info.add_itxt("XML:com.adobe.xmp", packet.decode())
            image.save(to, "PNG", pnginfo=info)
        else:
            image.save(to, FORMS[kind], xmp=packet)
    assert PACKETS[kind](to.read_bytes()) == [packet]
    return to


def test_what_else_a_videos_packet_and_tags_say_is_kept(clip: Path, ours: Certificate, tmp_path: Path) -> None:
    data, theirs = clip.read_bytes(), tmp_path / "theirs.mp4"
    theirs.write_bytes(data + struct.pack(">I4s", 24 + len(THEIRS), b"uuid") + XMP + THEIRS)
    file, _ = signed(theirs, tmp_path / "to", ours)
    assert source_type(file.read_bytes(), "video/mp4") == GENERATED
    assert b"TC260:AIGC" in mp4_packets(file.read_bytes())[0]
    with av.open(str(clip)) as before, av.open(str(file)) as after:
        assert after.metadata["encoder"] == before.metadata["encoder"]
        assert after.metadata["comment"].startswith("AI-generated (")
    assert packets(file) == packets(clip)


@pytest.mark.parametrize("packet", [b"", b"<x>no XMP</x>", THEIRS.decode().encode("utf-16"), THEIRS * 2])
def test_a_packet_that_is_none_is_replaced(packet: bytes, clip: Path) -> None:
    theirs = clip.read_bytes() + struct.pack(">I4s", 24 + len(packet), b"uuid") + XMP + packet
    assert source_type(spliced(theirs), "video/mp4") == GENERATED


# Files of all shapes


def packets(file: Path | bytes) -> list[tuple[int, bytes]]:
    """Every packet of picture and sound, found by the file's index."""
    with av.open(io.BytesIO(file) if isinstance(file, bytes) else str(file), "r") as film:
        return [(one.stream_index, bytes(one)) for one in film.demux() if one.size]


def spliced(data: bytes, kind: str = "video/mp4") -> bytes:
    below = io.BytesIO(data)
    return io.BufferedReader(Spliced(below, declared(below, kind, Declaration(GENERATED, "AI-generated (x).")))).read()


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def wide(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body


def shapes(data: bytes, late: bytes) -> dict[str, bytes]:
    """The same film in the shapes that other programs give it; `late` has its index at the end."""
    parts = dict(boxes(data))
    ends = parts["mdat"]
    before = data[: data.index(b"mdat") - 4]
    moov = parts["moov"]
    bare = b"".join(box(kind.encode("latin-1"), body) for kind, body in boxes(moov) if kind != "udta")
    shorter = len(moov) - len(bare)  # a free box takes up the difference, so that the index stays right
    return {
        "index at the end": late,
        "frames to the end of the file": before + struct.pack(">I4s", 0, b"mdat") + ends,
        "bytes after the last box": data + b"\0\0\0",
        "zeros after the last box": data + bytes(64),
        "no user data": data.replace(box(b"moov", moov), box(b"moov", bare) + box(b"free", bytes(shorter - 8))),
        "user data that ends with a zero": late.replace(
            moved := box(b"udta", dict(boxes(dict(boxes(late))["moov"]))["udta"]),
            box(b"udta", moved[8:] + bytes(4)),
        ).replace(
            box(b"moov", dict(boxes(late))["moov"])[:8],
            struct.pack(">I4s", len(dict(boxes(late))["moov"]) + 12, b"moov"),
        ),
        "wide boxes": late.replace(box(b"moov", dict(boxes(late))["moov"]), wide(b"moov", dict(boxes(late))["moov"])),
    }  # fmt: skip


SHAPES = [
    "index at the end", "frames to the end of the file", "bytes after the last box", "zeros after the last box",
    "no user data", "user data that ends with a zero", "wide boxes",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_video_of_any_shape_plays_as_before(shape: str, clip: Path, ours: Certificate, tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    with av.open(str(clip), "r") as film, av.open(str(late), "w") as made:
        streams = {one.index: made.add_stream_from_template(one) for one in film.streams}
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    source = tmp_path / "shaped.mp4"
    source.write_bytes(shapes(clip.read_bytes(), late.read_bytes())[shape])
    assert packets(source) == packets(clip), "the test's own file plays"
    file, outcome = signed(source, tmp_path / "to", ours)
    assert outcome == Marked("none")
    data = file.read_bytes()
    assert source_type(data, "video/mp4") == GENERATED
    assert len(comments(data)) == 1
    assert packets(file) == packets(clip)
    assert judged(file, ours).integrity == "untouched"


def test_the_index_stays_before_the_frames(clip: Path, marked: Path) -> None:
    kinds = [kind for kind, _ in boxes(marked.read_bytes())]
    assert [one for one in kinds if one != "uuid"] == [kind for kind, _ in boxes(clip.read_bytes())]
    assert kinds.index("moov") < kinds.index("mdat")
    assert max(at for at, one in enumerate(kinds) if one == "uuid") < kinds.index("moov"), "a reader has it early"
    assert marked.stat().st_size - clip.stat().st_size < 8192


def test_a_video_whose_structure_does_not_add_up_is_not_marked(clip: Path, ours: Certificate, tmp_path: Path) -> None:
    data = clip.read_bytes()
    for number, broken in enumerate(
        [
            data[:-20],
            data.replace(b"moov", b"noov"),
            re.sub(rb"stco....(....)", lambda found: b"stco\0\0\0\0\xff\xff\xff\xff", data, flags=re.DOTALL),
            data + box(b"moov", b""),
        ]
    ):
        with pytest.raises(MalformedError):
            spliced(broken)
        source = tmp_path / f"{number}.mp4"
        source.write_bytes(broken)
        _, outcome = signed(source, tmp_path / str(number), ours)
        assert isinstance(outcome, Unmarked)
        assert outcome.ours is False, outcome


@pytest.mark.parametrize("kind", PACKETS)
def test_a_cut_file_ends_in_malformed_or_in_itself(kind: str, clip: Path, tmp_path: Path) -> None:
    data = (clip if kind == "video/mp4" else picture(tmp_path / "x", FORMS[kind])).read_bytes()
    for length in [*range(16, 200, 3), *range(200, len(data), 997)]:
        try:
            spliced(data[:length], kind)
        except MalformedError:
            continue


# What programs that people have say


def tool(name: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(name) is None, reason=f"{name} is not installed (on Debian: apt-get install {package})"
    )


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@tool("exiftool", "libimage-exiftool-perl")
def test_exiftool_shows_it(marked: Path, ours: Certificate, tmp_path: Path) -> None:
    files = [marked]
    for kind, form in FORMS.items():
        source = picture(tmp_path / form, form)
        files.append(signed(source, tmp_path / f"to{form}", ours, media_type=kind)[0])
    shown = json.loads(run("exiftool", "-j", "-G", "-validate", "-DigitalSourceType", "-Comment", *files))
    assert [one["XMP:DigitalSourceType"] for one in shown] == [GENERATED] * 4
    assert [one["ExifTool:Validate"] for one in shown] == ["OK"] * 4
    assert shown[0]["QuickTime:Comment"].startswith("AI-generated (")


@tool("mediainfo", "mediainfo")
def test_mediainfo_shows_it(marked: Path) -> None:
    assert run("mediainfo", "--Inform=General;%Comment%", marked).startswith(f"AI-generated ({GENERATED}).")


@tool("ffprobe", "ffmpeg")
def test_ffprobe_shows_it(marked: Path) -> None:
    tags = json.loads(run("ffprobe", "-v", "error", "-show_format", "-of", "json", marked))["format"]["tags"]
    assert tags["comment"].startswith(f"AI-generated ({GENERATED}).")


# What a service delivers


def test_everything_that_is_delivered_says_it(service: Service) -> None:
    with service.client() as client:
        body = {"prompt": "x", "duration": 4, "resolution": "480p", "seed": 1, "return_last_frame": True}
        video = finished(client, client.post("/v1/videos", json=body).json()["id"])
        for variant in ("video", "thumbnail", "last_frame"):
            path, params = f"/v1/videos/{video['id']}/content", {"variant": variant}
            whole = client.get(path, params=params)
            kind = whole.headers["content-type"]
            assert source_type(whole.content, kind) == GENERATED
            ranges = ("bytes=0-999", "bytes=1000-")
            parts = [client.get(path, params=params, headers={"range": one}).content for one in ranges]
            assert b"".join(parts) == whole.content
            verdict = httpx.post(f"{service.url}/v1/verify", content=whole.content, trust_env=False).json()
            assert (verdict["ours"], verdict["integrity"], verdict["ai_generated"]) == (True, "untouched", True)
            assert verdict["source_type"] == "trainedAlgorithmicMedia"
