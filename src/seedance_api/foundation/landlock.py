"""Landlock: the files that this process may open, and the ports it may connect to, from now on (landlock(7)).

By hand, for the calls have no wrapper in libc. Their numbers are the same on every architecture.
"""

import ctypes
import os
import stat
from collections.abc import Iterable, Sequence

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH, _NET_PORT = 1, 2

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG, _TRUNCATE = (1 << bit for bit in (1, 2, 3, 5, 8, 14))
_CONNECT_TCP = 1 << 1
# How many of the rights an ABI knows: each one that is known is taken away, and given back only where a rule says so.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_RIGHTS_FROM, _SCOPES_FROM, _TRUNCATE_FROM = 4, 6, 3
COMPLETE = 6
"""From this ABI on, everything is there that is taken away here."""
_NET_RIGHTS = _SCOPES = 0b11  # bind and connect over TCP; abstract Unix sockets and signals

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


class _Port(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The version that this kernel has; 0 where it has none, or where something forbids the question."""
    return max(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION), 0)


def restrict(*, read: Iterable[str], write: Iterable[str], ports: Sequence[int] = ()) -> bool:
    """Take every right that the kernel knows from this thread, but for reading these files and what is in these
    folders, writing those, and connecting to these ports over TCP. In a folder of `write`, files may be made and
    removed.

    A path that is not there is passed over. False where the kernel has no Landlock. Raises OSError.
    """
    version = abi()
    if not version:
        return False
    ruleset = _Ruleset(
        (1 << _FILE_RIGHTS[min(version, 5)]) - 1,
        _NET_RIGHTS if version >= _NET_RIGHTS_FROM else 0,
        _SCOPES if version >= _SCOPES_FROM else 0,
    )
    size = 24 if version >= _SCOPES_FROM else 16 if version >= _NET_RIGHTS_FROM else 8
    rules = _call(_CREATE, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    try:
        for path in read:
            _allow(rules, path, _READ_FILE, _READ_FILE | _READ_DIR)
        change = _READ_FILE | _WRITE_FILE | (_TRUNCATE if version >= _TRUNCATE_FROM else 0)
        for path in write:
            _allow(rules, path, change, change | _READ_DIR | _MAKE_REG | _REMOVE_FILE)
        if version >= _NET_RIGHTS_FROM:
            for port in ports:
                _call(_ADD_RULE, rules, _NET_PORT, ctypes.byref(_Port(_CONNECT_TCP, port)), 0)
        _call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)
    return True


def _allow(rules: int, path: str, of_a_file: int, of_a_folder: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        rights = of_a_folder if stat.S_ISDIR(os.fstat(descriptor).st_mode) else of_a_file
        _call(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(_Beneath(rights, descriptor)), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = _libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result
