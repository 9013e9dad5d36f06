"""Retries, errors and what is sent, for both clients."""

from __future__ import annotations

import time
import traceback

import msgspec
import pytest
from fake_answers import error
from fake_service import KEY, Fault

from seedance import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    NotFound,
    RateLimited,
    Seedance,
    ServerError,
    UnexpectedAnswer,
    Unprocessable,
)


def test_create_sends_what_is_given_and_nothing_else(client, service):
    video = client.videos.create("a cat", duration=5, ratio=None, metadata={"a": "b"}, extra_body={"next": 1})
    [request] = service.seen("POST", "/v1/videos")
    assert request.json == {"prompt": "a cat", "duration": 5, "metadata": {"a": "b"}, "next": 1}
    assert request.headers["User-Agent"].startswith("seedance-python/")
    assert (video.status, video.seconds, video.metadata) == ("queued", "5", {"a": "b"})


def test_unknown_fields_are_tolerated_and_kept(client, service):
    video = client.videos.create("x")
    assert video.extra == {"something_new": {"a": 1}}
    assert video.raw["something_new"] == {"a": 1}
    assert client.videos.quote("x").extra == {"new": 7}
    with pytest.raises(AttributeError):
        video.status = "completed"


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=408), Fault(drop="before"), Fault(status=429)])
def test_a_retry_repeats_the_idempotency_key(client, service, fault):
    service.fail("POST", "/v1/videos", fault, fault)
    client.videos.create("x")
    requests = service.seen("POST", "/v1/videos")
    assert len(requests) == 3
    assert len({r.headers["Idempotency-Key"] for r in requests}) == 1
    assert len({r.body for r in requests}) == 1


def test_two_creations_have_two_keys_and_the_callers_key_is_kept(client, service):
    client.videos.create("x")
    client.videos.create("x")
    client.videos.create("x", idempotency_key="mine")
    keys = [r.headers["Idempotency-Key"] for r in service.seen("POST", "/v1/videos")]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_a_creation_whose_answer_is_lost_is_not_doubled(client, service):
    service.fail("POST", "/v1/videos", Fault(drop="after"))
    video = client.videos.create("x")
    assert list(service.videos) == [video.id]
    assert len(service.seen("POST", "/v1/videos")) == 2


def test_retries_end(client, service):
    service.fail("GET", "/v1/models", *[Fault(status=500)] * 9)
    with pytest.raises(ServerError):
        client.models.list()
    assert len(service.seen("GET", "/v1/models")) == 4


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (Fault(status=409), 1),
        (Fault(status=409, headers={"Retry-After": "0"}), 2),
        (Fault(status=409, headers={"x-should-retry": "true"}), 2),
        (Fault(status=503, headers={"x-should-retry": "false"}), 1),
        (Fault(status=429, headers={"Retry-After": "7200"}), 1),
        (Fault(status=422), 1),
    ],
)
def test_what_is_retried(client, service, fault, tries):
    service.fail("POST", "/v1/videos", fault)
    if tries == 1:
        with pytest.raises(APIError):
            client.videos.create("x")
    else:
        client.videos.create("x")
    assert len(service.seen("POST", "/v1/videos")) == tries


def test_retry_after_is_honoured(client, service):
    service.fail("GET", "/v1/models", Fault(status=429, headers={"Retry-After": "0.4"}))
    start = time.monotonic()
    client.models.list()
    assert time.monotonic() - start >= 0.4


def test_retry_after_too_long_is_told(client, service):
    service.fail("GET", "/v1/models", Fault(status=429, headers={"Retry-After": "7200"}))
    with pytest.raises(RateLimited) as caught:
        client.models.list()
    assert caught.value.retry_after == 7200


def test_an_error_tells_every_problem(client, service):
    problems = [
        {
            "path": "resolution",
            "code": "not_allowed",
            "message": "not offered",
            "value": "8k",
            "allowed": ["480p"],
        },
        {
            "path": "images[0].url",
            "code": "bad",
            "message": "unreachable",
            "models": ["seedance-2.0"],
            "new": 1,
        },
    ]
    service.fail("POST", "/v1/videos", Fault(status=422, body=error(422, "Two problems", errors=problems)))
    with pytest.raises(Unprocessable) as caught:
        client.videos.create("x")
    problem = caught.value
    assert (problem.status, problem.code, problem.request_id) == (422, "code_422", "req_1")
    assert [p.path for p in problem.errors] == ["resolution", "images[0].url"]
    assert str(problem).splitlines() == [
        "Two problems (422 code_422, request req_1)",
        '  - resolution: not offered (given "8k"; allowed: 480p)',
        "  - images[0].url: unreachable (models that take it: seedance-2.0)",
    ]


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (409, Conflict), (418, APIError), (501, ServerError)])
def test_a_status_has_its_class_even_when_a_proxy_wrote_the_body(open_client, service, status, kind):
    client = open_client(service.url, max_retries=0)
    service.fail("GET", "/v1/models", Fault(status=status, body=b"<html>"))
    with pytest.raises(kind) as caught:
        client.models.list()
    assert caught.value.code == f"http_{status}"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": 5}', b'{"data": [{"object": "model"}]}'])
def test_an_answer_of_something_else_is_named(client, service, body):
    service.fail("GET", "/v1/models", Fault(status=200, body=body))
    with pytest.raises(UnexpectedAnswer):
        client.models.list()


def test_nobody_there(open_client):
    client = open_client("http://127.0.0.1:9", max_retries=1)
    with pytest.raises(ConnectionFailed, match=r"GET http://127.0.0.1:9/v1/models"):
        client.models.list()


def test_an_empty_id_does_not_address_the_list(client, service):
    with pytest.raises(ValueError, match="empty"):
        client.videos.delete("")
    assert service.requests == []


def test_the_key_is_in_no_repr_error_or_traceback(client, open_client, service, tmp_path):
    said = [repr(client), repr(client.videos), repr(vars(Seedance(api_key=KEY)))]
    service.fail("GET", "/v1/videos/x", Fault(status=401, body=error(401, f"unknown key {KEY}")))
    lonely = open_client("http://127.0.0.1:9", max_retries=0)
    for attempt in (
        lambda: client.videos.retrieve("x"),
        lambda: client.videos.retrieve("y"),
        lonely.models.list,
        lambda: open_client("ftp://x"),
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011 – whatever it is, it must not tell
            attempt()
        said += [str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))]
        if not isinstance(caught.value, ConfigurationError):
            # Frames of this client and of the HTTP library, with their locals.
            whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            said.append("".join(whole.format()))
    assert KEY not in "\n".join(said)
    assert "unknown key sda_***" in "\n".join(said)


def test_a_key_that_cannot_be_a_header_is_refused_without_being_quoted(open_client, service):
    with pytest.raises(ConfigurationError) as caught:
        open_client(service.url, api_key="secret\nsecret")
    assert "secret" not in str(caught.value)


def test_the_wrong_key(open_client, service):
    with pytest.raises(AuthenticationError):
        open_client(service.url, api_key="sda_test_other").models.list()


def test_pages_are_gone_through(client, service):
    ids = [service.create({})["id"] for _ in range(7)]
    page = client.videos.list(limit=3)
    assert [video.id for video in page.data] == ids[:3:-1]
    assert [video.id for video in page] == ids[::-1]
    assert [video.id for video in client.videos.list(limit=2, order="asc")] == ids
    assert [r.query.get("after") for r in service.seen("GET", "/v1/videos")][:3] == [None, ids[4], ids[1]]
    assert [video.id for video in client.videos.list(limit=3).next_page().data] == ids[3:0:-1]
    assert client.videos.list(limit=50).next_page() is None


def test_a_list_that_does_not_advance_ends(client, service):
    same = {"object": "list", "data": [service.create({})], "last_id": "vid_0001", "has_more": True}
    service.fail("GET", "/v1/videos", *[Fault(status=200, body=same)] * 5)
    with pytest.raises(UnexpectedAnswer, match="advance"):
        list(client.videos.list())


def test_cancel_delete_and_models(client, service):
    video = client.videos.create("x")
    assert client.videos.cancel(video).status == "canceled"
    assert service.seen("POST", r".*/cancel")[0].headers["Idempotency-Key"]
    assert client.videos.delete(video.id).deleted is True
    with pytest.raises(NotFound):
        client.videos.retrieve(video)
    assert [m.id for m in client.models.list()] == ["seedance-2.0-mini", "seedance-1.5-pro"]
    assert client.models.retrieve("seedance-1.5-pro").extra["lifecycle"]["state"] == "retired"


def test_objects_survive_a_round_trip(client):
    video = client.videos.create("x")
    assert msgspec.json.decode(msgspec.json.encode(video.raw))["id"] == video.id
