"""The operator's commands about upstreams, as a terminal shows them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import forkserver
from fakes.ark.run import FakeArk
from stage import Service

UPSTREAM = """
[upstreams.byteplus]
kind = "ark"
cloud = "byteplus"
base_url = "{url}"
region = "ap-southeast-1"
data_region = "ap-southeast"
legal_entity = "BytePlus Pte. Ltd."
key_env = "TEST_ARK_KEY"
allow_networks = ["127.0.0.0/8"]
models = ["seedance-2.0", "seedance-2.0-mini"]
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeArk]:
    with FakeArk(not_open="dreamina-seedance-2-0-260128") as running:
        yield running


@pytest.fixture
def run(database_url: str, tmp_path: Path, fake: FakeArk) -> Run:
    """Run a command with an upstreams file and a key."""
    service = Service(database_url, tmp_path, started=False)
    service.command("init")

    def go(*arguments: str, text: str | None = None, key: str | None = fake.key) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "upstreams.toml"
        file.write_text(text or UPSTREAM.format(url=fake.url))
        environment = service.environment | {"SEEDANCE_UPSTREAMS": str(file)}
        environment |= {"TEST_ARK_KEY": key} if key is not None else {}
        return forkserver.run([*arguments], environment, text=True, timeout=60)

    return go


def test_each_model_is_asked_for_and_nothing_is_made(run: Run, fake: FakeArk) -> None:
    fake.reset()
    done = run("upstream", "list", "--check", "--json")
    (one,) = json.loads(done.stdout)["upstreams"]
    assert one["checks"]["seedance-2.0-mini"]["status"] == "ready"
    refused = one["checks"]["seedance-2.0"]
    assert refused["status"] == "refused"
    assert "ModelNotOpen" in refused["message"]
    assert done.returncode == 1
    assert fake.tasks() == []
    assert "BytePlus Pte. Ltd." in run("upstream", "list").stdout


def test_a_wrong_key_is_seen(run: Run) -> None:
    done = run("upstream", "list", "--check", key="wrong")
    assert done.returncode == 1
    assert "401" in done.stdout
    assert "wrong" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",), ("upstream", "list")])
def test_a_wrong_file_ends_every_command_that_needs_it_with_all_its_faults(run: Run, command: tuple[str, ...]) -> None:
    text = UPSTREAM.format(url="http://example.org").replace('region = "ap-southeast-1"\n', "colour = 1\n", 1)
    done = run(*command, text=text)
    assert done.returncode in (1, 2)
    for said in ("base_url", "region", "colour"):
        assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_is_not_there_is_named(run: Run) -> None:
    done = run("serve", "--port", "0", key=None)
    assert done.returncode == 2
    assert "TEST_ARK_KEY" in done.stderr
    assert "upstreams.byteplus" in done.stderr


def test_books_are_compared_and_a_difference_is_closed(run: Run, fake: FakeArk) -> None:
    fake.reset()
    (orphan,) = fake.make(1, age=600, body={"model": "dreamina-seedance-2-0-mini-260615"})
    done = run("doctor", "--reconcile", "--json")
    assert done.returncode == 1
    (matter,) = json.loads(done.stdout)["open"]
    assert (matter["kind"], matter["operation_id"]) == ("orphan", orphan)
    assert run("upstream", "resolve", matter["id"], "--reason", "a trial").returncode == 0
    assert "Everything adds up." in run("doctor", "--reconcile").stdout


def test_there_are_no_attempts_at_a_video_that_is_not_there(run: Run) -> None:
    assert run("upstream", "attempts", "vid_x").returncode == 1
