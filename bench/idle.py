"""An idle server's memory, and the time from the start of `seedance-api serve` until it is ready."""

import sys
import time
import urllib.error
import urllib.request

import msgspec
import psutil

from bench.figures import Figure
from bench.memory import api_process, resident
from bench.stage import PEPPER, Server, Stage, clean_environment, free_port


class Start(msgspec.Struct, frozen=True):
    """One start: seconds until ready, and MiB of the API process and of all our Python processes when idle."""

    seconds: float
    api: float
    whole: float


def measure(stage: Stage) -> list[Figure]:
    """Start it a few times on a database that runs, and on the embedded one, which then has to be started too."""
    ground = stage.ground()
    stage.say("start on a running, initialised database")
    running = [_start(stage, ground.environment) for _ in range(stage.rounds)]
    own = clean_environment() | {"SEEDANCE_DATA_DIR": str(stage.folder / "own"), "SEEDANCE_PEPPER": PEPPER}
    stage.say("start with the embedded database: once to initialise it, then what counts")
    _start(stage, own)
    embedded = [_start(stage, own) for _ in range(stage.rounds)]
    return _figures(running, embedded)


def _start(stage: Stage, environment: dict[str, str]) -> Start:
    port = free_port()
    command = [sys.executable, "-m", "seedance_api", "serve", "--port", str(port), "--json"]
    started = time.monotonic()
    server = Server(command, environment, stage.folder, "start")
    try:
        while not _is_ready(port):
            if server.process.poll() is not None or time.monotonic() > started + 60:
                raise RuntimeError("it did not start")
            time.sleep(0.005)
        spent = time.monotonic() - started
        server.wait()
        time.sleep(2)  # the worker beside it is still starting
        found = Start(spent, resident(api_process(server)), _whole(server))
    finally:
        server.stop()
    stage.say(f"{found.seconds:.2f} s; the API process {found.api:.0f} MiB, all of ours {found.whole:.0f} MiB")
    return found


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _whole(server: Server) -> float:
    """`serve`, the API and the worker; pages that they share count once each, and PostgreSQL is not ours."""
    parent = psutil.Process(server.process.pid)
    family = [parent, *parent.children(recursive=True)]
    return sum(resident(one) for one in family if "python" in one.name())


def _figures(running: list[Start], embedded: list[Start]) -> list[Figure]:
    api, whole = [one.api for one in running], [one.whole for one in running]
    return [
        Figure(
            name="idle memory of an API process",
            how="resident memory two seconds after it is ready; beside it the sum of `serve`, the API and a worker, in "
            "which shared pages count more than once",
            values=api,
            unit="MiB",
            sides={"API process": api, "serve + API + worker": whole},
            side_unit="MiB",
            bar=120.0,
            is_minimum=False,
        ),
        Figure(
            name="start on a running database",
            how="from the start of `seedance-api serve` until `/readyz` answers 200, on an initialised database",
            values=[one.seconds for one in running],
            unit="s",
            bar=2.0,
            is_minimum=False,
        ),
        Figure(
            name="start with the embedded database",
            how="the same with an initialised data folder whose PostgreSQL is stopped, and is started as well",
            values=[one.seconds for one in embedded],
            unit="s",
            bar=2.0,
            is_minimum=False,
        ),
    ]
