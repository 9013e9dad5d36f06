"""A real PgBouncer before PostgreSQL."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from stage import free_port, until

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
ABSENT = "PgBouncer is not installed (on Debian: apt-get install pgbouncer)"


class Bouncer:
    """`url` leads to the same database through it."""

    def __init__(self, url: str, folder: Path, mode: str, **settings: object) -> None:
        parts = urlsplit(url)
        owner = pwd.getpwuid(Path(parse_qs(parts.query)["host"][0]).stat().st_uid).pw_name
        self._user = [] if os.geteuid() != 0 else ["-u", "nobody" if owner == "root" else owner]  # never as root
        self._folder, self._port = folder, free_port("127.0.0.1")
        self.url = f"postgresql://{parts.username}@127.0.0.1:{self._port}{parts.path}"
        more = "".join(f"{name} = {value}\n" for name, value in settings.items())
        self._file = folder / "pgbouncer.ini"
        self._file.write_text(
            f"[databases]\n* = host={parse_qs(parts.query)['host'][0]} port=5432 user={parts.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self._port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\npidfile = {folder}/pid\nlogfile = {folder}/log\n{more}"
        )

    def start(self) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen([PROGRAM, "-q", *self._user, str(self._file)], stderr=subprocess.DEVNULL)
        until(lambda: "listening on" in self._log(), 20)

    def stop(self) -> None:
        """At once, with every connection."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)
        (self._folder / "log").write_text("")

    def _log(self) -> str:
        log = self._folder / "log"
        return log.read_text() if log.exists() else ""


@contextmanager
def bouncer(url: str, mode: str, **settings: object) -> Iterator[Bouncer]:
    with tempfile.TemporaryDirectory(prefix="seedance-bouncer-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        found = Bouncer(url, folder, mode, **settings)
        found.start()
        try:
            yield found
        finally:
            found.stop()
