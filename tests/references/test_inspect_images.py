"""Images made to hurt or to smuggle, and honest ones of every mode; all go through the real child."""

import io
import struct
import zlib
from pathlib import Path

import pillow_heif
import psutil
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from references.look import Look, bad, look_at
from seedance_api.catalog.order import Kind
from seedance_api.references.inspect import BadMedia, Inspected, Staged

SIZE = (640, 400)
CANARY = b"CANARY-51.4779N"


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Left half dark, right half light, so that turning shows."""
    image = Image.new("L", size, 40)
    image.paste(200, (size[0] // 2, 0, *size))
    return image.convert(mode)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*chunks: bytes, width: int = 640, height: int = 400, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def pixels(width: int = 640, height: int = 400) -> bytes:
    return chunk(b"IDAT", zlib.compress((b"\x00" + b"\x20\x40\x60" * width) * height))


def good(outcome: Inspected | BadMedia) -> Inspected:
    assert isinstance(outcome, Inspected), outcome
    assert outcome.kind is Kind.IMAGE
    data = outcome.path.read_bytes()
    assert len(data) == outcome.facts.bytes
    with Image.open(outcome.path) as image:
        image.load()
        assert image.size == (outcome.facts.width, outcome.facts.height)
        assert Image.MIME[image.format or ""] == outcome.facts.media_type
        assert not set(image.info) & {"exif", "icc_profile", "comment", "xmp", "Comment", "parsed_exif"}
        assert not image.getexif()
    return outcome


def staged(folder: Path, given: list[bytes]) -> list[Staged]:
    files = [Staged(path=folder / str(n), bytes=len(data), clean=folder / f"clean{n}") for n, data in enumerate(given)]
    for file, data in zip(files, given, strict=True):
        file.path.write_bytes(data)
    return files


def red(outcome: Inspected, at: tuple[int, int]) -> int:
    with Image.open(outcome.path) as image:
        colours = image.getpixel(at)
    assert isinstance(colours, tuple)
    return int(colours[0])


def mode_of(outcome: Inspected) -> str:
    with Image.open(outcome.path) as image:
        return image.mode


# --- honest ---


@pytest.mark.parametrize(
    ("form", "options", "media_type"),
    [
        ("JPEG", {"quality": 80}, "image/jpeg"),
        ("JPEG", {"quality": 80, "progressive": True}, "image/jpeg"),
        ("PNG", {}, "image/png"),
        ("WEBP", {"quality": 80}, "image/jpeg"),
        ("WEBP", {"lossless": True}, "image/png"),
        ("BMP", {}, "image/png"),
        ("GIF", {}, "image/png"),
        ("TIFF", {}, "image/png"),
        ("TIFF", {"compression": "tiff_lzw"}, "image/png"),
    ],
)
def test_every_format_comes_back(look: Look, form: str, options: dict[str, object], media_type: str) -> None:
    outcome = good(look(encoded(picture(), form, **options)))
    assert outcome.facts.media_type == media_type
    assert (outcome.facts.width, outcome.facts.height) == SIZE
    assert mode_of(outcome) == "RGB"
    assert abs(red(outcome, (10, 10)) - 40) < 8


def test_heic_comes_back_as_jpeg(look: Look) -> None:
    out = io.BytesIO()
    pillow_heif.from_pillow(picture()).save(out, quality=80)
    outcome = good(look(out.getvalue(), kind=Kind.IMAGE))
    assert outcome.facts.media_type == "image/jpeg"
    assert (outcome.facts.width, outcome.facts.height) == SIZE


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("L", "JPEG"),
        ("P", "PNG"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("I;16", "PNG"),
        ("I;16", "TIFF"),
    ],
)
def test_an_odd_mode_becomes_rgb(look: Look, mode: str, form: str) -> None:
    image = picture("L").point([0] * 100 + [255] * 156)
    if mode == "I;16":
        image = Image.new("I;16", SIZE, 0)
        image.paste(Image.new("I;16", SIZE, 0x8000), (SIZE[0] // 2, 0))
    outcome = good(look(encoded(image if mode == "I;16" else image.convert("RGB").convert(mode), form)))
    assert mode_of(outcome) == "RGB"
    assert red(outcome, (10, 10)) < 16
    assert abs(red(outcome, (SIZE[0] - 10, 10)) - (128 if mode == "I;16" else 255)) < 16


def test_transparency_stays_and_a_full_alpha_goes(look: Look) -> None:
    clear = picture("RGBA")
    assert mode_of(good(look(encoded(clear, "PNG")))) == "RGB"
    clear.putpixel((5, 5), (0, 0, 0, 0))
    for form in ("PNG", "WEBP"):
        assert mode_of(good(look(encoded(clear, form, lossless=True)))) == "RGBA"
    paletted = picture("P")
    data = encoded(paletted, "PNG", transparency=paletted.getpixel((5, 5)))
    assert mode_of(good(look(data))) == "RGBA"


@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, False), (6, True), (8, True)])
def test_orientation_is_applied(look: Look, orientation: int, turned: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    outcome = good(look(encoded(picture(), "JPEG", exif=exif, quality=90)))
    assert (outcome.facts.width, outcome.facts.height) == (SIZE[::-1] if turned else SIZE)
    dark = {1: (5, 5), 3: (SIZE[0] - 5, 5), 6: (5, 5), 8: (5, SIZE[0] - 5)}[orientation]
    light = {1: (SIZE[0] - 5, 5), 3: (5, 5), 6: (5, SIZE[0] - 5), 8: (5, 5)}[orientation]
    assert red(outcome, dark) < 60
    assert red(outcome, light) > 180


def test_a_profile_is_applied_and_a_broken_one_ignored(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    given = [
        encoded(picture(mode), form, icc_profile=profile)
        for profile in (srgb, lab, b"no profile at all", srgb[:60])
        for mode, form in (("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"))
    ]
    for outcome in look_at(*staged(tmp_path, given)):
        assert abs(red(good(outcome), (10, 10)) - 40) < 12


# --- smuggled ---


def test_nothing_but_pixels_survives(look: Look) -> None:
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    exif[0x8825] = {1: "N", 2: (51.0, 28.0, 40.0), 29: CANARY.decode()}
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", CANARY.decode())
    text.add_itxt("XML:com.adobe.xmp", CANARY.decode())
    xmp = b"<x:xmpmeta>" + CANARY + b"</x:xmpmeta>"
    given = [
        encoded(picture(), "JPEG", exif=exif, comment=CANARY, xmp=xmp),
        encoded(picture(), "PNG", exif=exif, pnginfo=text),
        encoded(picture(), "WEBP", exif=exif, xmp=xmp),
        encoded(picture(), "GIF", comment=CANARY),
        encoded(picture(), "TIFF", tiffinfo={270: CANARY.decode()}),
    ]
    for data in given:
        assert CANARY in data
        assert CANARY not in good(look(data)).path.read_bytes()


def test_a_polyglot_loses_its_tail(tmp_path: Path) -> None:
    tails = (b"<html><script>", b"%PDF-1.7 ", b"PK\x03\x04", b"<?php ")
    forms = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
    given = [encoded(picture(), form) + tail + CANARY for form in forms for tail in tails]
    for outcome in look_at(*staged(tmp_path, given)):
        assert CANARY not in good(outcome).path.read_bytes()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "the file is SVG, which is not supported"),
        (b"<?xml version='1.0'?>\n<svg/>", "SVG"),
        (b"%PDF-1.7\n" + encoded(picture(), "JPEG"), "PDF"),
        (b"PK\x03\x04" + encoded(picture(), "PNG"), "a ZIP archive"),
        (b"<html>" + encoded(picture(), "PNG"), "a web page"),
        (encoded(picture(), "AVIF"), "AVIF"),
        (encoded(picture(), "PPM"), "of no supported kind"),
        (encoded(picture(), "ICO"), "of no supported kind"),
        (b"iVBORw0KGgoAAAANSUhEUg", "base64 text"),
    ],
)
def test_what_is_no_picture_is_refused(look: Look, data: bytes, said: str) -> None:
    message = bad(look(data), "media_unknown")
    assert said in message
    assert "JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or HEIF; videos as MP4 or MOV; sounds as WAV or MP3" in message
    assert "an image must be JPEG, PNG" in bad(look(data, kind=Kind.IMAGE), "media_unknown")


def test_an_empty_file_is_told_so(look: Look) -> None:
    assert "empty (0 bytes)" in bad(look(b""), "media_unknown")


def test_the_kind_must_be_true(look: Look) -> None:
    data = encoded(picture(), "PNG")
    message = bad(look(data, kind=Kind.VIDEO), "media_kind")
    assert "the file is an image (PNG): a video is needed here, MP4 or MOV" in message
    good(look(data, kind=Kind.IMAGE))


# --- bombs ---


def test_a_bomb_costs_this_process_nothing(look: Look) -> None:
    before = psutil.Process().memory_info().rss
    message = bad(look(png(pixels(), width=65_000, height=65_000)), "media_too_large")
    assert "40000000" in message
    bad(look(png(pixels(), width=7000, height=7000)), "media_too_large")
    solid = encoded(Image.new("L", (5999, 5999)), "PNG")
    assert good(look(solid)).facts.width == 5999
    assert psutil.Process().memory_info().rss - before < 100_000_000


@pytest.mark.parametrize(
    ("size", "code", "words"),
    [
        ((7000, 5000), "media_size", "7000 × 5000 px: the width must be over 300 and under 6000 px"),
        ((7000, 200), "media_size", "7000 × 200 px: the width must be over 300 and under 6000 px"),
        ((300, 400), "media_size", "300 × 400 px"),
        ((400, 6000), "media_size", "400 × 6000 px: the height must be over 300 and under 6000 px"),
        ((1000, 400), "media_ratio", "1000 × 400 px is 2.500"),
        ((400, 1000), "media_ratio", "400 × 1000 px is 0.400"),
        ((1200, 400), "media_ratio", "3.000"),
    ],
)
def test_a_bad_shape_is_told_with_numbers(look: Look, size: tuple[int, int], code: str, words: str) -> None:
    assert words in bad(look(encoded(Image.new("L", size), "PNG")), code)


@pytest.mark.parametrize("size", [(301, 301), (999, 400), (401, 1000), (5999, 2401)])
def test_the_bounds_themselves(look: Look, size: tuple[int, int]) -> None:
    good(look(encoded(Image.new("L", size), "PNG")))


def test_compressed_metadata_is_no_bomb(look: Look) -> None:
    bomb = zlib.compress(bytes(100_000_000), 9)
    for name, data in (
        (b"iCCP", b"p\x00\x00" + bomb),
        (b"zTXt", b"k\x00\x00" + bomb),
        (b"iTXt", b"k\x00\x01\x00\x00\x00" + bomb),
    ):
        bad(look(png(chunk(name, data), pixels())), "media_unreadable")


def test_animations_are_refused(look: Look) -> None:
    frames = [Image.new("RGB", SIZE, (n * 90, 0, 0)) for n in range(3)]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        bad(look(data), "media_animated")


def test_of_a_cameras_pictures_the_first_counts_and_the_rest_goes(look: Look) -> None:
    """A JPEG with a preview, a depth map or a second view behind it (CIPA DC-007), or anything at all."""
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    second = picture(size=(320, 320))
    for others in ([second], [second, picture(size=(640, 400))]):
        data = encoded(picture(), "MPO", save_all=True, append_images=others, exif=exif)
        outcome = good(look(data))
        assert (outcome.facts.media_type, outcome.facts.width, outcome.facts.height) == ("image/jpeg", *SIZE)
    data = encoded(picture(), "JPEG") + encoded(second, "JPEG", comment=CANARY)
    assert CANARY not in good(look(data)).path.read_bytes()
    mpo = (Path(__file__).parent.parent / "cases" / "camera_mpo.jpg").read_bytes()
    kept = good(look(mpo)).path.read_bytes()
    assert (kept.count(b"\xff\xd8\xff"), kept.count(b"MPF\x00")) == (1, 0)


def test_the_primary_picture_of_heic_counts(look: Look) -> None:
    out = io.BytesIO()
    heif = pillow_heif.from_pillow(picture(size=(400, 400)))
    heif.add_from_pillow(picture())
    heif.save(out, quality=80, primary_index=1)
    outcome = good(look(out.getvalue()))
    assert (outcome.facts.width, outcome.facts.height) == SIZE


def test_a_tiff_with_smaller_versions_of_its_page(look: Look) -> None:
    """As editors write them: NewSubfileType (254) marks what is no page of its own."""
    small = picture(size=(320, 320))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    outcome = good(look(encoded(picture(), "TIFF", save_all=True, append_images=[small])))
    assert (outcome.facts.width, outcome.facts.height) == SIZE
    small.encoderinfo = {"tiffinfo": {254: 2}}
    bad(look(encoded(picture(), "TIFF", save_all=True, append_images=[small])), "media_animated")


def test_damaged_exif_does_not_cost_the_picture(look: Look) -> None:
    whole = Image.Exif()
    whole[0x0112] = 6
    whole[0x927C] = b"maker's note" * 4000  # large
    sound = whole.tobytes()
    assert good(look(encoded(picture(), "JPEG", exif=sound))).facts.width == SIZE[1]
    for damaged in (b"Exif\x00\x00", b"Exif\x00\x00garbage", sound[:14], sound[:30], sound[:9] + b"\xff" * 60):
        for form in ("JPEG", "PNG", "WEBP"):
            good(look(encoded(picture(), form, exif=damaged)))
    odd = Image.Exif()
    odd[0x0112] = 99
    assert good(look(encoded(picture(), "JPEG", exif=odd))).facts.width == SIZE[0]


def test_ten_thousand_frames_are_refused_unread(look: Look) -> None:
    control = struct.pack(">IIIIIHHBB", 0, 640, 400, 0, 0, 1, 10, 0, 0)
    apng = png(chunk(b"acTL", struct.pack(">II", 10_000, 0)), chunk(b"fcTL", control), pixels())
    bad(look(apng), "media_animated")
    body = encoded(Image.new("RGB", (16, 16)), "WEBP")[12:]
    frame = b"\x00\x00\x00" * 2 + b"\x0f\x00\x00\x0f\x00\x00" + b"\x0a\x00\x00\x00" + body
    anmf = b"ANMF" + struct.pack("<I", len(frame)) + frame + b"\x00" * (len(frame) % 2)
    canvas = (639).to_bytes(3, "little") + (399).to_bytes(3, "little")
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\x02\x00\x00\x00" + canvas
    chunks += b"ANIM" + struct.pack("<I", 6) + bytes(6) + anmf * 10_000
    bad(look(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks), "media_animated")


def test_an_unseen_bomb_in_scanlines_is_bounded(look: Look) -> None:
    outcome = look(png(chunk(b"IDAT", zlib.compress(bytes(300_000_000), 9))))
    assert isinstance(outcome, Inspected | BadMedia)  # the surplus is never inflated; what counts is that it ends


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_file_is_refused(look: Look, form: str) -> None:
    data = encoded(Image.effect_noise(SIZE, 80).convert("RGB"), form)
    bad(look(data[: len(data) * 6 // 10]), "media_unreadable")


def test_damage_is_refused(look: Look) -> None:
    bad(look(png()), "media_unreadable")  # no IDAT
    bad(look(png(chunk(b"IDAT", b"not zlib"))), "media_unreadable")
    bad(look(b"\x89PNG\r\n\x1a\n"), "media_unreadable")
    bad(look(b"\xff\xd8\xff\xe0"), "media_unreadable")
    bad(look(b"\x00\x00\x00\x18ftypheic" + bytes(60)), "media_unreadable")


def test_a_refusal_leaves_no_clean_file(look: Look, tmp_path: Path) -> None:
    (tmp_path / "given.clean").write_bytes(b"left by a child that was killed")
    bad(look(png()), "media_unreadable")  # `look` checks that it is gone


def test_32_bits_a_channel_are_refused(look: Look) -> None:
    bad(look(encoded(Image.new("F", SIZE, 0.5), "TIFF")), "media_depth")


def test_the_size_is_capped_before_any_child(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(picture(), "PNG"))
    outcome = look_at(Staged(path=path, bytes=30_010_000))[0]
    assert bad(outcome, "media_too_large") == "30.01 MB: an image may have at most 30 MB"
    assert isinstance(look_at(Staged(path=path, bytes=30_000_000))[0], Inspected)


def test_noise_stays_under_the_cap(look: Look) -> None:
    """What no PNG can hold in 30 MB is sent on as the best JPEG that fits."""
    noise = Image.merge("RGB", [Image.effect_noise((5000, 4000), 120) for _ in range(3)])
    data = encoded(noise, "JPEG", quality=85)
    outcome = good(look(data))
    assert outcome.facts.bytes < 30_000_000
    assert outcome.facts.media_type == "image/jpeg"


def test_many_files_keep_their_order(tmp_path: Path) -> None:
    given = [encoded(picture(), "PNG"), b"nothing", encoded(picture(), "JPEG"), png(), encoded(picture("L"), "PNG")]
    outcomes = look_at(*staged(tmp_path, given))
    assert [isinstance(outcome, Inspected) for outcome in outcomes] == [True, False, True, False, True]
    assert good(outcomes[4]).path == tmp_path / "clean4"
    assert sorted(p.name for p in tmp_path.glob("clean*")) == ["clean0", "clean2", "clean4"]
