"""Confinement: whether a decoder that was taken over by a stranger's file would reach what is ours. It is tried."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from seedance_api.doctor.remark import Remark
from seedance_api.foundation.confine import Confine, Failure
from seedance_api.foundation.restrict import missing

_CHILD = "seedance_api.doctor.reach"
_SECONDS, _CPU_SECONDS, _MEMORY = 30.0, 10, 1 << 30
_NAME = "confinement"


async def confinement(guarded: Sequence[Path]) -> Remark:
    """Have a confined process try to open these files and folders, and make a socket."""
    answer = await Confine(slots=1).run(
        _CHILD,
        msgspec.json.encode([str(path.resolve()) for path in guarded if path.exists()]),
        seconds=_SECONDS,
        memory_bytes=_MEMORY,
        cpu_seconds=_CPU_SECONDS,
    )
    if isinstance(answer, Failure):
        message = f"no confined process can be started: {answer.kind}. No picture and no video can be read"
        return Remark(name=_NAME, status="error", message=message)
    return judge(msgspec.json.decode(answer, type=list[str]), missing())


def judge(reached: Sequence[str], lacks: Sequence[str]) -> Remark:
    """What follows from what was reached, on a kernel that lacks this. Pure."""
    reasons = [f"this kernel lacks {feature}" for feature in lacks]
    if reached:
        reasons.append(f"a decoder that was taken over could reach {', '.join(reached)}")
    if reasons:
        return Remark(name=_NAME, status="warning", message="; ".join(reasons))
    return Remark(name=_NAME, status="ok", message="what reads strangers' files reaches nothing but those files")
