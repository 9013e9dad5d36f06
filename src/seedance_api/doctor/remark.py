"""A remark of the doctor's."""

from typing import Literal

import msgspec


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warning", "error"]
    message: str
