"""Serve one application with exactly the web server's settings of `seedance-api serve`, without a worker beside it.

`python -m bench.host seedance_api.app.answer:api` prints the same line as `serve --json` once it answers.
"""

import importlib
import sys
from contextlib import nullcontext
from typing import Any

from seedance_api import serve
from seedance_api.foundation import log
from seedance_api.foundation.process import die_with_parent


class NoWorker(nullcontext[Any]):
    """Stands where `serve` has its worker process."""

    def __init__(self, drain_seconds: float) -> None:
        del drain_seconds
        super().__init__(self)

    def watch(self) -> None:
        """There is nothing to watch."""


def main(target: str, connections: int) -> None:
    """Run until SIGTERM: our own `serve`, around another application."""
    importlib.import_module(target.partition(":")[0])  # as production does: imported once, before the fork
    serve.WorkerProcess = NoWorker  # type: ignore[assignment,misc]
    serve.serve(
        target,
        host="127.0.0.1",
        port=0,
        workers=1,
        connections=connections,
        drain_seconds=5,
        drain_notice_seconds=0,
        live_sandbox=False,
        as_json=True,
    )


if __name__ == "__main__":
    die_with_parent()
    log.configure(level="warning")
    main(sys.argv[1], int(sys.argv[2]))
