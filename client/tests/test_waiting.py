"""Events and waiting, for both clients."""

from __future__ import annotations

import time

import pytest
from fake_service import Fault

from seedance import ConnectionFailed, NotFound, UnexpectedAnswer, VideoFailed, WaitTimeout
from seedance.wait import poll_delays

STEPS = [("queued", 0), ("in_progress", 0), ("in_progress", 40), ("completed", 100)]


def test_events_come_typed_and_end(client):
    video = client.videos.create("x")
    events = list(client.videos.stream_events(video))
    assert [(e.type, e.video.status, e.video.progress) for e in events] == [(f"video.{s}", s, p) for s, p in STEPS]
    assert events[-1].video.final


def test_events_go_on_over_a_dropped_connection_without_doubles(client, service):
    video = client.videos.create("x")
    service.fail("GET", r".*/events", Fault(cut_after=2), Fault(drop="before"), Fault(status=503), Fault(cut_after=1))
    events = list(client.videos.stream_events(video.id))
    states = [(e.video.status, e.video.progress) for e in events]
    assert states == [state for state in STEPS if state in states]
    assert states[0] == STEPS[0]
    assert states[-1] == STEPS[-1]
    connections = service.seen("GET", r".*/events")
    assert len(connections) == 5
    assert "Last-Event-ID" not in connections[0].headers
    assert connections[1].headers["Last-Event-ID"] == "1"


def test_events_that_bring_no_news_are_given_up_on(client, service):
    service.timeline = [("queued", 0)]
    video = client.videos.create("x")
    service.fail("GET", r".*/events", *[Fault(cut_after=1)] * 20)
    with pytest.raises(ConnectionFailed, match="dropped"):
        list(client.videos.stream_events(video))
    assert len(service.seen("GET", r".*/events")) <= 6


def test_events_can_be_left_early(client, service):
    video = client.videos.create("x")
    for _ in client.videos.stream_events(video):
        break
    assert client.videos.retrieve(video).id == video.id


def test_events_of_nothing(client, service):
    with pytest.raises(NotFound):
        list(client.videos.stream_events("vid_none"))


def test_no_event_stream_is_said(client, service):
    video = client.videos.create("x")
    service.fail("GET", r".*/events", Fault(status=200, body=b"{}"))
    with pytest.raises(UnexpectedAnswer, match="event stream"):
        list(client.videos.stream_events(video))


def test_wait_tells_each_change_and_returns_the_final_video(client, service):
    seen = []
    video = client.videos.wait(client.videos.create("x"), on_change=lambda v: seen.append((v.status, v.progress)))
    assert video.status == "completed"
    assert seen == STEPS
    assert service.seen("GET", r"/v1/videos/vid_0001") == []


@pytest.mark.parametrize("fault", [Fault(status=404), Fault(status=200, body=b"{}"), Fault(status=501)])
def test_wait_asks_where_there_is_no_stream(client, service, fault):
    video = client.videos.create("x")
    service.steps[video.id].popleft()
    service.steps[video.id].popleft()
    service.fail("GET", r".*/events", *[fault] * 9)
    seen = []
    assert client.videos.wait(video.id, on_change=lambda v: seen.append(v.progress)).status == "completed"
    assert seen == [100]


def test_the_pauses_between_questions_grow_to_five_seconds():
    delays = poll_delays()
    assert [next(delays) for _ in range(6)] == [1, 1.5, 2.25, 3.375, 5, 5]


def test_wait_survives_a_cut(client, service):
    service.fail("GET", r".*/events", Fault(cut_after=1), Fault(cut_after=1))
    assert client.videos.wait(client.videos.create("x")).status == "completed"


def test_wait_raises_for_a_failed_video(client, service):
    service.timeline = [("queued", 0), ("failed", 10)]
    with pytest.raises(VideoFailed, match=r"the prompt was refused \(moderation\)") as caught:
        client.videos.wait(client.videos.create("x"))
    assert caught.value.video.status == "failed"
    video = client.videos.wait(client.videos.create("x"), raise_on_failure=False)
    assert video.error.code == "moderation"


def test_wait_for_a_video_known_to_be_final_asks_nobody(client, service):
    video = client.videos.wait(client.videos.create("x"))
    before = len(service.requests)
    assert client.videos.wait(video) is video
    assert len(service.requests) == before


def test_wait_gives_up_in_time(client, service):
    service.timeline = [("queued", 0), *[("in_progress", 5)] * 200]
    service.pace_seconds = 0.1
    video = client.videos.create("x")
    start = time.monotonic()
    with pytest.raises(WaitTimeout, match=r"in_progress, 5 %") as caught:
        client.videos.wait(video, timeout=0.6)
    assert 0.6 <= time.monotonic() - start < 2
    assert caught.value.video_id == video.id


def test_wait_gives_up_in_time_on_a_silent_stream(client, service):
    service.pace_seconds = 3
    video = client.videos.create("x")
    start = time.monotonic()
    with pytest.raises(WaitTimeout):
        client.videos.wait(video, timeout=0.8)
    assert time.monotonic() - start < 2.5


def test_wait_without_time_looks_once(client, service):
    service.timeline = [("queued", 0), ("completed", 100)]
    video = client.videos.create("x")
    assert client.videos.wait(video, timeout=0).status == "completed"


def test_wait_for_nothing(client):
    with pytest.raises(NotFound):
        client.videos.wait("vid_none")


def test_an_error_in_a_callback_comes_out(client):
    def fail(_video):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.videos.wait(client.videos.create("x"), on_change=fail)


def test_a_stream_that_something_holds_back_is_left_for_asking(client, service, monkeypatch):
    monkeypatch.setattr("seedance.events.SILENCE_SECONDS", 0.3)
    service.timeline = [("queued", 0), ("completed", 100)]
    video = client.videos.create("x")
    service.fail("GET", r".*/events", Fault(silence_seconds=1))
    assert client.videos.wait(video).status == "completed"
    assert len(service.seen("GET", r".*/events")) == 1
