"""The reserve: looked at cheaply, refused below it, and no more once there is room again."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from seedance_api.foundation.disk import Disk, is_low
from seedance_api.foundation.errors import AppError


class Machine:
    """File systems as the kernel tells of them, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = {"/a": 50, "/b": 50}
        self.looks = 0
        self.block = 4096
        self.now = 100.0
        monkeypatch.setattr(os, "statvfs", self._look)

    def _look(self, folder: Path) -> SimpleNamespace:
        self.looks += 1
        free = self.free[str(folder)]
        return SimpleNamespace(
            f_frsize=self.block, f_blocks=105, f_bfree=free + 5, f_bavail=free
        )  # five are root's alone


def test_below_the_reserve_of_any_disk_nothing_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    disk = Disk([Path("/a"), Path("/b")], reserve_percent=10, clock=lambda: machine.now)
    disk.check()
    machine.free["/b"] = 9
    disk.check()  # what was seen is believed for a second
    machine.now += 1
    for _ in range(1000):
        with pytest.raises(AppError) as refused:
            disk.check()
    assert (refused.value.code, refused.value.status) == ("storage_full", 503)
    assert int(refused.value.headers["Retry-After"]) > 0
    assert machine.looks == 4
    machine.free["/b"] = 10
    machine.now += 1
    disk.check()


def test_a_reserve_of_nothing_never_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.free["/a"] = 0
    assert not Disk([Path("/a")], reserve_percent=0).is_low


def test_ten_gigabytes_are_enough_on_any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.free["/a"], machine.block = 2, 5 << 30
    assert not Disk([Path("/a")], reserve_percent=10).is_low
    machine.free["/a"] = 1
    assert Disk([Path("/a")], reserve_percent=10).is_low


def test_a_real_disk_is_asked(tmp_path: Path) -> None:
    assert not is_low(tmp_path, 0)
    assert is_low(tmp_path, 1.1) == (os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 10 << 30)
