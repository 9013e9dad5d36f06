from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.api.body import put
from seedance_api.api.decode import decode, parse_json
from seedance_api.api.understand import CreateVideo
from seedance_api.foundation.errors import AppError


def test_everything_wrong_is_said_at_once() -> None:
    body = {
        "promt": "x",
        "duration": "5",
        "seed": 1.5,
        "draft": "yes",
        "metadata": {"a": 1},
        "images": {},
        "model": None,
    }
    form, problems = decode(CreateVideo, body, strict=True)
    assert {problem.path for problem in problems} == {"promt", "duration", "seed", "draft", "metadata[...]", "images"}
    assert problems[0].message == "There is no field `promt`. Did you mean `prompt`?"
    assert next(p.message for p in problems if p.path == "duration") == "`duration` must be a whole number."
    assert form == CreateVideo()


def test_forms_send_text() -> None:
    form, problems = decode(CreateVideo, {"duration": "5", "seed": "-1", "draft": "true"}, strict=False)
    assert not problems
    assert (form.duration, form.seed, form.draft) == (5, -1, True)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"nul", b"{", b'{"a":' * 10_000, b"[" * 100_000, b'"\xff"', b"1e400", b'{"a":"\\ud800"}']
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(AppError) as error:
        parse_json(body)
    assert error.value.code == "invalid_json"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from([field.name for field in msgspec.structs.fields(CreateVideo)]) | st.text(max_size=12)


@given(st.dictionaries(names, json_values, max_size=8), st.booleans())
def test_whatever_is_sent_becomes_a_form_or_problems(body: dict[str, Any], strict: bool) -> None:
    form, problems = decode(CreateVideo, body, strict=strict)
    assert isinstance(form, CreateVideo)
    assert all(problem.path and problem.message for problem in problems)
    msgspec.json.encode(problems)


def test_names_of_form_fields_build_objects_and_lists() -> None:
    values: dict[str, Any] = {}
    for name, inside, value in [
        ("a", [], 1), ("b", [""], 1), ("b", [""], 2), ("c", ["k"], 1), ("d", ["", "u"], 1), ("d", ["", "r"], 2),
        ("d", ["", "u"], 3),
    ]:  # fmt: skip
        put(values, name, inside, value)
    assert values == {"a": 1, "b": [1, 2], "c": {"k": 1}, "d": [{"u": 1, "r": 2}, {"u": 3}]}


def test_names_that_contradict_are_refused() -> None:
    values: dict[str, Any] = {"a": "text"}
    with pytest.raises(ValueError):
        put(values, "a", [""], 1)
    with pytest.raises(ValueError):
        put(values, "a", ["k"], 1)


def test_a_body_of_too_many_values_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(AppError, match="invalid_json"):
        parse_json(b'{"a":[' + b"{}," * 600_000 + b"{}]}")
    assert len(parse_json(b'{"images":["data:image/png;base64,' + b"A" * (4 << 20) + b'"]}')) == 1
