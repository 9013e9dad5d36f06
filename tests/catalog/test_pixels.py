"""Sizes from resolutions and ratios, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.catalog import models, pixels
from seedance_api.catalog.capabilities import Model

OLD = {
    "480p": "864x480 736x544 640x640 544x736 480x864 960x416",
    "720p": "1248x704 1120x832 960x960 832x1120 704x1248 1504x640",
    "1080p": "1920x1088 1664x1248 1440x1440 1248x1664 1088x1920 2176x928",
}
NEW = {
    "480p": "864x496 752x560 640x640 560x752 496x864 992x432",
    "720p": "1280x720 1112x834 960x960 834x1112 720x1280 1470x630",
    "1080p": "1920x1080 1664x1248 1440x1440 1248x1664 1080x1920 2206x946",
    "4k": "3840x2160 3326x2494 2880x2880 2494x3326 2160x3840 4398x1886",
}
SMALL = {name: NEW[name] for name in ("480p", "720p")}
LITE = {
    name: f"{row} {tall}" for (name, row), tall in zip(OLD.items(), ("416x960", "640x1504", "928x2176"), strict=True)
}
TABLES = {
    "seedance-2.5": {
        "480p": "854x480 752x560 640x640 560x752 480x854 992x432",
        "720p": NEW["720p"],
        "1080p": NEW["1080p"],
    },
    "seedance-2.0": NEW,
    "seedance-2.0-fast": SMALL,
    "seedance-2.0-mini": SMALL,
    "seedance-1.5-pro": {name: NEW[name] for name in ("480p", "720p", "1080p")},
    "seedance-1.0-pro": OLD,
    "seedance-1.0-pro-fast": OLD,
    "seedance-1.0-lite": LITE,
}


def model(name: str) -> Model:
    found = models.find(name)
    assert found
    return found


@pytest.mark.parametrize("name", TABLES)
def test_the_tables(name: str) -> None:
    ratios = [ratio for ratio in model(name).capabilities.ratios if ratio != "adaptive"]
    found = {
        resolution: " ".join("{}x{}".format(*pixels.size(model(name), resolution, ratio)) for ratio in ratios)
        for resolution in model(name).pixels
    }
    assert found == TABLES[name]


@pytest.mark.parametrize("name", TABLES)
def test_each_entry_is_its_own_nearest_and_can_be_asked_for_by_size(name: str) -> None:
    for resolution, table in model(name).pixels.items():
        for ratio, (width, height) in table.items():
            assert pixels.nearest_ratio(model(name), resolution, width, height) == ratio
            asked = pixels.from_size(model(name), f"{width}x{height}", model(name).capabilities.resolutions)
            assert asked == (resolution, ratio)
            assert width % 2 == height % 2 == 0


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [
        (4000, 3000, "4:3"),
        (3000, 4000, "3:4"),
        (1000, 1001, "1:1"),
        (1920, 800, "21:9"),
        (800, 1920, "9:16"),
        (1200, 800, "4:3"),
    ],
)
def test_nearest_ratio(width: int, height: int, ratio: str) -> None:
    assert pixels.nearest_ratio(model("seedance-2.0"), "720p", width, height) == ratio


@pytest.mark.parametrize(
    ("name", "size", "stands_for"),
    [
        ("seedance-2.0", "1280x720", ("720p", "16:9")),
        ("seedance-2.0", "720X1280", ("720p", "9:16")),
        ("seedance-2.0", "1792x1024", ("1080p", "16:9")),
        ("seedance-2.0-mini", "1024x1792", ("720p", "9:16")),
        ("seedance-1.0-pro", "1280x720", ("720p", "16:9")),
        ("seedance-1.0-pro", "1920x1088", ("1080p", "16:9")),
        ("seedance-1.0-pro", "1920x1080", None),
        ("seedance-2.0", "1920x1088", None),
        ("seedance-2.0", "1280", None),
        ("seedance-2.0", "", None),
        ("seedance-2.0", "9" * 9999 + "x720", None),
    ],
)
def test_size(name: str, size: str, stands_for: tuple[str, str] | None) -> None:
    assert pixels.from_size(model(name), size, model(name).capabilities.resolutions) == stands_for


@given(st.sampled_from(models.MODELS), st.text())
def test_any_text_may_be_a_size(some: Model, text: str) -> None:
    found = pixels.from_size(some, text, some.capabilities.resolutions)
    assert found is None or pixels.size(some, *found)


def test_listed_sizes_are_taken() -> None:
    for some in models.MODELS:
        for size in pixels.sizes(some, some.capabilities.resolutions):
            assert pixels.from_size(some, size, some.capabilities.resolutions)
