"""What a provider is: it starts operations and checks on them. It never waits and never touches the database.

How to add one: a folder beside this file with a class that satisfies `Provider`, a line in `app.py`, and the
conformance suite in `tests/providers/`.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from seedance_api.catalog.order import Kind, Order, Role

Operation = dict[str, Any]
"""A provider's own note about work it was given: opaque JSON, stored on the attempt and handed back as it was."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of input media, in our object store. Sizes in pixels and seconds, where they apply."""

    kind: Kind
    role: Role
    object_key: str
    media_type: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None


class Commission(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a provider needs to make one video. `attempt_id` is unique to this attempt, for ever."""

    attempt_id: str
    order: Order
    prompt: str
    inputs: tuple[Input, ...] = ()
    deadline_at: datetime


class Started(msgspec.Struct, frozen=True, tag=True):
    """The provider has taken the work."""

    operation: Operation


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A definite no: nothing was made and nothing will be billed. `message` is fit for the customer."""

    code: str
    message: str
    retryable: bool = False


class NotSent(msgspec.Struct, frozen=True, tag=True):
    """Nothing left this machine; trying again is safe."""

    reason: str


class Unclear(msgspec.Struct, frozen=True, tag=True):
    """No clear answer: the work may have been taken. It must be looked for, never sent again blindly."""

    reason: str


class NotMade(msgspec.Struct, frozen=True, tag=True):
    """Looked for and certainly not there."""


StartOutcome = Started | Refused | NotSent | Unclear
FindOutcome = Started | NotMade | Unclear


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What was really made, as far as the provider says. The file itself is measured before it is believed."""

    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    frames: int | None = None
    resolution: str | None = None
    ratio: str | None = None
    seed: int | None = None
    tokens: int | None = None
    last_frame: bool = False


class Pending(msgspec.Struct, frozen=True, tag=True):
    """Still working. `progress` is 0–99 where the provider tells it."""

    progress: int | None = None


class Done(msgspec.Struct, frozen=True, tag=True):
    """Finished; the files can be fetched."""

    output: Output


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Finished without a video; `canceled` is the code when that was asked for. `message` is fit for the customer."""

    code: str
    message: str


class Lost(msgspec.Struct, frozen=True, tag=True):
    """The provider no longer knows this operation."""


Check = Pending | Done | Failed | Lost


class Fetched(msgspec.Struct, frozen=True, tag=True):
    """The file is at the place given, whole."""

    bytes: int


class Unfetched(msgspec.Struct, frozen=True, tag=True):
    """The file could not be had now; `gone` says that it never will."""

    reason: str
    gone: bool = False


FetchOutcome = Fetched | Unfetched


class Provider(Protocol):
    """The protocol. Expected trouble is a returned outcome; an exception is a bug."""

    name: str
    check_interval_seconds: float

    async def start(self, commission: Commission) -> StartOutcome:
        """Hand the work over, once."""
        ...

    async def find(self, attempt_id: str) -> FindOutcome:
        """Say whether the work of this attempt was taken. For attempts that never got a clear answer."""
        ...

    async def check_many(self, operations: Sequence[Operation]) -> list[Check]:
        """Say how each operation stands, in the order given."""
        ...

    async def cancel(self, operation: Operation) -> bool:
        """Ask to stop; True when it will certainly not finish."""
        ...

    async def fetch(self, operation: Operation, variant: str, to: Path) -> FetchOutcome:
        """Write the finished file (`video` or `last_frame`) to `to`, streaming."""
        ...

    async def forget(self, operation: Operation) -> None:
        """Delete the provider's own copy, if it can; never raises for one that is gone."""
        ...
