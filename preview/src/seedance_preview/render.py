"""Render the job of the folder that this process works in: `main` is what a confined child runs."""

import sys
from pathlib import Path
from types import TracebackType

from seedance_preview.produce import produce


def main() -> None:
    """Make what `job.json` orders; its progress in percent goes to standard output, a number a line."""
    sys.excepthook = _say_where
    produce(Path())


def _say_where(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What went wrong and where, and none of the values: a message could quote the prompt."""
    del error
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
    sys.stderr.write(f"{kind.__name__} at {where}\n")
