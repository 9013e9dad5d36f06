from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedance.sse import EventParser, ServerSentEvent

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)


@st.composite
def streams(draw):
    """A stream on the wire and the events it means."""
    wire, events, last_id = draw(st.sampled_from(["", "\ufeff"])), [], None
    # One kind for a stream: a line ended by CR before one ended by LF would read as one line end.
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.none() | TEXT.filter(bool))
        new_id = draw(st.none() | TEXT)
        data = draw(st.lists(TEXT, max_size=3))
        lines = [f"event: {name}"] if name is not None else []
        if new_id is not None:
            lines.append(f"id: {new_id}")
            last_id = new_id
        lines += [f"data: {line}" for line in data]
        lines += [f": {comment}" for comment in draw(st.lists(TEXT, max_size=2))]
        lines = draw(st.permutations(lines)) if len(data) < 2 else lines
        wire += "".join(line + end for line in [*lines, ""])
        if data:
            events.append(ServerSentEvent("\n".join(data), name or "message", last_id))
    return wire.encode(), events


# The first draw of a fresh checkout builds Hypothesis' table of Unicode, which takes seconds.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(streams(), st.lists(st.integers(0, 400)))
def test_events_do_not_depend_on_where_the_stream_is_cut(stream, cuts):
    wire, expected = stream
    parser = EventParser()
    marks = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    found = [e for a, b in pairwise(marks) for e in parser.feed(wire[a:b])]
    assert found == expected


@given(streams())
def test_byte_by_byte(stream):
    wire, expected = stream
    parser = EventParser()
    assert [event for byte in wire for event in parser.feed(bytes([byte]))] == expected


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_any_bytes_are_survived(chunks):
    parser = EventParser()
    for chunk in chunks:
        parser.feed(chunk)


def test_an_event_comes_out_without_waiting_for_what_follows_a_cr():
    parser = EventParser()
    assert parser.feed(b"data: a\r\r") == [ServerSentEvent("a")]
    assert parser.feed(b"\ndata: b\n\n") == [ServerSentEvent("b")]


def test_retry_and_unfinished_events():
    parser = EventParser()
    assert parser.feed(b"retry: 2500\nretry: x\ndata: cut of") == []
    assert parser.retry_seconds == 2.5
