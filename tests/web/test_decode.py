import gzip
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.datastructures import MultiDict

from seedance_api.api.video_form import CreateVideo
from seedance_api.api.video_list import Page
from seedance_api.api.webhook_forms import CreateEndpoint
from seedance_api.foundation.errors import AppError
from seedance_api.web.assemble import Part, assemble
from seedance_api.web.decode import decode, decode_query
from seedance_api.web.parse import parse_json


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
    assert {problem.path for problem in problems} == {"promt", "duration", "seed", "draft", "metadata[a]", "images"}
    assert problems[0].message == "There is no field `promt`. Did you mean `prompt`?"
    assert next(p.message for p in problems if p.path == "duration") == (
        "`duration` must be a whole number, not text: send it without quotes."
    )
    assert next(p.message for p in problems if p.path == "draft") == "`draft` must be true or false, not text."
    assert form == CreateVideo()


def test_an_entry_that_is_wrong_is_named() -> None:
    _, problems = decode(CreateVideo, {"metadata": {"a": "x", "b": 1, "c c": None, "d" * 99: []}}, strict=True)
    assert [one.path for one in problems] == ["metadata[b]", "metadata[c?c]", f"metadata[{'d' * 60}]"]
    assert problems[0].message == "`metadata[b]` must be text (got 1)."


def test_what_was_given_instead_is_said() -> None:
    body = {"images": {"url": "x"}, "prompt": ["a secret"], "size": 5, "seed": True, "metadata": {"a": None}}
    _, problems = decode(CreateVideo, body, strict=True)
    assert [one.message for one in problems] == [
        "`images` must be a list, not an object.",
        "`prompt` must be text, not a list.",
        "`size` must be text (got 5).",
        "`seed` must be a whole number (got true).",
        "`metadata[a]` must be text, not null.",
    ]
    _, problems = decode(CreateVideo, {"seed": "abc", "draft": "a secret", "duration": "5.5"}, strict=False)
    assert [one.message for one in problems] == [
        "`seed` must be a whole number (got abc).",
        "`draft` must be true or false.",
        "`duration` must be a whole number (got 5.5).",
    ]


def test_every_entry_of_a_list_that_is_wrong_is_named() -> None:
    _, problems = decode(CreateEndpoint, {"event_types": ["*", 1, "x", None], "url": 5}, strict=True)
    assert [(one.path, one.message) for one in problems] == [
        ("event_types[1]", "`event_types[1]` must be text (got 1)."),
        ("event_types[3]", "`event_types[3]` must be text, not null."),
        ("url", "`url` must be text (got 5)."),
    ]
    _, problems = decode(CreateEndpoint, {"event_types": [1] * 1000}, strict=True)
    assert len(problems) == 32


def test_a_problem_stands_where_its_field_does_and_names_every_kind() -> None:
    body = {"max_cost": [], "promt": 1, "seconds": {}, "model": 1}
    _, problems = decode(CreateVideo, body, strict=True)
    assert [one.path for one in problems] == list(body)
    assert problems[0].message == "`max_cost` must be a number or text, not a list."
    assert problems[2].message == "`seconds` must be a whole number or text, not an object."


def test_json_in_a_form_is_told_the_forms_way() -> None:
    _, problems = decode(CreateVideo, {"metadata": '{"a": "b"}'}, strict=False)
    assert problems[0].message == "`metadata` must be an object. In a form, send each entry by itself: `metadata[a]=b`."
    _, problems = decode(CreateVideo, {"metadata": '{"a": "b"}', "seed": "x"}, strict=True)
    assert [one.message for one in problems] == [
        "`metadata` must be an object, not text.",
        "`seed` must be a whole number, not text.",
    ]


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


LISTS = frozenset({"d", "e"})


def built(*parts: tuple[str, Any]) -> dict[str, Any]:
    return assemble([Part(name, value) for name, value in parts], LISTS)


def test_names_of_form_fields_build_objects_and_lists() -> None:
    assert built(("a", 1), ("b[]", 1), ("b[]", 2), ("c[k]", 1), ("c[ключ-1 .]", 2)) == {
        "a": 1,
        "b": [1, 2],
        "c": {"k": 1, "ключ-1 .": 2},
    }
    assert built(("d[][u]", 1), ("d[][r]", 2), ("d[][u]", 3)) == {"d": [{"u": 1, "r": 2}, {"u": 3}]}
    assert built(("d[u]", 1)) == {"d": {"u": 1}}


@pytest.mark.parametrize("name", ["d", "d[]"])
def test_a_list_may_be_given_by_its_plain_name_too(name: str) -> None:
    assert built(("d", 1), (name, 2), ("d[]", 3)) == {"d": [1, 2, 3]}


def test_roles_go_to_the_items_in_order() -> None:
    wanted = {"d": [{"": 1, "role": "a"}, {"": 2, "role": "b"}]}
    values, roles = [("d[]", 1), ("d[]", 2)], [("d[][role]", "a"), ("d[][role]", "b")]
    assert built(*values, *roles) == wanted
    assert built(*roles, *values) == wanted
    assert built(values[0], roles[0], values[1], roles[1]) == wanted
    assert built(roles[0], values[0], roles[1], values[1]) == wanted
    assert built(*values, roles[0]) == {"d": [{"": 1, "role": "a"}, 2]}
    urls = [("d[][url]", 1), ("d[][url]", 2)]
    assert built(*urls, *roles) == {"d": [{"url": 1, "role": "a"}, {"url": 2, "role": "b"}]}


def test_numbered_items_go_by_their_numbers() -> None:
    parts = [("d[10]", 3), ("d[1][role]", "b"), ("d[0]", 1), ("d[1]", 2), ("d[11][url]", 4)]
    assert built(*parts) == {"d": [1, {"role": "b", "": 2}, 3, {"url": 4}]}


@pytest.mark.parametrize(
    ("names", "code", "path"),
    [
        (["a", "a"], "repeated", "a"),
        (["a", "b", "a", "a"], "repeated", "a"),
        (["c[k]", "c[k]"], "repeated", "c[k]"),
        (["d[0]", "d[0]"], "repeated", "d[0]"),
        (["d[0][url]", "d[0][url]"], "repeated", "d[0][url]"),
        (["d[]", "d[][role]", "d[][role]"], "repeated", "d[][role]"),
        (["a", "a[]"], "conflict", "a[]"),
        (["a[]", "a[k]"], "conflict", "a[k]"),
        (["a", "a[k]"], "conflict", "a[k]"),
        (["d[]", "d[0]"], "conflict", "d"),
        (["d", "d[k]"], "conflict", "d[k]"),
        (["a[k]", "a"], "repeated", "a"),
    ],
)
def test_names_that_contradict_or_repeat_are_refused(names: list[str], code: str, path: str) -> None:
    with pytest.raises(AppError) as refused:
        built(*((name, "secret") for name in names))
    (problem,) = refused.value.problems
    assert (refused.value.code, problem.code, problem.path) == ("invalid_request", code, path)
    assert f"`{path}`" in refused.value.message
    assert "secret" not in refused.value.message


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "d", "a[]", "d[]", "d[][role]", "d[0]", "d[1][u]", "a[k]", "[", "d[][]"]),
            st.integers(),
        )
    )
)
def test_nothing_that_is_sent_is_dropped(parts: list[tuple[str, int]]) -> None:
    try:
        values = built(*parts)
    except AppError:
        pass
    else:
        assert sorted(_leaves(values)) == sorted(value for _, value in parts)


def _leaves(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    return [value]


@pytest.mark.parametrize("value", [5.0, 5])
def test_a_whole_number_is_whole_however_it_is_written(value: float) -> None:
    for name in ("duration", "seconds", "seed", "frames", "expires_after"):
        form, problems = decode(CreateVideo, {name: value}, strict=True)
        assert not problems
        assert repr(getattr(form, name)) == "5"


@pytest.mark.parametrize("text", ["5", "5.0", "5.", "5.000", "+5", "5e0", "0.5e1", " 5 "])
def test_so_it_is_in_a_form_and_a_query(text: str) -> None:
    form, problems = decode(CreateVideo, {"duration": text, "seed": text}, strict=False)
    assert not problems
    assert (form.duration, form.seed) == (5, 5)
    page, problems = decode_query(Page, {"limit": text})
    assert not problems
    assert page.limit == 5


@pytest.mark.parametrize("value", [5.5, 5.0000001, 1e300])
def test_a_number_with_a_fraction_is_refused(value: float) -> None:
    for name in ("duration", "seconds", "seed"):
        _, (problem,) = decode(CreateVideo, {name: value}, strict=True)
        assert problem.path == name
    _, (problem,) = decode(CreateVideo, {"duration": 5.5}, strict=True)
    assert problem.message == "`duration` must be a whole number (got 5.5)."
    _, (problem,) = decode(CreateVideo, {"duration": "5.5"}, strict=False)
    assert problem.path == "duration"


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("1", True), ("on", True), ("YES", True), ("false", False), ("0", False),
     ("False", False), ("off", False), ("no", False)],
)  # fmt: skip
def test_booleans_of_forms(text: str, value: bool) -> None:
    form, problems = decode(CreateVideo, {"draft": text}, strict=False)
    assert not problems
    assert form.draft is value


@pytest.mark.parametrize("text", ["maybe", "2", "", "null"])
def test_what_is_no_boolean_is_refused(text: str) -> None:
    _, (problem,) = decode(CreateVideo, {"draft": text}, strict=False)
    shown = f" (got {text or 'an empty string'})"
    assert problem.message == f"`draft` must be true or false{shown}."


def test_a_parameter_that_stands_twice_is_refused() -> None:
    _, (problem,) = decode_query(Page, MultiDict([("limit", "5"), ("order", "asc"), ("limit", "6")]))
    assert (problem.path, problem.code) == ("limit", "repeated")


@pytest.mark.parametrize(
    ("body", "said", "path"),
    [
        (b"", "The body is empty", None),
        (b" \n", "The body is empty", None),
        (b"[]", "must be a JSON object, not an array", None),
        (b'"x"', "not a text", None),
        (b"null", "not null", None),
        (b"{}{}", "extra data (line 1, column 3)", None),
        (b'{"a":1,\n}', "(line ", None),
        (b"{'a': 1}", "expecting property name enclosed in double quotes (line 1, column 2)", None),
        (b'{"prompt": "x', "unterminated string starting (line 1, column 12)", None),
        (b'{"prompt": "a\tb"}', "invalid control character (line 1, column 14)", None),
        (b'{"prompt": "\xff"}', "not UTF-8: its byte 13", None),
        (b'{"seed": NaN}', "`seed` is NaN", "seed"),
        (b'{"images": [{"x": [-Infinity]}]}', "`images[0].x[0]` is -Infinity", "images[0].x[0]"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "`seed` is out of range", "seed"),
        (b'{"seed": 1e400}', "`seed` is out of range", "seed"),
        (b'{"prompt": "a \\ud83d cat"}', "`prompt` holds half a surrogate pair", "prompt"),
        (b'{"metadata": {"k": "\\udfff"}}', "`metadata.k` holds half", "metadata.k"),
        (b'{"\\ud800": 1}', "`?` holds half", "?"),
        ('{"prompt": "x"}'.encode("utf-16"), "The body is UTF-16; send UTF-8", None),
        ('{"prompt": "x"}'.encode("utf-16-le"), "The body is UTF-16", None),
        ('{"prompt": "x"}'.encode("utf-16-be"), "The body is UTF-16", None),
        ('{"prompt": "x"}'.encode("utf-32"), "The body is UTF-32", None),
        (gzip.compress(b'{"prompt": "x"}', mtime=0), "The body is compressed (gzip)", None),
        (b'{"a":' * 10_000, "nested too deeply", None),
    ],
    ids=str,
)
def test_what_is_wrong_with_json_is_said_with_its_place(body: bytes, said: str, path: str | None) -> None:
    with pytest.raises(AppError) as refused:
        parse_json(body)
    assert said in refused.value.message
    assert (refused.value.code, refused.value.param) == ("invalid_json", path)


def test_a_name_that_stands_twice_is_refused() -> None:
    for body, path in (
        (b'{"prompt": "a", "seed": 1, "prompt": "b"}', "prompt"),
        (b'{"metadata": {"k": "a", "k": "a"}}', "k"),
        (b'{"images": [{"url": "a", "url": "b"}], "seed": ' + b"9" * 30 + b"}", "url"),
    ):
        with pytest.raises(AppError) as refused:
            parse_json(body)
        assert (refused.value.code, refused.value.param) == ("invalid_request", path)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_mark_of_utf_8_is_taken(mark: bytes) -> None:
    assert parse_json(bytearray(mark + b'{"prompt": "a \xf0\x9f\x90\x88"}')) == {"prompt": "a 🐈"}


def test_a_body_of_too_many_values_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(AppError, match="invalid_json"):
        parse_json(b'{"a":[' + b"{}," * 600_000 + b"{}]}")
    assert len(parse_json(b'{"images":["data:image/png;base64,' + b"A" * (4 << 20) + b'"]}')) == 1
