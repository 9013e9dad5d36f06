"""A spliced file reads as its pieces would, one after the other, wherever one begins to read."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.foundation.splice import Spliced

BELOW = bytes(range(256)) * 4
PIECES = st.lists(
    st.binary(max_size=40)
    | st.tuples(st.integers(0, len(BELOW)), st.integers(0, len(BELOW))).map(lambda both: range(min(both), max(both))),
    max_size=6,
)


@given(PIECES, st.lists(st.tuples(st.integers(0, 1200), st.integers(1, 300)), max_size=6))
def test_it_reads_as_its_pieces_do(pieces: list[bytes | range], reads: list[tuple[int, int]]) -> None:
    whole = b"".join(one if isinstance(one, bytes) else BELOW[one.start : one.stop] for one in pieces)
    spliced = io.BufferedReader(Spliced(io.BytesIO(BELOW), pieces), 16)
    assert spliced.read() == whole
    for start, length in reads:
        assert spliced.seek(start) == start
        assert spliced.read(length) == whole[start : start + length]
    assert spliced.seek(0, io.SEEK_END) == len(whole)


def test_there_is_nothing_before_the_start() -> None:
    with pytest.raises(ValueError, match="before the start"):
        Spliced(io.BytesIO(BELOW), [b"abc"]).seek(-1)
