"""What a job is can be known without what renders it."""

import subprocess
import sys

import pytest

PROGRAM = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted({"av", "numpy", "PIL", "seedance_preview.produce"} & set(sys.modules)))
"""


@pytest.mark.parametrize("module", ["seedance_preview.job", "seedance_api.providers.sandbox.sandbox"])
def test_the_process_that_gives_jobs_loads_nothing_that_renders(module: str) -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM, module], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_renderer_is_what_loads_it() -> None:
    command = [sys.executable, "-c", PROGRAM, "seedance_preview.render"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "numpy" in run.stdout.split()
