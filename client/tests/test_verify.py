"""Verifying a file: both clients, and the command."""

from __future__ import annotations

import json

import pytest
from fake_service import Fault

from seedance import BadRequest


@pytest.mark.parametrize("kind", ["path", "file", "bytes"])
def test_a_file_is_sent_and_the_answer_told(client, service, tmp_path, kind):
    path = tmp_path / "secret name.mp4"
    path.write_bytes(b"ours" * 100_000)
    with path.open("rb") as opened:
        found = client.verify({"path": path, "file": opened, "bytes": path.read_bytes()}[kind])
    assert (found.ours, found.basis, found.ai_generated) == (True, ("signature", "fingerprint"), True)
    assert found.extra == {"something_new": 1}
    [request] = service.seen("POST", "/v1/verify")
    assert b"secret name" not in request.body
    assert client.verify(b"x").ai_generated is None


def test_it_is_asked_again_and_refusals_are_raised(client, service):
    service.fail("POST", "/v1/verify", Fault(status=503), Fault(drop="before"))
    assert client.verify(b"ours").ours
    service.fail("POST", "/v1/verify", Fault(status=400))
    with pytest.raises(BadRequest):
        client.verify(b"ours")


def test_the_command_says_it_in_words(run, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"ours")
    (tmp_path / "b.mp4").write_bytes(b"plain")
    said = run("verify", "a.mp4").stdout
    for words in (
        "It is AI-generated.", "yes, by signature and fingerprint", "untouched", "seedance-2.0-mini (sandbox preview)",
    ):  # fmt: skip
        assert words in said
    assert "\x1b" not in said
    assert "not known" in run("verify", "b.mp4").stdout
    assert json.loads(run("verify", "a.mp4", "--json").stdout)["something_new"] == 1
    assert run("verify", "c.mp4").exit_code == 2
