import os
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


def test_a_forked_process_makes_ids_of_its_own() -> None:
    new_id("vid")  # so that there is something to share
    ends = [os.pipe() for _ in range(2)]
    for read, write in ends:
        if (child := os.fork()) == 0:
            os.write(write, "\n".join(new_id("vid", at=1.0) for _ in range(200)).encode())
            os._exit(0)
        os.close(write)
        os.waitpid(child, 0)
        del read
    told = [os.read(read, 1 << 16).decode().split("\n") for read, _ in ends]
    mine = [new_id("vid", at=1.0) for _ in range(200)]
    made = [*told[0], *told[1], *mine]
    assert len(made) == 600
    assert len(set(made)) == len(made)
    for read, _ in ends:
        os.close(read)
