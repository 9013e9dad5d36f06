"""Children that misbehave in every way they can; each is a `Failure`, and none is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from seedance_api.foundation.confine import MAX_ANSWER_BYTES, Confine, Failure

ECHO = "import sys; data = sys.stdin.buffer.read(); "


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a child's source; `seconds` and the limits are small, as the children are."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SEEDANCE_DATABASE_URL", "postgresql://canary")

    def run(source: str, request: bytes = b"", **limits: float) -> bytes | Failure:
        (tmp_path / "naughty.py").write_text(f"def main():\n{textwrap.indent(source, '    ')}")
        given = {"seconds": 20.0, "memory_bytes": 512 << 20, "cpu_seconds": 10} | limits
        return asyncio.run(Confine(slots=1).run("naughty", request, **given))  # pyright: ignore[reportArgumentType]

    return run


def test_the_answer_comes_back(child) -> None:
    assert child(ECHO + "sys.stdout.buffer.write(data[::-1])", b"abc") == b"cba"


def test_a_large_request_and_answer_do_not_block_each_other(child) -> None:
    request = bytes(MAX_ANSWER_BYTES)
    source = "import sys\nwhile d := sys.stdin.buffer.read(65536): sys.stdout.buffer.write(d)"
    assert child(source, request) == request


def test_a_child_that_does_not_read_is_no_trouble(child) -> None:
    assert child("print('done')", bytes(10_000_000)) == b"done\n"


def test_it_sees_no_secret_and_stays_outside_our_folder(child) -> None:
    seen = child("import os; print(dict(os.environ), os.getcwd())")
    assert isinstance(seen, bytes)
    assert b"canary" not in seen
    assert seen.rstrip().endswith(b"/")


def test_it_is_bound(child) -> None:
    source = (
        "import resource as r, os\n"
        "import ctypes; said = ctypes.CDLL(None).prctl\n"
        "print(*(r.getrlimit(k)[1] for k in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_CORE, r.RLIMIT_NOFILE)),"
        " os.getsid(0) == os.getpid(), os.getpriority(os.PRIO_PROCESS, 0) >= 10,"
        " said(3, 0, 0, 0, 0), said(39, 0, 0, 0, 0), said(21, 0, 0, 0, 0))"  # dumpable, no new privileges, seccomp
    )
    assert child(source) == f"{512 << 20} 11 0 64 True True 0 1 2\n".encode()


def test_sleep_is_a_timeout_and_keeps_what_was_written(child) -> None:
    started = time.monotonic()
    failure = child("import time; print('half', flush=True); time.sleep(60)", seconds=1.0)
    assert failure == Failure("timeout", b"half\n")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("while True: pass", "cpu"),
        ("x = bytearray(2 << 30)", "memory"),
        ("import os; os.abort()", "crashed"),
        ("raise ValueError('content')", "crashed"),
        ("import sys; sys.exit(3)", "crashed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed"),
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "answer_too_large"),
    ],
)
def test_a_bad_end_is_data(child, source: str, kind: str) -> None:
    failure = child(source, cpu_seconds=1)
    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert len(failure.partial) <= MAX_ANSWER_BYTES


def test_a_file_can_only_grow_so_far(child, tmp_path: Path) -> None:
    source = f"with open({str(tmp_path / 'big')!r}, 'wb') as f: f.truncate(300 << 20)"
    assert child(source, write=[tmp_path / "big"]) == Failure("crashed")
    assert (tmp_path / "big").stat().st_size == 0


def test_it_has_no_children_of_its_own(child) -> None:
    source = """
import os, threading
for start in (os.fork, lambda: os.execv('/bin/true', ['true'])):
    try:
        start()
    except PermissionError:
        print('refused')
thread = threading.Thread(target=print, args=('a thread',))
thread.start(), thread.join()
"""
    assert child(source) == b"refused\nrefused\na thread\n"


def test_slots_bound_the_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "napper.py").write_text(
        "import time\ndef main(): print(time.time()); time.sleep(.2); print(time.time())"
    )

    async def run() -> list[tuple[float, float]]:
        confine = Confine(slots=2)
        answers = await asyncio.gather(
            *(confine.run("napper", b"", seconds=20, memory_bytes=512 << 20, cpu_seconds=5) for _ in range(5))
        )
        said = [answer.split() for answer in answers if isinstance(answer, bytes)]
        assert len(said) == len(answers)
        return [(float(a), float(b)) for a, b in said]

    spans = asyncio.run(run())
    for start, _ in spans:
        assert sum(begun <= start < ended for begun, ended in spans) <= 2


def test_cancelling_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    pid_file = tmp_path / "pid"
    (tmp_path / "sleeper.py").write_text(
        f"import os, time\ndef main(): open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )

    async def run() -> None:
        confine = Confine(slots=1)
        task = asyncio.create_task(
            confine.run("sleeper", b"", seconds=30, memory_bytes=512 << 20, cpu_seconds=5, write=[pid_file])
        )
        await asyncio.to_thread(wait_for, pid_file)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    wait_until_gone(int(pid_file.read_text()))


def test_kill_nine_of_the_parent_leaves_no_orphan(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    (tmp_path / "sleeper.py").write_text(
        f"import os, time\ndef main(): open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    program = (
        "import asyncio; from seedance_api.foundation.confine import Confine\n"
        "asyncio.run(Confine(slots=1).run('sleeper', b'', seconds=60, memory_bytes=1 << 29, cpu_seconds=9,"
        f" write=[{str(pid_file)!r}]))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    wait_for(pid_file)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until_gone(int(pid_file.read_text()))


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":  # dead; whoever inherited it has not looked yet
            return
        assert time.monotonic() < deadline, "still running"
        time.sleep(0.01)
