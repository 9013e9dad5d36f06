"""The child's entry: `python -m seedance_api.providers.sandbox.render FOLDER`."""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from types import TracebackType

import msgspec

from seedance_api.foundation.restrict import restrict

_PR_SET_PDEATHSIG = 1
_ADDRESS_SPACE = 3 * 1024**3


class _Parent(msgspec.Struct):
    parent_pid: int


def main() -> int:
    """Render the job in the folder named on the command line; 0 when there is a result."""
    sys.excepthook = _say_where
    folder = Path(sys.argv[1])
    _die_with_parent(msgspec.json.decode((folder / "job.json").read_bytes(), type=_Parent).parent_pid)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a thread that runs before would not be restricted
    from seedance_api.providers.sandbox.produce import produce  # noqa: PLC0415 - slow to load: only once we are safe

    restrict(write=[str(folder)])  # videos and sounds of customers come as they were sent
    produce(folder)
    return 0


def _die_with_parent(parent_pid: int) -> None:
    """The kernel kills us when the parent goes; if it went before we asked, we see that it is another."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent_pid:
        raise SystemExit(1)


def _say_where(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What went wrong and where, and none of the values: a message could quote the prompt."""
    del error
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
    sys.stderr.write(f"{kind.__name__} at {where}\n")


if __name__ == "__main__":
    sys.exit(main())
