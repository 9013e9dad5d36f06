"""Serve one application with exactly the web server's settings of `seedance-api serve`, without a worker beside it.

`python -m bench.host seedance_api.app:api` prints the same line as `serve --json` once it answers.
"""

import sys
from contextlib import nullcontext
from typing import Any

from granian import Granian

from seedance_api import serve
from seedance_api.foundation import log
from seedance_api.foundation.process import die_with_parent


def main(target: str) -> None:
    """Run until SIGTERM, with our own `serve` around another application."""

    def granian(_: str, **settings: Any) -> Granian:
        return Granian(target, **settings)

    serve.Granian = granian  # type: ignore[assignment,misc]
    serve.WorkerProcess = lambda _: nullcontext()  # type: ignore[assignment,misc]
    serve.serve(host="127.0.0.1", port=0, workers=1, drain_seconds=5, as_json=True)


if __name__ == "__main__":
    die_with_parent()
    log.configure(level="warning")
    main(sys.argv[1])
