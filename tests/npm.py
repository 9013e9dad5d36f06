"""Packages of npm, kept for the next run."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def installed(name: str, version: str) -> Path:
    """A folder with the package, in which modules can be run; without npm or its registry the test is skipped."""
    if shutil.which("npm") is None:
        pytest.skip("node and npm are not here")
    folder = Path(tempfile.gettempdir()) / f"seedance-npm-{os.getuid()}" / f"{name.replace('/', '-')}-{version}"
    if not (folder / "node_modules" / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"type": "module", "private": true}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"{name}@{version}"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=90, check=False)
        except subprocess.TimeoutExpired:
            done = None
        if done is None or done.returncode != 0:
            pytest.skip(f"the registry of npm cannot be reached: no {name} {version}")
    return folder


def run(folder: Path, program: str, *arguments: str) -> str:
    """What a module prints, run in the folder of a package."""
    command = ["node", "--input-type=module", "--eval", program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
