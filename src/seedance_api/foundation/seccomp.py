"""Seccomp: the system calls that a process which reads strangers' files has no use for, refused (seccomp(2)).

The filter is built by hand, for the two architectures that we run on; a call by another one's numbers ends the process.
What is refused is listed, not what is allowed: libc, FFmpeg and Python differ in what they call, and the files are
Landlock's affair. A call that is younger than the list does not exist.
"""

import ctypes
import os
import platform
from collections.abc import Iterator

import msgspec

_PR_GET_SECCOMP, _PR_SET_SECCOMP, _MODE_FILTER = 21, 22, 2
_EPERM, _ENOSYS = 1, 38
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # linux/audit.h; the column below
_X32 = 0x40000000
_YOUNGER_FROM = 451
# A name, its number on x86_64, and on aarch64; 0 where there is none: there the call is `…at`, or clone.
_REFUSED = """
    execve 59 221  execveat 322 281  fork 57 0  vfork 58 0  unshare 272 97  setns 308 268  setsid 112 157
    setpgid 109 154  ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  process_madvise 440 440
    process_mrelease 448 448  kcmp 312 272  pidfd_open 434 434  pidfd_getfd 438 438  pidfd_send_signal 424 424
    tkill 200 130  rt_sigqueueinfo 129 138  rt_tgsigqueueinfo 297 240  get_robust_list 274 100  migrate_pages 256 238
    move_pages 279 239  setpriority 141 140  sched_setaffinity 203 122  sched_setattr 314 274  sched_setparam 142 118
    sched_setscheduler 144 119  ioprio_set 251 30
    mount 165 40  umount2 166 39  pivot_root 155 41  chroot 161 51  open_tree 428 428  move_mount 429 429
    fsopen 430 430  fsconfig 431 431  fsmount 432 432  fspick 433 433  mount_setattr 442 442
    name_to_handle_at 303 264  open_by_handle_at 304 265
    chmod 90 0  fchmod 91 52  fchmodat 268 53  chown 92 0  fchown 93 55  lchown 94 0  fchownat 260 54
    setxattr 188 5  lsetxattr 189 6  fsetxattr 190 7  removexattr 197 14  lremovexattr 198 15  fremovexattr 199 16
    utime 132 0  utimes 235 0  futimesat 261 0  utimensat 280 88  truncate 76 45  mknod 133 0  mknodat 259 33
    inotify_init 253 0  inotify_init1 294 26  inotify_add_watch 254 27  fanotify_init 300 262  fanotify_mark 301 263
    shmget 29 194  shmat 30 196  shmctl 31 195  semget 64 190  semop 65 193  semctl 66 191  semtimedop 220 192
    msgget 68 186  msgsnd 69 189  msgrcv 70 188  msgctl 71 187  mq_open 240 180  mq_unlink 241 181
    keyctl 250 219  add_key 248 217  request_key 249 218  bpf 321 280  perf_event_open 298 241  userfaultfd 323 282
    io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427
    init_module 175 105  finit_module 313 273  delete_module 176 106  kexec_load 246 104  kexec_file_load 320 294
    reboot 169 142  swapon 167 224  swapoff 168 225  sethostname 170 161  setdomainname 171 162  settimeofday 164 170
    clock_settime 227 112  clock_adjtime 305 266  adjtimex 159 171  acct 163 89  quotactl 179 60  quotactl_fd 443 443
    syslog 103 116  lookup_dcookie 212 18  vhangup 153 58  personality 135 92  iopl 172 0  ioperm 173 0
    modify_ldt 154 0  capset 126 91
    socketpair 53 199  bind 49 200  listen 50 201  accept 43 202  accept4 288 242
"""
_TALK = """
    connect 42 203  sendto 44 206  recvfrom 45 207  sendmsg 46 211  sendmmsg 307 269  recvmsg 47 212  recvmmsg 299 243
"""
"""What only a child that may connect has a use for."""
_CLONE, _CLONE3, _SOCKET, _KILL, _TGKILL = (56, 220), (435, 435), (41, 198), (62, 129), (234, 131)
_PRLIMIT, _PRCTL, _FCNTL = (302, 261), (157, 167), (72, 25)
_CLONE_THREAD = 0x10000
_INTERNET = (2, 10)  # AF_INET, AF_INET6: never AF_UNIX, by which a database may be reached
_SET_OWNER = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: they have the kernel signal others
_PR_SET_PDEATHSIG = 1

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h, as seccomp uses them
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16  # struct seccomp_data


class _Step(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Step)))


class _Rule(msgspec.Struct, frozen=True):
    """One argument of a call, and the values with which it is allowed, or with which it is refused."""

    number: int
    argument: int
    values: tuple[int, ...]
    allowed: bool


_libc = ctypes.CDLL(None, use_errno=True)


def is_available() -> bool:
    """Whether this kernel has filters, and we one for this machine."""
    return platform.machine() in _ARCHITECTURES and _libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def restrict(*, connects: bool) -> bool:
    """Refuse, from now on, what no decoder needs; and without `connects`, every socket.

    Needs PR_SET_NO_NEW_PRIVS. False where there is no such filter. Raises OSError.
    """
    if not is_available():
        return False
    steps = [_Step(*step) for step in _steps(*_ARCHITECTURES[platform.machine()], connects=connects)]
    program = _Program(len(steps), (_Step * len(steps))(*steps))
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return True


def _steps(architecture: int, column: int, *, connects: bool) -> Iterator[tuple[int, int, int, int]]:
    yield _LD, 0, 0, _ARCHITECTURE_AT
    yield _JEQ, 1, 0, architecture
    yield _RET, 0, 0, _KILL_PROCESS
    yield _LD, 0, 0, _NUMBER_AT
    if column == 0:
        yield _JGE, 0, 1, _X32
        yield _RET, 0, 0, _KILL_PROCESS
    yield _JGE, 0, 1, _YOUNGER_FROM
    yield _RET, 0, 0, _ERRNO | _ENOSYS
    yield _JEQ, 0, 1, _CLONE3[column]  # its flags lie in memory, which a filter cannot read: libc takes clone instead
    yield _RET, 0, 0, _ERRNO | _ENOSYS
    for number in _numbers(_REFUSED if connects else _REFUSED + _TALK, column):
        yield _JEQ, 0, 1, number
        yield _RET, 0, 0, _ERRNO | _EPERM
    yield _JEQ, 0, 4, _CLONE[column]  # a thread, and no process
    yield _LD, 0, 0, _ARGUMENTS_AT
    yield _JSET, 1, 0, _CLONE_THREAD
    yield _RET, 0, 0, _ERRNO | _EPERM
    yield _RET, 0, 0, _ALLOW
    for rule in _rules(column, connects=connects):
        yield from _rule(rule)
    yield _RET, 0, 0, _ALLOW


def _rules(column: int, *, connects: bool) -> Iterator[_Rule]:
    yield _Rule(_SOCKET[column], 0, _INTERNET if connects else (), allowed=True)
    for number in (_KILL[column], _TGKILL[column]):  # an abort() is a signal to itself
        yield _Rule(number, 0, (os.getpid(),), allowed=True)
    yield _Rule(_PRLIMIT[column], 0, (0, os.getpid()), allowed=True)
    yield _Rule(_PRCTL[column], 0, (_PR_SET_PDEATHSIG,), allowed=False)
    yield _Rule(_FCNTL[column], 1, _SET_OWNER, allowed=False)


def _rule(rule: _Rule) -> Iterator[tuple[int, int, int, int]]:
    """Of the arguments, the lower half is compared: the kernel takes these as 32 bits."""
    found, other = (_ALLOW, _ERRNO | _EPERM) if rule.allowed else (_ERRNO | _EPERM, _ALLOW)
    count = len(rule.values)
    yield _JEQ, 0, count + 3, rule.number
    yield _LD, 0, 0, _ARGUMENTS_AT + 8 * rule.argument
    for at, value in enumerate(rule.values):
        yield _JEQ, count - at, 0, value
    yield _RET, 0, 0, other
    yield _RET, 0, 0, found


def _numbers(table: str, column: int) -> Iterator[int]:
    words = table.split()
    return (number for number in map(int, words[1 + column :: 3]) if number)
