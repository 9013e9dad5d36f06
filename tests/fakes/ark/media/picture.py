"""The picture: plain, says FAKE ARK, with a mark that walks along its lower edge."""

from PIL import Image, ImageDraw, ImageFont

_GROUND, _INK, _MARK = (24, 28, 38), (235, 238, 245), (255, 122, 69)


def ground(width: int, height: int) -> Image.Image:
    """The picture without its mark."""
    picture = Image.new("RGB", (width, height), _GROUND)
    pen = ImageDraw.Draw(picture)
    middle = width / 2, height / 2
    pen.text(middle, "FAKE ARK", fill=_INK, anchor="mm", font=ImageFont.load_default(size=min(width, height) / 6))
    below = middle[0], middle[1] + min(width, height) / 6
    small = ImageFont.load_default(size=min(width, height) / 20)
    pen.text(below, f"{width} x {height}, no model was asked", fill=_INK, anchor="mm", font=small)
    return picture


def mark(picture: Image.Image, place: float) -> Image.Image:
    """A copy with the mark at a place between 0 and 1."""
    copy = picture.copy()
    width, height = copy.size
    side = min(width, height) // 24
    left = round(place * (width - side))
    ImageDraw.Draw(copy).rectangle((left, height - 2 * side, left + side, height - side), fill=_MARK)
    return copy
