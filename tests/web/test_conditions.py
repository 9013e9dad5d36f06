"""Conditions of a read: which headers say what."""

import pytest

from seedance_api.web.conditions import conditions_of, none_match, preferred_wait


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (["wait=25"], 25),
        (["WAIT = 25"], 25),
        (['wait="25"'], 25),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=10; foo=bar"], 10),
        (["wait=10, wait=20"], 10),
        (["wait=x, wait=20"], 0),
        (["wait"], 0),
        (["wait=-1"], 0),
        (['wait="25'], 0),
        (["waits=9"], 0),
        (["wait-long=9"], 0),
        (["wait=9999999999"], 0),
        ([""], 0),
        ([], 0),
    ],
)
def test_what_is_preferred(prefer: list[str], seconds: int) -> None:
    assert preferred_wait(conditions_of([(b"prefer", one.encode()) for one in prefer])) == seconds


def test_most_requests_have_none() -> None:
    assert conditions_of([(b"host", b"x"), (b"if-match", b'"a"')]) == {}
    assert none_match({}) == ""
    assert none_match(conditions_of([(b"if-none-match", b'"a"'), (b"if-none-match", b'"b"')])) == '"a","b"'
