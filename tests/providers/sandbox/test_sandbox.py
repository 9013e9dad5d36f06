"""The provider: started once, known everywhere, stopped for certain, and nothing left behind."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import psutil
import pytest
from obstore.store import LocalStore

from providers.sandbox.kit import PROMPT, boxes, commission, finished, image, landscape, render, search
from seedance_api.catalog.order import Role
from seedance_api.providers.provider import (
    Done,
    Failed,
    Fetched,
    Lost,
    NotMade,
    NotSent,
    Pending,
    Refused,
    Started,
    Unfetched,
)
from seedance_api.providers.sandbox.child import child_bounds
from seedance_api.providers.sandbox.order import make_job
from seedance_api.providers.sandbox.records import Records, State
from seedance_api.providers.sandbox.sandbox import Sandbox

SLOW = f"{PROMPT} [sandbox:slow=30]"


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store", mkdir=True)


@pytest.fixture
def make(tmp_path, store):
    """Builds sandboxes over one store, each with its own scratch name."""

    def build(**kwargs) -> Sandbox:
        settings = {"renderers": 2, "heartbeat_seconds": 0.1, "stale_seconds": 1.0} | kwargs
        return Sandbox(store=store, scratch=tmp_path / "scratch", **settings)

    return build


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def children() -> list[psutil.Process]:
    """The renders that this process has started."""
    found: list[psutil.Process] = []
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if any("seedance_preview.render" in part for part in process.cmdline()):
                found.append(process)
    return found


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_video_from_start_to_fetch(tmp_path, make, store):
    store.put("in/image", _png(tmp_path, landscape()))

    async def story():
        sandbox = make()
        work = commission(inputs=[image(Role.FIRST_FRAME)], return_last_frame=True, generate_audio=True)
        started = await sandbox.start(work)
        assert started == Started({"id": "att_1"})
        check = await finished(sandbox, started.operation)
        assert isinstance(check, Done)
        assert check.output.last_frame
        for variant, name in (("video", "v.mp4"), ("last_frame", "l.png")):
            fetched = await sandbox.fetch(started.operation, variant, tmp_path / name)
            assert fetched == Fetched((tmp_path / name).stat().st_size)
        assert await sandbox.fetch(started.operation, "soundtrack", tmp_path / "x") == Unfetched(
            "there is no soundtrack", gone=True
        )
        await sandbox.close()

    asyncio.run(story())
    assert boxes(tmp_path / "v.mp4")[:2] == ["ftyp", "moov"]
    assert files_in(tmp_path / "scratch") == []
    here = render(tmp_path, [landscape()], inputs=[image(Role.FIRST_FRAME)], generate_audio=True, attempt_id="att_2")
    assert here.path.read_bytes() == (tmp_path / "v.mp4").read_bytes()


def _png(folder: Path, picture) -> bytes:
    picture.save(folder / "given.png")
    return (folder / "given.png").read_bytes()


def test_it_is_built_without_an_event_loop(make):
    sandbox = make()
    assert sandbox.name == "sandbox"
    asyncio.run(sandbox.close())


def test_an_attempt_is_started_once(make):
    async def story():
        sandbox, other = make(), make()
        outcomes = await asyncio.gather(*(s.start(commission(prompt=SLOW)) for s in [sandbox] * 5 + [other] * 5))
        assert outcomes == [Started({"id": "att_1"})] * 10
        await until(lambda: len(children()) == 1)
        await asyncio.sleep(0.3)
        assert len(children()) == 1
        await asyncio.gather(sandbox.close(), other.close())

    asyncio.run(story())


def test_no_more_renders_at_once_than_allowed_and_the_first_come_first(make):
    async def story():
        sandbox = make(renderers=1)
        operations = [(await sandbox.start(commission(attempt_id=f"att_{i}", seed=i))).operation for i in range(4)]
        order, most = [], 0
        while len(order) < 4:
            most = max(most, len(children()))
            for i, check in enumerate(await sandbox.check_many(operations)):
                if isinstance(check, Done) and i not in order:
                    order.append(i)
            await asyncio.sleep(0.005)
        assert order == [0, 1, 2, 3]
        assert most == 1
        await sandbox.close()

    asyncio.run(story())


def test_a_refusal_leaves_no_trace(tmp_path, make):
    async def story():
        sandbox = make()
        refused = await sandbox.start(commission(prompt="[sandbox:nonsense]"))
        assert isinstance(refused, Refused)
        assert await sandbox.find(search("att_1")) == NotMade()
        await sandbox.close()

    asyncio.run(story())
    assert files_in(tmp_path / "store") == []


def test_five_hundred_operations_are_checked_together(make):
    async def story():
        sandbox, other = make(), make()
        mine = (await sandbox.start(commission(prompt="[sandbox:stall]"))).operation
        theirs = (await other.start(commission(attempt_id="att_2", prompt="[sandbox:stall]"))).operation
        unknown = [{"id": f"att_none_{i}"} for i in range(498)]
        checks = await sandbox.check_many([mine, *unknown, theirs])
        assert checks == [Pending(0), *[Lost()] * 498, Pending(0)]
        await asyncio.gather(sandbox.close(), other.close())

    asyncio.run(story())


def test_cancel_kills_the_child(tmp_path, make):
    async def story():
        sandbox = make()
        operation = (await sandbox.start(commission(prompt=SLOW))).operation
        await until(lambda: len(children()) == 1)
        [child] = children()
        assert await sandbox.cancel(operation)
        assert not child.is_running()
        [check] = await sandbox.check_many([operation])
        assert isinstance(check, Failed)
        assert check.code == "canceled"
        assert await sandbox.cancel(operation)
        assert (await sandbox.fetch(operation, "video", tmp_path / "v")) == Unfetched(
            "the file is not there", gone=True
        )
        await sandbox.close()

    asyncio.run(story())


def test_cancel_by_another_process_stops_the_render(tmp_path, make):
    async def story():
        owner, other = make(), make()
        operation = (await owner.start(commission(prompt=SLOW))).operation
        await until(lambda: len(children()) == 1)
        assert await other.cancel(operation)
        await until(lambda: not children())
        assert isinstance(await finished(owner, operation), Failed)
        await asyncio.gather(owner.close(), other.close())

    asyncio.run(story())
    assert not any(name.endswith(".mp4") for name in files_in(tmp_path / "store"))


def test_what_is_finished_cannot_be_cancelled(make):
    async def story():
        sandbox = make()
        operation = (await sandbox.start(commission())).operation
        assert isinstance(await finished(sandbox, operation), Done)
        assert not await sandbox.cancel(operation)
        assert isinstance((await sandbox.check_many([operation]))[0], Done)
        await sandbox.close()

    asyncio.run(story())


@pytest.mark.parametrize("running", [True, False])
def test_forget_leaves_nothing(tmp_path, make, running):
    async def story():
        owner, other = make(), make()
        operation = (await owner.start(commission(prompt=SLOW if running else PROMPT))).operation
        if running:
            await until(lambda: len(children()) == 1)
        else:
            assert isinstance(await finished(owner, operation), Done)
        await other.forget(operation)
        await until(lambda: not children())
        await asyncio.sleep(0.3)
        assert await owner.check_many([operation]) == [Lost()]
        await owner.forget(operation)
        await asyncio.gather(owner.close(), other.close())

    asyncio.run(story())
    assert files_in(tmp_path) == []


def test_close_hands_the_work_back_at_once(make):
    async def story():
        first, second = make(stale_seconds=1000), make(stale_seconds=1000)
        work = commission(prompt=f"{PROMPT} [sandbox:slow=2]")
        operation = (await first.start(work)).operation
        await until(lambda: len(children()) == 1)
        await first.close()
        assert not children()
        assert isinstance(await first.start(commission(attempt_id="att_2")), NotSent)
        assert isinstance(await finished(second, operation), Done)
        await second.close()

    asyncio.run(story())


def test_two_processes_that_take_up_the_same_work_agree(make, store):
    async def story():
        records = Records(store)
        await records.take(commission(prompt=SLOW))
        await records.note("att_1", State(state="running", progress=5, heartbeat_at=0, owner="dead"))
        sandboxes = [make(), make()]
        operation = {"id": "att_1"}
        await asyncio.gather(*(s.check_many([operation]) for s in sandboxes))
        await until(lambda: len(children()) >= 1)
        await asyncio.sleep(0.5)
        await until(lambda: len(children()) == 1)
        await asyncio.gather(*(s.close() for s in sandboxes))

    asyncio.run(story())


def test_a_child_that_is_killed_gets_a_second_try(make):
    async def story():
        sandbox = make()
        operation = (await sandbox.start(commission(prompt=f"{PROMPT} [sandbox:slow=1]"))).operation
        await until(lambda: len(children()) == 1)
        children()[0].kill()
        assert isinstance(await finished(sandbox, operation), Done)
        await sandbox.close()

    asyncio.run(story())


def test_a_missing_input_fails_the_render(make):
    async def story():
        sandbox = make()
        operation = (await sandbox.start(commission(inputs=[image()]))).operation
        check = await finished(sandbox, operation)
        assert isinstance(check, Failed)
        assert check.code == "input_unreadable"
        await sandbox.close()

    asyncio.run(story())


def test_an_id_that_is_no_name_is_a_bug(make):
    async def story():
        sandbox = make()
        with pytest.raises(ValueError, match="attempt id"):
            await sandbox.start(commission(attempt_id="../../etc"))
        await sandbox.close()

    asyncio.run(story())


OWNER = """
import asyncio, msgspec, sys
from pathlib import Path
from obstore.store import LocalStore
from seedance_api.providers.provider import Commission
from seedance_api.providers.sandbox.sandbox import Sandbox

async def main(folder):
    sandbox = Sandbox(store=LocalStore(folder / "store"), scratch=folder / "scratch", renderers=1,
                      heartbeat_seconds=0.1, stale_seconds=1.0)
    await sandbox.start(msgspec.json.decode((folder / "work.json").read_bytes(), type=Commission))
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main(Path(sys.argv[1])))
"""


@contextmanager
def an_owner(folder: Path, prompt: str) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """Another process that has started work, and its child."""
    (folder / "work.json").write_bytes(msgspec.json.encode(commission(prompt=prompt)))
    (folder / "store").mkdir(exist_ok=True)
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        try:
            assert owner.stdout
            owner.stdout.readline()
            deadline = time.monotonic() + 20
            while not list((folder / "scratch").rglob("video.mp4")) and time.monotonic() < deadline:
                time.sleep(0.01)
            [child] = psutil.Process(owner.pid).children()
            yield owner, child
        finally:
            owner.kill()


def test_no_child_outlives_its_parent(tmp_path):
    # Twelve seconds between two frames: it is not a broken pipe that ends it.
    with an_owner(tmp_path, f"{PROMPT} [sandbox:slow=300]") as (owner, child):
        owner.kill()
        gone, alive = psutil.wait_procs([child], timeout=3)
    assert (gone, alive) == ([child], [])


def test_the_work_of_a_killed_process_is_finished_by_another(tmp_path, make):
    with an_owner(tmp_path, f"{PROMPT} [sandbox:slow=2]") as (owner, _):
        owner.kill()

    async def story():
        sandbox = make()
        operation = {"id": "att_1"}
        assert isinstance((await sandbox.check_many([operation]))[0], Pending)
        assert isinstance(await finished(sandbox, operation), Done)
        assert isinstance(await sandbox.fetch(operation, "video", tmp_path / "v.mp4"), Fetched)
        await sandbox.close()

    asyncio.run(story())
    assert files_in(tmp_path / "scratch") == []
    assert (tmp_path / "v.mp4").read_bytes() == render(tmp_path).path.read_bytes()


def _run_child(folder: Path, work, **bounds) -> tuple[subprocess.CompletedProcess[bytes], float]:
    """Run the child as the studio does; returns how it ended, and its largest resident size in MiB."""
    folder.mkdir()
    (folder / "job.json").write_bytes(msgspec.json.encode(make_job(work, [])))
    command = [
        sys.executable,
        "-P",
        "-m",
        "seedance_api.foundation.confined",
        json.dumps(child_bounds(folder) | bounds),
    ]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe) as process:
        peak = 0.0
        while process.poll() is None:
            try:
                peak = max(peak, psutil.Process(process.pid).memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.01)
        _, said = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, stderr=said), peak


def test_a_longer_video_needs_no_more_memory(tmp_path):
    size = {"width": 864, "height": 496, "generate_audio": True}
    short, peak = _run_child(tmp_path / "short", commission(frames=60, **size))
    long, long_peak = _run_child(tmp_path / "long", commission(frames=240, **size))
    assert (short.returncode, long.returncode) == (0, 0)
    assert peak < 300
    assert long_peak < peak + 30  # 180 frames more would be 110 MiB


def test_a_child_whose_parent_is_gone_does_nothing(tmp_path):
    process, _ = _run_child(tmp_path / "room", commission(), parent=1)
    assert process.returncode == 1
    assert not (tmp_path / "room" / "video.mp4").exists()


def test_what_a_child_says_when_it_breaks_is_not_the_prompt(tmp_path):
    process, _ = _run_child(tmp_path / "room", commission(prompt=PROMPT, width=321, height=-2))
    assert process.returncode == 1
    assert b"Error at " in process.stderr
    assert PROMPT.encode() not in process.stderr


def test_the_prompt_is_on_no_command_line_and_in_private_files(tmp_path, make):
    async def story():
        sandbox = make()
        await sandbox.start(commission(prompt=SLOW))
        await until(lambda: len(children()) == 1)
        [child] = children()
        assert PROMPT not in " ".join(child.cmdline()) + str(child.environ())
        [job] = (tmp_path / "scratch").rglob("job.json")
        assert job.stat().st_mode & 0o777 == 0o600
        assert job.parent.stat().st_mode & 0o777 == 0o700
        await sandbox.close()

    asyncio.run(story())
