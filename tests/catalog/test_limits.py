"""The limits of media: what a length is counted as."""

from math import inf

import pytest

from seedance_api.catalog.limits import WIDEST_AUDIO
from seedance_api.catalog.misfit import rounded


@pytest.mark.parametrize(("seconds", "counted"), [(1.7e308, 1.7e308), (inf, inf), (0.0, 0.0)])
def test_a_length_of_any_size_is_counted(seconds: float, counted: float) -> None:
    """A file may say of itself what it likes: the largest numbers were a crash."""
    assert rounded(seconds, WIDEST_AUDIO) == counted
