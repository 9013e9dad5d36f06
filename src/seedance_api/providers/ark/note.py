"""Our note about a task: what is kept on the attempt, and handed back with every question."""

import msgspec

from seedance_api.providers.ark.read import ID
from seedance_api.providers.provider import Operation

SETTLE_SECONDS = 180.0
"""How long a new task may take to show. The vendor documents neither that nor how long a create may be under way behind
its gateway; wherever it was measured a create had answered within a minute. Until then, absence says nothing."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """`tier` and `model` are what the vendor's list must be asked with; `at` is Unix time by the vendor's clock."""

    id: str
    tier: str
    model: str | None
    at: int | None

    def may_appear(self, now: int, settle_seconds: float) -> bool:
        """Whether it is too young for its absence to mean anything."""
        return self.at is not None and now - self.at < settle_seconds


def write_note(task_id: str, *, tier: str, model: str | None, at: int | None) -> Operation:
    """The note, as it is kept."""
    return {"id": task_id, "tier": tier, "model": model, "at": at}


def read_note(operation: Operation) -> Note | None:
    """Our note, if it is one of ours."""
    task_id, tier, model, at = (operation.get(name) for name in ("id", "tier", "model", "at"))
    if not isinstance(task_id, str) or not ID.fullmatch(task_id):
        return None
    return Note(
        id=task_id,
        tier="flex" if tier == "flex" else "default",
        model=model if isinstance(model, str) else None,
        at=at if isinstance(at, int) and not isinstance(at, bool) else None,
    )
