"""The doctor tries what a decoder could reach, and says what the kernel lacks."""

import asyncio
from pathlib import Path

import pytest

from seedance_api.doctor.confinement import confinement, judge
from seedance_api.doctor.reach import reached
from seedance_api.foundation.restrict import missing


@pytest.mark.skipif(bool(missing()), reason=f"this kernel lacks {missing()}")
def test_the_doctor_tries_and_finds_everything_shut(tmp_path: Path) -> None:
    secret, folder = tmp_path / "pepper", tmp_path / "objects"
    secret.write_text("secret")
    folder.mkdir()
    assert reached([str(secret), str(folder)]) == [str(secret), str(folder), "a socket"]  # we ourselves may
    remark = asyncio.run(confinement([secret, folder, tmp_path / "not there"]))
    assert (remark.name, remark.status) == ("confinement", "ok")


def test_a_secret_where_python_looks_for_its_packages_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python runs on can be read: a data folder in there is no good place."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    secret = tmp_path / "pepper"
    secret.write_text("secret")
    remark = asyncio.run(confinement([secret]))
    assert remark.status == "warning"
    assert str(secret) in remark.message


@pytest.mark.parametrize("lacks", ["Landlock", "seccomp"])
def test_a_kernel_that_lacks_something_is_never_passed_over(lacks: str) -> None:
    remark = judge([], [lacks])
    assert (remark.status, lacks in remark.message) == ("warning", True)
