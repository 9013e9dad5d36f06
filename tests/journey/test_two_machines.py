"""Two machines on one database and one object store, each with a data folder of its own."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from stage import Service


def refused(service: Service, folder: Path, **settings: str) -> str:
    """What another machine says that does not start."""
    environment = service.environment | {"SEEDANCE_DATA_DIR": str(folder)}
    environment |= {f"SEEDANCE_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "seedance_api", "serve", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_second_machine_joins_only_with_what_the_first_has(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    first = start_service(storage_url=f"file://{tmp_path}/shared")
    mine, theirs = first.folder / "data", tmp_path / "two"

    said = refused(first, theirs, storage_url=f"file://{tmp_path}/another")
    assert "no certificate" in said, "today it makes one of its own, and nobody says so"
    assert not list(theirs.rglob("*"))

    shutil.copytree(mine / "secrets", theirs / "secrets")
    said = refused(first, theirs, storage_url=f"file://{tmp_path}/another")
    assert f"{tmp_path}/another is not the one" in said
    assert not (tmp_path / "another").exists()

    said = refused(first, theirs, event_retention_days="5")
    assert "SEEDANCE_EVENT_RETENTION_DAYS is `5` here and `30` in the installation" in said

    (tmp_path / "log").mkdir()
    second = Service(first.database_url, tmp_path / "log", started=False, storage_url=f"file://{tmp_path}/shared")
    second.environment["SEEDANCE_DATA_DIR"] = str(theirs)
    second.start()
    try:
        with first.client() as client:
            answer = httpx.get(f"{second.url}/v1/videos", headers=client.headers, trust_env=False)
        assert answer.status_code == 200
    finally:
        second.stop()
