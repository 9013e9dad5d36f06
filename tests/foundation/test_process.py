"""A service has as many files open as it may."""

import resource
import subprocess
import sys
from collections.abc import Callable

import psutil

from stage import Service

FEW = 256


def test_a_process_takes_all_the_files_it_may_have() -> None:
    program = (
        "import resource as r; from seedance_api.foundation.process import allow_open_files as allow;"
        f"r.setrlimit(r.RLIMIT_NOFILE, ({FEW}, {4 * FEW})); allow(); print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(done.stdout) == 4 * FEW


def test_the_api_and_the_worker_have_them(start_service: Callable[..., Service]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        service = start_service()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    processes = psutil.Process(service.process.pid).children()
    assert len(processes) >= 2
    assert {one.rlimit(psutil.RLIMIT_NOFILE)[0] for one in processes} == {hard}
