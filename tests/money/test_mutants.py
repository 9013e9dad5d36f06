"""Tests of the tests: take a guard out of a copy of the code, and the test that is there for it must fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import seedance_api

_SOURCE = Path(seedance_api.__file__).parent
_TESTS = Path(__file__).parents[1]
RACE = "money/test_race.py::test_of_400_creates_with_a_balance_for_ten_exactly_ten_are_made"
LIMITS = "money/test_race.py::test_two_keys_under_one_limit_spend_no_more_than_it_allows"
HOLD = "money/test_one_hold.py"
ONCE = "foundation/test_idempotency.py"


class Mutant(msgspec.Struct, frozen=True):
    """A guard, what stands in its place, and who must notice."""

    file: str
    guard: str
    instead: str
    test: str


MUTANTS = {
    "the decision does not look at the balance": Mutant(
        "billing/decide.py", "if one.amount > free:", "if one.amount < 0:", RACE
    ),
    "the wallet is not locked": Mutant(
        "billing/wallet_queries.py", "ORDER BY account_id FOR NO KEY UPDATE", "ORDER BY account_id", LIMITS
    ),
    "the decision does not look at limits": Mutant(
        "billing/decide.py", "if one.amount and limit.spent + one.amount > limit.most", "if one.amount < 0", LIMITS
    ),
    "a refusal keeps its key": Mutant("generations/write.py", "    if named:\n", "    if not named:\n", RACE),
    "a hold is settled twice": Mutant(
        "billing/ledger_queries.py",
        "resolution = $7, resolved_at = now()\n        WHERE generation_id = $1 AND state = 'held'",
        "resolution = $7, resolved_at = now()\n        WHERE generation_id = $1",
        HOLD,
    ),
    "a hold is released twice": Mutant(
        "billing/ledger_queries.py",
        "SET state = 'released', resolved_at = now() WHERE generation_id = $1 AND state = 'held'",
        "SET state = 'released', charged = NULL, resolved_at = now() WHERE generation_id = $1",
        HOLD,
    ),
    "a charge goes above the hold": Mutant("billing/decide.py", "min(price, hold.amount)", "price", HOLD),
    "a release gives nothing back": Mutant(
        "billing/wallet_queries.py",
        "available = available + $2 - $3,",
        "available = available + $2 - $2 - $3 + $3,",
        HOLD,
    ),
    "a limit forgets what was given back": Mutant(
        "billing/limit_queries.py", "SET spent = spent - $3", "SET spent = spent - $3 + $3", HOLD
    ),
    "a failure releases nothing": Mutant(
        "generations/record.py", "    await release(connection, entry.generation_id)\n", "", HOLD
    ),
    "a key counts only until the next request": Mutant(
        "foundation/idempotency.py",
        "WHERE old.expires_at <= now() OR old.claimant",
        "WHERE old.expires_at > '-infinity' OR old.claimant",
        ONCE,
    ),
}


@pytest.mark.sampled(by=lambda name: MUTANTS[name].test)
@pytest.mark.parametrize("name", MUTANTS)
def test_without_the_guard_the_test_fails(postgres: str, tmp_path: Path, name: str) -> None:
    mutant = MUTANTS[name]
    copy = tmp_path / "seedance_api"
    shutil.copytree(_SOURCE, copy)
    file = copy / mutant.file
    assert file.read_text().count(mutant.guard) == 1, "the guard has moved"
    file.write_text(file.read_text().replace(mutant.guard, mutant.instead))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        *("-p", "no:cacheprovider", "-p", "pytest_timeout", "-p", "xdist"),
        str(_TESTS / mutant.test),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = kept | {"PYTHONPATH": str(tmp_path), "TEST_POSTGRES": postgres, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, env=environment, cwd=_TESTS.parent, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-500:]
    assert " failed" in done.stdout or "FAILED" in done.stdout
    where = [sys.executable, "-c", "import seedance_api; print(seedance_api.__file__)"]
    tested = subprocess.run(where, env=environment, capture_output=True, text=True, check=True).stdout
    assert tested.startswith(str(copy)), "it was the copy that was tested"
