"""Restrict: from now on this process opens the files it was given, and nothing else. For children that read what
strangers send.

Landlock for the files, seccomp for the rest of the kernel, no capabilities, no core. Where the kernel lacks one of the
two, the other holds; `doctor` says what is missing.
"""

import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from seedance_api.foundation import landlock, seccomp

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # linux/prctl.h
_CAPABILITY_VERSION = 0x20080522  # linux/capability.h
# As root, we may have been given files of others; Landlock says which of them may be opened at all.
_KEPT_CAPABILITIES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")
_MACHINE = ("/dev/urandom", "/dev/random", "/dev/zero", "/proc/cpuinfo", "/sys/devices/system/cpu")
_NAMES = (  # what it takes to find a host by its name, and to know it by its certificate
    *("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services"),
    *("/etc/ssl", "/etc/pki", "/usr/share/ca-certificates"),
)
_DNS_PORT = 53

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def restrict(*, read: Iterable[str] = (), write: Iterable[str] = (), ports: Sequence[int] = ()) -> None:
    """Leave this process these files to read and those to write, beside the Python it runs on; a folder stands for what
    is in it. With `ports` it may connect to them over TCP, and look up names; else it has no network.

    To be called before a stranger's byte is read, and before there is a second thread, which would stay free. There is
    no way back. Raises OSError, and RuntimeError when there are threads.
    """
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 names are enough, and pathlib takes longer
        raise RuntimeError("a thread that runs already would not be restricted")
    for option, value in ((_PR_SET_DUMPABLE, 0), (_PR_SET_NO_NEW_PRIVS, 1)):
        if _libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    _drop_capabilities()
    found = (*_installation(), *_LIBRARIES, *_MACHINE, *(_NAMES if ports else ()), *read)
    landlock.restrict(read=found, write=("/dev/null", *write), ports=(*ports, _DNS_PORT) if ports else ())
    seccomp.restrict(connects=bool(ports))


def missing() -> list[str]:
    """What this kernel lacks of all that, in words for the operator; nothing where the restriction is whole."""
    version, lacks = landlock.abi(), list[str]()
    if not version:
        lacks.append("Landlock, without which it can read every file that we can read")
    elif version < landlock.COMPLETE:
        lacks.append(f"a newer Landlock (this is {version}, {landlock.COMPLETE} is complete)")
    if not seccomp.is_available():
        lacks.append("seccomp, without which it can reach the database by its socket")
    return lacks


def _installation() -> list[str]:
    """Where Python and its packages are: more of them may be loaded later. Never the root of everything."""
    places = {os.path.realpath(place) for place in (*sys.path, str(Path(sys.base_prefix, "lib"))) if place}
    return sorted(places - {"/"})


def _drop_capabilities() -> None:
    """Without them a child of root's cannot lift its own limits, nor touch what is another user's."""
    header, now = _Header(_CAPABILITY_VERSION, 0), (_Capabilities * 2)()
    if _libc.capget(ctypes.byref(header), now) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    kept = now[0].permitted & _KEPT_CAPABILITIES
    left = (_Capabilities * 2)(_Capabilities(kept, kept, 0), _Capabilities(0, 0, 0))
    if _libc.capset(ctypes.byref(header), left) != 0:
        raise OSError(ctypes.get_errno(), "capset")
