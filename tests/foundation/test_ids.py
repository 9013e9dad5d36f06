import time

from hypothesis import given
from hypothesis import strategies as st

from seedance_api.foundation.ids import is_id, new_id


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = [new_id("vid") for _ in range(2000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(is_id("vid", one) for one in made)


def test_the_prefix_belongs_to_the_id() -> None:
    assert not is_id("vid", new_id("file"))


@given(st.text(max_size=40))
def test_nothing_else_is_an_id(text: str) -> None:
    assert not is_id("vid", text)
    assert not is_id("vid", "vid_" + text) or len(text) == 26


def test_an_id_has_the_time_that_it_is_given() -> None:
    """By the database's clock, so that those of a machine whose own is off stand where they belong."""
    now = time.time()
    ids = [new_id("vid", at=now + seconds) for seconds in (-600, -0.001, 0, 0.001, 600)]
    assert ids == sorted(ids)
    assert ids[0] < new_id("vid") < ids[-1]
