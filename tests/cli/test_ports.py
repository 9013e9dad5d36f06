"""A health port that cannot be had: said when it starts, before anything is made, and not by processes that end."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def serve(folder: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEEDANCE_")}
    environment |= {f"SEEDANCE_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "seedance_api", "serve", "--data-dir", str(folder / "data"), "--json"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


@pytest.mark.parametrize("shared", [False, True], ids=["taken", "shared by another service"])
def test_a_health_port_in_use_ends_it_with_the_reason(tmp_path: Path, shared: bool) -> None:
    with socket.socket() as other:
        if shared:  # as ours does, so that each API process has it
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = serve(tmp_path, port=0, health_port=port)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert f"SEEDANCE_HEALTH_PORT: port {port} of 127.0.0.1 is in use" in line
    assert not (tmp_path / "data").exists(), "nothing is made"


def test_a_health_port_that_is_the_api_s_is_refused(tmp_path: Path) -> None:
    done = serve(tmp_path, port=8123, health_port=8123)
    assert done.returncode == 2, done.stderr
    assert "a port of its own" in done.stderr


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    done = serve(tmp_path, port=0, host="192.0.2.1", health_port=8124)
    assert done.returncode == 1, done.stderr
    assert "192.0.2.1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"port": 8123, "metrics_port": 8122}, "SEEDANCE_METRICS_PORT needs port 8123, and so does SEEDANCE_PORT"),
        ({"port": 0, "health_port": 8125, "metrics_port": 8123, "workers": 2}, "and so does SEEDANCE_HEALTH_PORT"),
        ({"port": 0, "metrics_port": 65535}, "leaves no port for each of the 1 API processes"),
    ],
)
def test_the_ports_of_the_metrics_are_nobody_else_s(tmp_path: Path, settings: dict[str, object], says: str) -> None:
    done = serve(tmp_path, **settings)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert not (tmp_path / "data").exists(), "nothing is made"
