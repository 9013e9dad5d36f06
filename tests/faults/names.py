"""A service whose names are looked up by the system's own resolver, at a name server of the test's."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundation.names import Names

_MOUNTS = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"'


@contextmanager
def own_names(folder: Path) -> Generator[tuple[Names, tuple[str, ...]]]:
    """A name server, and what goes before a command so that its process asks no other: a file system of its own, where
    /etc names that server alone. The test is skipped where nobody lets us."""
    # port 53 is all that resolv.conf knows, so each process that tests has an address of its own
    address = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
    resolv, order = folder / "resolv.conf", folder / "nsswitch.conf"
    resolv.write_text(f"nameserver {address}\n")
    order.write_text("hosts: dns\n")
    launcher = ("unshare", "--mount", "sh", "-c", _MOUNTS, "sh", str(resolv), str(order))
    if subprocess.run([*launcher, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount: run as root, with CAP_SYS_ADMIN")
    with Names(address, 53) as names:
        yield names, launcher
