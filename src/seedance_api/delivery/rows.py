"""Rows of delivered content."""

from datetime import datetime

import msgspec


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file of a generation: `video`, `last_frame` or `thumbnail`. `sha256` is in hexadecimal."""

    variant: str
    object_key: str
    media_type: str
    bytes: int
    sha256: str


class Held(Asset, frozen=True, kw_only=True):
    """An asset with whom it belongs to and how long it stays."""

    generation_id: str
    account_id: str
    livemode: bool
    finished_at: datetime
    purge_at: datetime
    delivered: bool
    damaged: bool
    """Its object is known not to be what was put there."""
    lost: bool
    """It is damaged, and nobody has another copy."""

    @property
    def may_become_delivered(self) -> bool:
        """Whether serving all of it makes the content delivered."""
        return self.variant == "video" and not self.delivered


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """How far the content of a generation is. `state` is None while there is none."""

    deleted: bool
    """Its owner has deleted it."""
    state: str | None
    variants: list[str]


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is to be compared with its digest."""

    generation_id: str
    object_key: str
    bytes: int
    sha256: str


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was deleted of a generation: what, which, from where, why, when. A row of `deletion`."""

    what: str
    place: str
    name: str
    reason: str
    digest: str | None
    bytes: int | None
    deleted_at: datetime


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is to be written on the receipt of a generation; its time is that of the transaction."""

    generation_id: str
    what: str
    place: str
    reason: str
    name: str = ""
    digest: str | None = None
    bytes: int | None = None


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """A generation whose content has gone, and why."""

    generation_id: str
    reason: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a generation that is still there, and when it goes; None where that is not known yet."""

    what: str
    place: str
    name: str
    goes_at: datetime | None


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """Whose work a file is that we delivered; its content may be purged since."""

    model: str
    sandbox: bool
