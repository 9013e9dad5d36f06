"""Whatever the vendor answers is read, or it is not there; nothing in it makes an exception or a charge."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.providers.ark.note import read_note, write_note
from seedance_api.providers.ark.read import as_check, read_id, read_page, read_task
from seedance_api.providers.ark.said import read_json
from seedance_api.providers.provider import Done, Failed, Output, Pending, Unseen

FINISHED = {
    "id": "cgt-20261003224324-vdy12",
    "model": "doubao-seedance-2-0-260128",
    "status": "succeeded",
    "error": None,
    "created_at": 1791038604,
    "updated_at": 1791038700,
    "content": {"video_url": "https://tos/v.mp4?sign=1", "last_frame_url": "https://tos/l.jpg"},
    "usage": {"completion_tokens": 108900, "total_tokens": 108900, "tool_usage": {"web_search": 1}},
    "seed": 4711,
    "resolution": "720P",
    "ratio": "16:9",
    "duration": 5,
    "framespersecond": 24,
    "service_tier": "default",
    "execution_expires_after": 172800,
    "generate_audio": True,
    "draft": False,
    "priority": 0,
    "safety_identifier": "c" * 64,
    "something_new": {"a": [1]},
}


def test_a_finished_task():
    task = read_task(FINISHED)
    assert task is not None
    assert as_check(task) == Done(
        Output(seconds=5.0, resolution="720p", ratio="16:9", seed=4711, tokens=108900, last_frame=True)
    )
    assert (task.created_at, task.expires_after, task.customer) == (1791038604, 172800, "c" * 64)


@pytest.mark.parametrize(
    ("status", "check"),
    [
        ("queued", Pending(begun=False)),
        ("running", Pending()),
        ("cancelled", Failed("canceled", "The video was canceled.")),
        ("expired", Failed("deadline_exceeded", "The provider did not finish the video before its deadline.")),
    ],
)
def test_a_state(status, check):
    task = read_task({"id": "cgt-1", "model": "m", "status": status, "created_at": 1, "updated_at": 1})
    assert task is not None
    assert as_check(task) == check


@pytest.mark.parametrize("status", ["completed", "canceled", "SUCCEEDED", "", None, 7, ["succeeded"], "x" * 999])
def test_an_unknown_state_is_no_end(status):
    task = read_task(FINISHED | {"status": status})
    assert task is not None
    assert isinstance(as_check(task), Unseen)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"error": {"code": "OutputVideoSensitiveContentDetected", "message": "m"}}, "output_moderated"),
        ({"failure_reason": {"code": "OutputVideoSensitiveContentDetected"}}, "output_moderated"),
        ({"error": None, "failure_reason": {"code": "InternalServiceError"}}, "provider_failed"),
        ({"error": "text"}, "provider_failed"),
        ({"error": {"code": 7, "message": ["x"]}}, "provider_failed"),
        ({}, "provider_failed"),
    ],
)
def test_a_failed_task_says_why(error, code):
    task = read_task({"id": "cgt-1", "status": "failed", **error})
    assert task is not None
    check = as_check(task)
    assert isinstance(check, Failed)
    assert check.code == code


def test_succeeded_without_a_link_is_done():
    for content in (None, {}, {"video_url": None}, {"video_url": ""}, {"video_url": 7}, "x", []):
        task = read_task(FINISHED | {"content": content})
        assert task is not None
        assert task.video_url is None
        assert isinstance(as_check(task), Done)


@pytest.mark.parametrize(
    ("tokens", "read"),
    [
        (108900, 108900),
        (108900.0, 108900),
        ("108900", 108900),
        (-1, None),
        (1.5, None),
        (True, None),
        (10**40, None),
        ("1e9", None),
        ("", None),
        (None, None),
        ([1], None),
    ],
)
def test_tokens_are_a_number_or_not_there(tokens, read):
    task = read_task(FINISHED | {"usage": {"completion_tokens": tokens}})
    assert task is not None
    assert task.tokens == read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        json.dumps(FINISHED).encode()[:200],
        b"null",
        b"[]",
        b'"cgt-1"',
        b"7",
        b'{"id": null}',
        b'{"id": 7}',
        b'{"id": ""}',
        b'{"id": "../../etc"}',
        b'{"id": "a b"}',
        b'{"id": "' + b"x" * 500 + b'"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe\x00",
        b'{"id": "\xff"}',
        b'{"id": NaN}',
        b'{"id": "cgt-1"} trailing',
    ],
)
def test_no_task_and_no_page_in_it(body):
    assert read_id(body) is None
    assert read_task(read_json(body)) is None
    assert read_page(body) is None


@pytest.mark.parametrize(
    ("said", "ids", "clean"),
    [
        ({"items": [], "total": 0}, [], True),
        ({"items": None, "total": 0}, [], True),
        ({"items": [FINISHED, {"id": "cgt-2"}], "total": 2}, [FINISHED["id"], "cgt-2"], True),
        ({"items": [FINISHED, None, {"x": 1}]}, [FINISHED["id"]], False),
        ({"items": {"0": FINISHED}}, None, None),
        ({"total": 3}, None, None),
        ({"items": None, "total": 3}, None, None),
    ],
)
def test_a_page(said, ids, clean):
    page = read_page(json.dumps(said).encode())
    if ids is None:
        assert page is None
    else:
        assert page is not None
        assert [task.id for task in page.tasks] == ids
        assert page.clean is clean


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("succeeded"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
mangled = st.dictionaries(st.sampled_from([*FINISHED, "failure_reason"]), anything).map(lambda more: FINISHED | more)


@given(anything | mangled)
def test_any_value_is_a_task_or_none(said):
    task = read_task(said)
    if task is not None:
        check = as_check(task)
        if isinstance(check, Done):
            assert task.status == "succeeded"
            assert check.output.tokens is None or 0 <= check.output.tokens < 2**53


@given(st.binary(max_size=300))
def test_any_body_is_read_or_not(body):
    read_page(body)
    read_id(body)
    read_task(read_json(body))


def test_a_note_is_read_as_it_was_written():
    operation = write_note("cgt-batch-1", tier="flex", model="m", at=7)
    note = read_note(json.loads(json.dumps(operation)))
    assert note is not None
    assert (note.id, note.tier, note.model, note.at) == ("cgt-batch-1", "flex", "m", 7)
    assert note.may_appear(186, 180)
    assert not note.may_appear(187, 180)


@given(st.dictionaries(st.sampled_from(["id", "tier", "model", "at", "x"]), anything))
def test_any_operation_is_a_note_or_none(operation):
    note = read_note(operation)
    assert note is None or note.tier in ("default", "flex")
