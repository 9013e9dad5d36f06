"""The installation's own secret: made at the first start, the same on every machine of the installation."""

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

_BYTES = 32


def load_pepper(folder: Path) -> bytes:
    """Read the pepper, or make it. Of several processes that start at once one makes it and all read the same.

    Raises PermissionError when others than the owner can read the file.
    """
    path = folder / "pepper"
    if not path.exists():
        _make(path)
    return read_pepper(folder)


def read_pepper(folder: Path) -> bytes:
    """Read the pepper. Raises FileNotFoundError, and PermissionError when others than the owner can read the file."""
    path = folder / "pepper"
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise PermissionError(f"{path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")
    return bytes.fromhex(path.read_text().strip())


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent)  # mkstemp gives mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)  # fails when another process was first, and never shows half a file
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()


def derive(pepper: bytes, purpose: str) -> bytes:
    """The key of 32 bytes that the installation has for one purpose. Its text is never changed, nor used for another:
    what was signed with the key would not verify any more."""
    return digest(pepper, purpose)


def digest(key: bytes, text: str) -> bytes:
    """HMAC-SHA-256. A key has 190 bits of chance in it, so a slow hash would only help an attacker keep us busy."""
    return hmac.digest(key, text.encode(), hashlib.sha256)


def same(one: bytes, other: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)
