"""F33: a machine whose clock is ten minutes off. Money, windows and retries go by the database's clock."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from security.attack import rows

_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
_TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(_LIBRARY is None, reason="libfaketime is not installed (on Debian: apt-get install faketime)")
@pytest.mark.parametrize("minutes", [10, -10])
def test_ten_minutes_off(database_url: str, minutes: int, schedules: Callable[[int], None]) -> None:
    environment = os.environ | {
        "LD_PRELOAD": str(_LIBRARY), "FAKETIME": f"{minutes:+}m", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(_TESTS),
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", str(_TESTS / "faults" / "under_clock.py"), database_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert abs(found["off"] - time.time() - 60 * minutes) < 30, "its clock was off"
    assert abs(found["known"] - time.time()) < 30, "what is signed and compared goes by the database's clock"
    assert found["same"]
    assert found["claims"] == [True, False]
    assert found["spent"] == [500, 500]
    (row,) = rows(
        database_url,
        """
        SELECT (SELECT max(abs(extract(epoch FROM now() - created_at))) FROM transfer) AS transfers,
               (SELECT max(abs(extract(epoch FROM now() - created_at))) FROM idempotency) AS notes,
               (SELECT bool_and(day = (now() AT TIME ZONE 'UTC')::date) FROM usage) AS today
        """,
    )
    assert row["transfers"] < 60
    assert row["notes"] < 60
    assert row["today"]
    schedules(1)
