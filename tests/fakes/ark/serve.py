"""`make serve FAKE_ARK=1`: the service with the fake as its upstream, to see the whole real path without a key."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes.ark.run import FakeArk

_MADE = "Made by `make serve FAKE_ARK=1`."
_UPSTREAM = """
# A fake of the vendor on this machine: its videos are test pictures. Made by `make serve FAKE_ARK=1`.
[upstreams.fake-ark]
kind = "ark"
cloud = "byteplus"
base_url = "{url}"
region = "this machine"
data_region = "local"
legal_entity = "nobody: a fake"
key_env = "FAKE_ARK_KEY"
allow_networks = ["127.0.0.0/8"]
models = ["seedance-2.5", "seedance-2.0", "seedance-2.0-fast", "seedance-2.0-mini", "seedance-1.0-pro"]
"""


def main() -> int:
    """Start both, and stay until Ctrl-C."""
    signal.signal(signal.SIGTERM, _end)
    port = os.environ.get("SEEDANCE_PORT", "8000")
    with FakeArk(speed=10) as fake, upstreams(fake.url) as file:
        environment = {
            "SEEDANCE_UPSTREAMS": str(file),
            "SEEDANCE_PORT": port,
            "SEEDANCE_PUBLIC_URL": os.environ.get("SEEDANCE_PUBLIC_URL", f"http://127.0.0.1:{port}"),
            "FAKE_ARK_KEY": fake.key,
        }
        sys.stderr.write(f"FAKE_ARK: live keys use a fake of the vendor at {fake.url}, ten times as fast.\n")
        sys.stderr.write("          Make an account, credit it, and make a live key: docs/upstreams.md.\n")
        process = subprocess.Popen([sys.executable, "-m", "seedance_api", "serve"], env=os.environ | environment)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the terminal tells the service, too
                continue


@contextmanager
def upstreams(url: str) -> Iterator[Path]:
    """A file that names the fake, until it ends.

    It is that of the data folder, so that `seedance-api upstream list` and `doctor` see the fake too, unless the
    operator has one there: that is never touched.
    """
    folder = Path(os.environ.get("SEEDANCE_DATA_DIR") or "data")
    file = folder / "upstreams.toml"
    text = _UPSTREAM.format(url=url)
    if file.exists() and _MADE not in file.read_text("utf-8"):
        with tempfile.TemporaryDirectory(prefix="fake-ark-") as name:
            apart = Path(name) / "upstreams.toml"
            apart.write_text(text)
            sys.stderr.write(f"FAKE_ARK: {file} is left alone. To see the fake with the operator's commands, set\n")
            sys.stderr.write(f"          SEEDANCE_UPSTREAMS={apart}\n")
            yield apart
        return
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _end(*_: object) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
