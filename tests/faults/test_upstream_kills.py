"""F04, F33 and F34 with an upstream: workers that die, freeze or have a wrong clock hand a video over once."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from faults.kit import worker_of
from faults.upstream import MAIN, Live, fast_fake, table
from security.attack import log
from stage import fresh_database, until

_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where points are armed."""
    return tmp_path_factory.mktemp("points")


@pytest.fixture(scope="module")
def mortal(postgres: str, tmp_path_factory: pytest.TempPathFactory, points: Path) -> Iterator[Live]:
    """An installation whose workers may be killed."""
    with fresh_database(postgres) as url, fast_fake() as fake:
        folder = tmp_path_factory.mktemp("live")
        live = Live(url, folder, table("main", fake.url, MAIN), fake, kill_points=str(points), lease_seconds="1")
        try:
            yield live
        finally:
            live.stop()


@pytest.mark.parametrize("told", ["callback", "list"])
@pytest.mark.parametrize("point", ["advance.started", "advance.sent"])
def test_F04_killed_between_the_create_and_its_record(mortal: Live, points: Path, point: str, told: str) -> None:
    """Killed behind the create its video is adopted; killed before it, there is one create in all."""
    made = point == "advance.started"
    prompt = mortal.fault("create", {"seconds": 60})
    if told == "list":
        mortal.fakes[0].faults({"on": "callback", "match": {"prompt": prompt}, "do": {"none": True}})
    before = log(mortal.service).count("worker.died")
    (points / point).touch()
    video = mortal.create(prompt)
    until(lambda: not (points / point).exists(), 20)
    attempt = mortal.attempt(video, "sent", "unknown", "acknowledged")
    until(lambda: log(mortal.service).count("worker.died") == before + 1, 20)
    assert len(mortal.creates(prompt)) == made
    if not made:
        mortal.attempt(video, "unknown")
        mortal.age(video)
    found = mortal.completed(video, prompt, hurried=True)
    assert found.states == (["succeeded"] if made else ["lost", "succeeded"])
    assert not made or found.attempts[0]["id"] == attempt["id"]
    mortal.is_sound()


def test_F34_a_worker_that_freezes_in_the_middle_of_a_start_is_overtaken(mortal: Live) -> None:
    prompt = mortal.fault("create", {"delay": 2}, times=1)
    video = mortal.create(prompt)
    until(lambda: mortal.creates(prompt), 20)
    frozen = worker_of(mortal.service)
    frozen.suspend()
    other = subprocess.Popen(
        [sys.executable, "-m", "seedance_api", "worker"], env=mortal.service.environment, stderr=subprocess.DEVNULL
    )
    try:
        found = mortal.completed(video, prompt, hurried=True)
        frozen.resume()
        until(lambda: "advance.claim_lost" in log(mortal.service), 20)
        (after,) = mortal.ends(video)
        assert after.row == found.row, "the old one's answer is refused"
        assert after.states == ["succeeded"]
        later = "fault later."
        mortal.completed(mortal.create(later), later)
        assert len(mortal.creates(prompt)) == 1
    finally:
        frozen.resume()
        other.send_signal(signal.SIGTERM)
        assert other.wait(20) == 0
    mortal.is_sound()


@pytest.mark.skipif(_LIBRARY is None, reason="libfaketime is not installed (on Debian: apt-get install faketime)")
def test_F33_a_worker_whose_clock_is_wrong_and_jumps(mortal: Live, tmp_path: Path) -> None:
    """Ten minutes ahead, ten behind, and back: deadlines, and the search for a task, go by the database's clock."""
    offset = tmp_path / "offset"

    def jump(by: str) -> None:
        (tmp_path / "new").write_text(by)
        (tmp_path / "new").replace(offset)

    jump("+0m")
    clock = {
        "LD_PRELOAD": str(_LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    sane = worker_of(mortal.service)
    sane.suspend()
    said = tmp_path / "stderr"
    with said.open("wb") as errors:
        command = [sys.executable, "-m", "seedance_api", "worker"]
        worker = subprocess.Popen(command, env=mortal.service.environment | clock, stderr=errors)
    try:
        for by in ("+10m", "-10m"):
            jump(by)
            plain = f"fault clock {by}."
            unclear = mortal.fault("create", {"reset": True, "made": True, "seconds": 100}, times=1)
            mortal.fakes[0].faults({"on": "callback", "match": {"prompt": unclear}, "do": {"none": True}})
            late = mortal.fault("create", {"stuck": True})
            videos = [mortal.create(prompt) for prompt in (plain, unclear, late)]
            mortal.reaches(videos[2], "running")
            mortal.completed(videos[0], plain, hurried=True)
            found = mortal.completed(videos[1], unclear, hurried=True)
            assert found.states == ["succeeded"]
            (create,) = mortal.creates(plain)
            assert 86_000 < create["body"]["execution_expires_after"] <= 86_400 + 600
            assert mortal.reaches(videos[2], "running", "failed") == "running", "its deadline is not reached"
            mortal.expire(videos[2])
            mortal.failed(videos[2], late, "deadline_exceeded")
            assert abs(found.row["finished_at"].timestamp() - time.time()) < 60
            mortal.is_sound()
        times = [json.loads(line)["time"] for line in said.read_text().splitlines() if line.startswith("{")]
        ahead = [datetime.fromisoformat(one).timestamp() - time.time() for one in times]
        assert max(ahead) > 500, "its clock was off"
        assert min(ahead) < -500
    finally:
        sane.resume()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
