from pathlib import Path

import pytest

from references.look import Look, look_at
from seedance_api.references.inspect import BadMedia, Inspected, Staged


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """One file, as bytes or a path: `look(data, kind=…)`."""

    def run(given: bytes | Path, **options: object) -> Inspected | BadMedia:
        path = given if isinstance(given, Path) else tmp_path / "given"
        if isinstance(given, bytes):
            path.write_bytes(given)
        size = path.stat().st_size
        staged = Staged(path=path, bytes=size, **options)  # pyright: ignore[reportArgumentType]
        outcome = look_at(staged)[0]
        if isinstance(outcome, BadMedia):
            assert not path.with_name(path.name + ".clean").exists()
        return outcome

    return run
