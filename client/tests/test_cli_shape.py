"""The shape of what the command prints: what fits the terminal, one word for a state, and what an outage costs."""

from __future__ import annotations

import re

import pytest
from fake_service import Fault
from terminal import on_terminal

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STATES = ("queued", "in_progress", "completed", "failed", "canceled")


def rows_of(output: str, columns: int) -> list[str]:
    """The table's lines, which fit the terminal; the note below it may take two."""
    lines = [ESCAPES.sub("", line).rstrip() for line in output.splitlines()]
    rows = [line for line in lines if "hidden (" not in line]
    assert all(len(line) <= columns for line in rows), rows
    return rows


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_a_list_never_cuts_an_id_or_a_state(environment, service, tmp_path, columns):
    prompt = "a boat on a stream, " * 20
    ids = []
    for state in STATES:
        video = service.create({"prompt": prompt, "seconds": "5"})
        video["status"] = state
        ids.append(video["id"])
    lines = rows_of(on_terminal(["list"], environment | {"COLUMNS": str(columns)}, tmp_path), columns)
    for video_id, state in zip(ids, STATES, strict=True):
        (line,) = [line for line in lines if video_id in line]
        assert re.search(rf"\b{state}\b", line), line
    assert "rendering" not in "\n".join(lines)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_models_begin_with_the_name_that_one_passes(environment, service, tmp_path, columns):
    lines = rows_of(on_terminal(["models"], environment | {"COLUMNS": str(columns)}, tmp_path), columns)
    assert [line for line in lines if line.startswith("seedance-2.0-mini ")], lines


def test_no_wait_prints_the_id_and_returns(run, service):
    result = run("generate", "a boat", "--no-wait")
    assert (result.exit_code, result.stdout) == (0, "vid_0001\n")
    assert service.seen("GET", "/v1/videos/vid_0001.*") == []


def test_a_hint_keeps_where_the_video_was_to_go(run, service):
    refusal = Fault(status=401, body={"error": {"code": "invalid_key", "message": "x"}})
    service.fail("GET", "/v1/videos/vid_0001.*", *[refusal] * 9)
    result = run("generate", "a boat", "-o", "my boat.mp4")
    assert result.exit_code != 0
    assert "seedance download vid_0001 -o 'my boat.mp4'" in result.stderr


def test_generate_sits_out_more_failures_than_a_request_is_tried(run, service):
    video = "/v1/videos/vid_0001"
    for method, pattern in (("POST", "/v1/videos"), ("GET", video), ("GET", f"{video}/content")):
        service.fail(method, pattern, *[Fault(drop="before")] * 5)
    result = run("generate", "a boat", "-o", "boat.mp4")
    assert result.exit_code == 0, result.stderr
    assert "trying again for up to 90 s" in result.stderr
    creates = service.seen("POST", "/v1/videos")
    keys = {value for seen in creates for name, value in seen.headers.items() if name.lower() == "idempotency-key"}
    assert (len(creates) > 4, len(keys), len(service.videos)) == (True, 1, 1), "nothing is bought twice"
