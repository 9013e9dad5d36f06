import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.accounts.keys import KeyMode, mint
from seedance_api.foundation import log

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """What is configured here writes to a stream that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_field_that_is_not_allowed_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    structlog.get_logger().info("event", prompt=CANARY, code=3)
    (line,) = lines(capsys)
    assert line["code"] == 3
    assert "prompt" not in line


def test_an_exception_is_its_class_and_its_frames(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        structlog.get_logger().error("broken", exc_info=error)
        logging.getLogger("library").exception("broken %s", CANARY)
    for line in lines(capsys):
        assert line["error"] == "ValueError"
        assert line["frames"]
        assert CANARY not in json.dumps(line)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_key_gets_through(value: Any) -> None:
    key = mint(KeyMode.LIVE).text
    for field in ("reason", "event", "frames"):
        for holder in (key, [key, value], {"a": key}, f"x {key} y"):
            kept = log.keep_allowed(None, "info", {field: holder, "other": value})
            assert key not in json.dumps(kept)
            assert "other" not in kept


def test_a_line_that_cannot_be_written_ends_nobody() -> None:
    """Whoever starts the database again on a full disk says so first, and standard error may be a file on it."""
    code = "import structlog; from seedance_api.foundation import log; log.configure()\n"
    code += "structlog.get_logger().error('postgres.died', starts=1); print('goes on')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, check=False)
    assert done.stdout == b"goes on\n"
