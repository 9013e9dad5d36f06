"""Intake: room is taken before it is needed, seen by every process, shared among accounts, and given back."""

import asyncio
import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faults.disks import small_file_system
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.intake import Intake
from seedance_api.foundation.scratch import Scratch

MIB = 1 << 20
Make = Callable[..., Intake]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 100 MB, ten of which are the reserve."""
    with small_file_system("100m") as folder:
        yield folder


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Scratch] = []

    def make(place: Path = tmp_path, *, max_uploads: int = 4, max_bytes: int = 1 << 30, percent: int = 10) -> Intake:
        made.append(Scratch(place / "scratch"))
        disk = Disk([made[-1].path], reserve_percent=percent)
        return Intake(made[-1], disk, max_uploads=max_uploads, max_bytes=max_bytes)

    yield make
    for scratch in made:
        scratch.close()


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**fixtures: object) -> None:
        asyncio.run(test(**fixtures))

    return run


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Whatever is open there stays open, as when the kernel finds a fault in a file system."""
    subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


@in_loop
async def test_what_is_declared_is_taken_at_once_and_on_every_process(small_disk: Path, make: Make) -> None:
    one, other = make(small_disk), make(small_disk)  # as in two processes: they share the disk and nothing else
    at_first = free(small_disk)
    async with one.folder("acc_1") as folder, other.folder("acc_2") as second:
        await folder.set_aside(60 * MIB)
        assert at_first - free(small_disk) >= 60 * MIB
        with pytest.raises(AppError) as refused:
            await second.set_aside(40 * MIB)  # more than the reserve would be gone
        assert (refused.value.code, refused.value.headers["Retry-After"]) == ("storage_full", "30")
        await second.set_aside(20 * MIB)
        assert not other.disk.look()
        with (folder.path / "file").open("wb", buffering=0) as file:

            async def arrives(count: int) -> None:
                for _ in range(count):
                    await folder.take(MIB)
                    file.write(bytes(MIB))
                    assert at_first - free(small_disk) < 91 * MIB

            await arrives(60)  # none is counted twice
            with pytest.raises(AppError):  # more comes than was declared
                await arrives(40)
    assert at_first - free(small_disk) < MIB


@in_loop
async def test_what_was_not_declared_is_taken_as_it_comes(small_disk: Path, make: Make) -> None:
    intake = make(small_disk)
    at_first = free(small_disk)
    async with intake.folder("acc_1") as folder:
        await folder.take(100_000)
        assert at_first - free(small_disk) < MIB  # most bodies are small
        await folder.take(MIB)
        assert at_first - free(small_disk) >= 7 * MIB


@in_loop
async def test_an_account_has_its_share_and_no_more(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance_api.foundation.shares._WAIT_SECONDS", 0.2)
    intake = make(max_uploads=2, max_bytes=20 * MIB, percent=0)
    async with intake.folder("acc_1") as one, intake.folder("acc_1") as two, intake.folder("acc_1") as three:
        await one.make()
        await two.set_aside(15 * MIB)
        with pytest.raises(AppError) as refused:
            await three.take(1)
        assert (refused.value.code, refused.value.status) == ("too_many_uploads", 429)
        assert int(refused.value.headers["Retry-After"]) > 0
        with pytest.raises(AppError) as refused:
            await one.take(6 * MIB)
        assert refused.value.code == "too_many_uploads"
        async with intake.folder("acc_2") as others, intake.folder(None) as nobodys:
            await others.set_aside(20 * MIB)
            await nobodys.take(30 * MIB)
    async with intake.folder("acc_1") as again:
        await again.set_aside(20 * MIB)  # all of it was given back


@in_loop
async def test_a_burst_waits_its_turn_and_what_waits_is_bounded(make: Make) -> None:
    intake = make(max_uploads=2, percent=0)
    under_way = most = 0

    async def upload() -> None:
        nonlocal under_way, most
        async with intake.folder("acc_1") as folder:
            await folder.take(1)
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await upload()

    ends = await asyncio.gather(*(upload() for _ in range(9)), return_exceptions=True)
    assert [end for end in ends if end is not None and getattr(end, "code", end) != "too_many_uploads"] == []
    assert (ends.count(None), most) == (8, 2)
    async with intake.folder("acc_1") as one, intake.folder("acc_1") as two:
        await one.make()
        await two.make()
        await asyncio.gather(*(leave() for _ in range(6)))
        await asyncio.gather(*(leave() for _ in range(6)))  # the ones that left are counted no more
    await asyncio.gather(*(upload() for _ in range(8)))


@in_loop
async def test_a_deleted_scratch_folder_is_made_anew_with_its_lock(tmp_path: Path, make: Make) -> None:
    intake = make()
    shutil.rmtree(tmp_path / "scratch")
    async with intake.folder("acc_1") as folder:
        await folder.make()
        Scratch(tmp_path / "scratch").close()  # another process starts: it takes ours for nobody's if there is no lock
        assert folder.path.exists()
        await folder.take(2 * MIB)
    for path in (tmp_path / "scratch", intake.scratch.path):
        assert path.stat().st_mode & 0o777 == 0o700
    for lock in (tmp_path / "scratch/lock", intake.scratch.path / "lock"):
        assert lock.stat().st_mode & 0o777 == 0o600


@in_loop
async def test_readiness_makes_a_file_or_says_that_it_cannot(small_disk: Path, make: Make) -> None:
    intake = make(small_disk)
    shutil.rmtree(intake.scratch.path)
    await intake.probe()
    assert intake.scratch.path.exists()

    async def refuses() -> bool:
        try:
            await intake.probe()
        except OSError:
            return True
        return False

    with read_only(intake.scratch.path):
        async with asyncio.timeout(10):
            while not await refuses():
                await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        while await refuses():
            await asyncio.sleep(0.1)
