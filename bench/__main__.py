"""`python -m bench`: measure everything and write docs/benchmarks.md and docs/benchmarks.json."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from bench import (
    bad_keys,
    batching,
    creates,
    downloads,
    idle,
    lanes,
    log_pages,
    money,
    polls,
    purge,
    reads,
    render,
    report,
    upstream,
    webhooks,
)
from bench.figures import Figure, Part, SkippedError
from bench.stage import ROOT, Stage

PARTS: dict[str, Callable[[Stage], list[Figure]]] = {
    "reads": reads.measure,
    "polls": polls.measure,
    "bad_keys": bad_keys.measure,
    "log_pages": log_pages.measure,
    "creates": creates.measure,
    "render": render.measure,
    "downloads": downloads.measure,
    "purge": purge.measure,
    "batching": batching.measure,
    "money": money.measure,
    "idle": idle.measure,
    "upstream": upstream.measure,
    "lanes": lanes.measure,
    "webhooks": webhooks.measure,
}


def main() -> int:
    """Run the parts that are asked for. Exit codes: 0 measured, 1 a part broke, 130 stopped."""
    asked = read_arguments()
    signal.signal(signal.SIGTERM, interrupt)
    load_before, started = os.getloadavg()[0], time.monotonic()
    names: list[str] = asked.only or list(PARTS)
    try:
        with Stage(quick=asked.quick) as stage:
            parts = [run(stage, name) for name in names]
    except KeyboardInterrupt:
        print("stopped; nothing is left running", file=sys.stderr)
        return 130
    made = report.make(parts, quick=asked.quick, seconds=time.monotonic() - started, load_before=load_before)
    print(report.table([figure for part in parts for figure in part.figures]))
    folder: Path | None = asked.write or (None if asked.quick or asked.only else ROOT / "docs")
    if folder:
        report.write(made, folder)
    broken = any(part.skipped.startswith("it broke") for part in parts)
    return 1 if broken else 0


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds, for a look; not for quoting")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER", help="write the page there; a full run writes it to docs/ by itself"
    )
    return parser.parse_args()


def run(stage: Stage, name: str) -> Part:
    """One part. What it lacks or where it broke becomes a line of the report; the others go on."""
    stage.say(f"{name}: {sys.modules[PARTS[name].__module__].__doc__ or ''}".splitlines()[0])
    started = time.monotonic()
    try:
        figures = PARTS[name](stage)
    except SkippedError as error:
        stage.say(f"{name}: skipped, {error}")
        return Part(name=name, skipped=str(error))
    except Exception as error:  # noqa: BLE001 one broken part must not cost the figures of the others
        stage.say(f"{name}: broke, {type(error).__name__}: {error}")
        return Part(name=name, skipped=f"it broke ({type(error).__name__})")
    return Part(name=name, figures=figures, seconds=time.monotonic() - started)


def interrupt(*_: object) -> NoReturn:
    """SIGTERM ends a run as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
