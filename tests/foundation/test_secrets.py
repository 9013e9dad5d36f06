import multiprocessing
from pathlib import Path

import pytest

from seedance_api.foundation.secrets import load_pepper


def _load(folder: str) -> bytes:
    return load_pepper(Path(folder))


def test_processes_that_start_together_share_one_pepper(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = set(pool.map(_load, [str(tmp_path / "secrets")] * 8))
    assert len(found) == 1
    assert len(found.pop()) == 32


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    load_pepper(tmp_path)
    pepper = tmp_path / "pepper"
    assert pepper.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["pepper"]
    pepper.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        load_pepper(tmp_path)
