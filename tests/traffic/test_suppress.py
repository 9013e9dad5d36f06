"""Suppression: what is told of a day says nothing of fewer than five accounts, nor does what is left between it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.traffic.suppress import MINIMUM, Cell, tellable, tellable_steps, withhold

SUMMED = frozenset({"by_model", "by_mode"})
Deed = tuple[str, int, str, str]
"""Account, hour, model and mode of one generation."""
Name = tuple[int | None, str, str]


def cells_of(deeds: Iterable[Deed]) -> dict[Name, Cell]:
    """Every cell of a day, as the queries count them: hours of the models, and days of models and modes."""
    behind: defaultdict[Name, list[str]] = defaultdict(list)
    for account, hour, model, mode in deeds:
        for name in ((hour, "by_model", model), (None, "by_model", model), (None, "by_mode", mode)):
            behind[name].append(account)
    return {name: cell(*name, behind=accounts) for name, accounts in behind.items()}


def cell(hour: int | None, measure: str, value: str, *, behind: Sequence[str]) -> Cell:
    few = tuple(set(behind)) if len(set(behind)) < MINIMUM else ()
    return Cell(hour=hour, measure=measure, value=value, count=len(behind), accounts=len(set(behind)), few=few)


def part(hour: int, *accounts: str, count: int = 0) -> Cell:
    return cell(hour, "by_model", "m", behind=(*accounts, *accounts[:1] * count))


MANY = ("a", "b", "c", "d", "e")
deeds = st.lists(
    st.tuples(st.sampled_from("abcdefghijkl"), st.integers(0, 3), st.sampled_from("xyz"), st.sampled_from("uvw")),
    max_size=90,
)  # fmt: skip


@given(deeds)
def test_no_cell_of_few_accounts_is_told_or_can_be_calculated(made: list[Deed]) -> None:
    cells = cells_of(made)
    told = {(one.hour, one.measure, one.value) for one in tellable(cells.values(), SUMMED)}
    assert all(cells[name].accounts >= MINIMUM for name in told)
    if len({account for account, *_ in made}) < MINIMUM:
        assert told == set()
        return  # then nothing tells the sum
    hidden = [name for name in cells if name not in told]
    # everything that an onlooker knows: hours add up to their day where it is told, and values to a sum that is known
    sums: list[Sequence[Name]] = []
    for model in "xyz":
        if (None, "by_model", model) in told:
            sums.append([(hour, "by_model", model) for hour in range(4)])
        else:
            sums.append([*[(hour, "by_model", model) for hour in range(4)], (None, "by_model", model)])
    sums += [[(None, "by_model", model) for model in "xyz"], [(None, "by_mode", mode) for mode in "uvw"]]
    signs = [-1.0 if (None, "by_model", model) not in told else 1.0 for model in "xyz"] + [1.0, 1.0]
    matrix = np.zeros((len(sums), len(hidden)))
    for (row, names), sign in zip(enumerate(sums), signs, strict=True):
        for name in names:
            if name in hidden:
                matrix[row, hidden.index(name)] = sign if name[0] is None else 1.0
    rank = int(np.linalg.matrix_rank(matrix)) if hidden else 0
    for place, name in enumerate(hidden):
        unit = np.zeros((1, len(hidden)))
        unit[0, place] = 1.0
        is_known = int(np.linalg.matrix_rank(np.vstack([matrix, unit]))) == rank
        assert not is_known or cells[name].accounts >= MINIMUM, name


def test_an_hour_of_few_accounts_takes_the_smallest_other_hour_with_it() -> None:
    day = cell(None, "by_model", "m", behind=(*MANY, "f"))
    hours = [part(0, *MANY, count=3), part(1, *MANY), part(2, "f"), part(3, *MANY, count=9)]
    assert {one.hour for one in tellable([day, *hours], SUMMED)} == {None, 0, 3}


def test_hours_of_few_accounts_that_are_together_many_need_no_other() -> None:
    hours = [part(0, *MANY), part(1, "f", "g"), part(2, "h", "i", "j")]
    assert [one.hour for one in withhold(hours)] == [0]


def test_one_account_in_many_hours_is_still_one() -> None:
    assert withhold([part(0, *MANY), *[part(hour, "f") for hour in range(1, 9)]]) == []


def test_no_hour_is_told_of_a_day_that_is_held_back() -> None:
    small = cell(None, "by_model", "m", behind="f")
    large = [cell(hour, "by_model", "n", behind=MANY) for hour in (None, 7)]
    assert tellable([small, *large], SUMMED) == []
    assert {one.hour for one in tellable([small, *large], frozenset())} == {None, 7}


def test_a_funnel_tells_no_step_whose_loss_is_few_accounts() -> None:
    assert tellable_steps([("a", 20), ("b", 18), ("c", 9), ("d", 9)]) == [("a", 20), ("c", 9), ("d", 9)]
    assert tellable_steps([("a", 9), ("b", 4), ("c", 0)]) == [("a", 9)]
    assert tellable_steps([("a", 4)]) == []


def test_the_order_of_cells_changes_nothing() -> None:
    made = [(account, hour, "x" if hour else "y", "u") for account, hour in product("abcdef", range(4))] + [
        ("g", 1, "x", "u")
    ]
    cells = list(cells_of(made).values())
    assert {id(one) for one in tellable(cells, SUMMED)} == {id(one) for one in tellable(cells[::-1], SUMMED)}
