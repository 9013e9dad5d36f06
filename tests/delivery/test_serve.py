import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.delivery.serve import Part, choose
from seedance_api.foundation.errors import AppError

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, 100),
        ("bytes=-10", 90, 100),
        ("bytes=-1000", 0, 100),
        ("bytes=90-1000", 90, 100),
    ],
)
def test_one_range(wanted: str, start: int, end: int) -> None:
    assert choose(100, ETAG, wanted=wanted) == Part(206, start, end, 100)


@pytest.mark.parametrize(
    "wanted",
    ["bytes=0-,0-", "bytes=-0", "bytes=100-", "bytes=5-4", "bytes=-", "bytes=", "bytes=a-b", "bytes=9e9-",
     "bytes=0-" + ",0-" * 10_000, "bytes=" + "9" * 40 + "-", "bytes=--1", "bytes= 0-1", "", "=", "bytes"],
)  # fmt: skip
def test_anything_else_is_refused(wanted: str) -> None:
    with pytest.raises(AppError) as error:
        choose(100, ETAG, wanted=wanted)
    assert error.value.status == 416
    assert error.value.headers["Content-Range"] == "bytes */100"


def test_a_range_of_another_file_is_not_honoured() -> None:
    assert choose(100, ETAG, wanted="bytes=5-", if_range='"old"') == Part(200, 0, 100, 100)
    assert choose(100, ETAG, wanted="bytes=5-", if_range=ETAG) == Part(206, 5, 100, 100)


def test_what_the_caller_has_is_not_sent() -> None:
    assert choose(100, ETAG, if_none_match='"x", W/"abc"') is None
    assert choose(100, ETAG, if_none_match="*") is None
    assert choose(100, ETAG, if_none_match='"x"') == Part(200, 0, 100, 100)


@given(st.text(max_size=60), st.integers(1, 10**12))
def test_a_part_is_always_inside_the_file(text: str, size: int) -> None:
    try:
        part = choose(size, ETAG, wanted="bytes=" + text)
    except AppError:
        return
    assert part is not None
    assert 0 <= part.start < part.end <= size


@pytest.mark.parametrize("wanted", ["items=0-1", "seconds=1-2"])
def test_a_range_in_another_unit_is_ignored(wanted: str) -> None:
    assert choose(100, ETAG, wanted=wanted) == Part(200, 0, 100, 100)
