"""What tests of the operator's commands need."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder that PostgreSQL's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="seedance-init-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A child takes Ctrl-C, also where these tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
