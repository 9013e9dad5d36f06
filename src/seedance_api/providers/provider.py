"""What a provider is: it starts operations and checks on them. It never waits and never touches the database.

How to add one: docs/providers.md, and the conformance suite in `tests/providers/`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from seedance_api.catalog.order import Kind, Order, Role

Operation = dict[str, Any]
"""A provider's own note about work it was given: opaque JSON, stored on the attempt and handed back as it was.

Its `id` is the provider's name for the work, the same for no other work of that provider.
"""

NONCES = 3600
"""How many there are: the most attempts of one provider that may wait for an answer at one time."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of input media: in our object store, or the provider's own by its `asset://` address.

    Sizes in pixels and seconds, where they apply and are known.
    """

    kind: Kind
    role: Role
    object_key: str | None = None
    asset: str | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None


class Commission(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a provider needs to make one video. `attempt_id` is unique to this attempt, for ever."""

    attempt_id: str
    order: Order
    prompt: str
    inputs: tuple[Input, ...] = ()
    customer: str = ""
    """Names the customer to the provider without saying who it is: a keyed hash, always the same for one account."""
    draft: Operation | None = None
    """The finished draft that this is the final take of."""
    callback_url: str | None = None
    deadline_at: datetime
    seconds_left: float = 0.0
    """Until the deadline, by the database's clock."""
    nonce: int = 0
    """Below `NONCES`. No other attempt of this provider that waits for an answer has the same."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an attempt that got no clear answer."""

    attempt_id: str
    order: Order
    customer: str
    sent_at: datetime
    seconds_since: float
    """Since it was sent, by the database's clock."""
    seconds_left: float
    """What the commission said when it was sent."""
    nonce: int | None
    """The commission's; None where it is not known."""
    draft: Operation | None = None
    """The commission's."""
    told: str | None = None
    """The operation's id according to a callback on this attempt's own address."""
    others: frozenset[str] = frozenset()
    """Ids of operations that belong to other attempts."""
    rival: bool = False
    """Another attempt may have been sent with the same nonce: what has it may be the other's."""


class Started(msgspec.Struct, frozen=True, tag=True):
    """The provider has taken the work."""

    operation: Operation


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider itself said, for the operator: `message` may repeat the customer's words."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    request_id: str | None = None


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A definite no: nothing was made and nothing will be billed. `message` is fit for the customer."""

    code: str
    message: str
    original: Original | None = None


class Busy(msgspec.Struct, frozen=True, tag=True):
    """Surely not taken, for a reason that has nothing to do with the request: another time, or another provider.

    `wait_seconds` is what the provider asks for. `model_only` says that its other models may be free. `operator` says
    that it will stay so until a person acts: a key, an unpaid bill, a model that was not ordered.
    """

    reason: str
    wait_seconds: float | None = None
    model_only: bool = False
    operator: bool = False
    original: Original | None = None


class NotSent(msgspec.Struct, frozen=True, tag=True):
    """Nothing left this machine; trying again is safe."""

    reason: str


class Unclear(msgspec.Struct, frozen=True, tag=True):
    """No clear answer: the work may have been taken. It must be looked for, never sent again blindly."""

    reason: str


class NotMade(msgspec.Struct, frozen=True, tag=True):
    """Looked for and not there. Not `certain` where the provider promises no more than what its list showed."""

    certain: bool = True


StartOutcome = Started | Refused | Busy | NotSent | Unclear
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
    """Still working. `progress` is 0–99 where the provider tells it; `begun` is False while it only waits there."""

    progress: int | None = None
    begun: bool = True


class Done(msgspec.Struct, frozen=True, tag=True):
    """Finished; the files can be fetched."""

    output: Output


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Finished without a video; `canceled` is the code when that was asked for. `message` is fit for the customer."""

    code: str
    message: str
    original: Original | None = None


class Lost(msgspec.Struct, frozen=True, tag=True):
    """The provider no longer knows this operation."""


class Unseen(msgspec.Struct, frozen=True, tag=True):
    """No usable answer about this operation now; nothing follows from that but to ask again."""

    reason: str


Check = Pending | Done | Failed | Lost | Unseen


class Fetched(msgspec.Struct, frozen=True, tag=True):
    """The file is at the place given, whole."""

    bytes: int


class Unfetched(msgspec.Struct, frozen=True, tag=True):
    """The file could not be had now; `gone` says that it never will.

    `wrong` is an answer that is no such file, as opposed to none: it is not waited out for as long. `ours` is what of
    our own configuration is in the way, for the operator: it says nothing of the file.
    """

    reason: str
    gone: bool = False
    wrong: bool = False
    ours: str | None = None


FetchOutcome = Fetched | Unfetched


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Work that a provider knows of, for reconciliation. Times are the provider's."""

    operation: Operation
    check: Check
    customer: str | None = None
    nonce: int | None = None
    """The commission's, where it is told."""
    created_at: datetime


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """All that a provider was given `since` a moment: a later one than was asked for, where that is too much."""

    tasks: list[Known]
    since: datetime


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model can be called. `message` is for the operator."""

    status: Literal["ready", "refused", "unreachable"]
    message: str = ""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider takes of one model: operations under way at once, and starts a minute."""

    concurrency: int
    per_minute: int | None = None


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider declares of itself."""

    models: Mapping[str, Capacity]
    concurrency: int | None = None
    """Operations of all models together."""
    account_concurrency: int | None = None
    """Of one account; None where the installation's bound for upstreams holds, or none is needed."""
    checks: int = 500
    """Operations in one call of `check_many`."""
    check_seconds: float
    """The least time between two calls of `check_many` in the whole installation."""
    region: str | None = None
    """Where customers' data goes; None where it stays on this machine."""
    lists: bool = False
    """Whether `known_since` tells of everything."""
    sandbox: bool = False
    """Whether it makes previews in the place of a model: for test keys, or where the operator sells them."""
    keeps: bool = False
    """Whether its copy is left there until ours is purged: reconciliation, and a copy of ours that breaks, need it."""


SANDBOX = "sandbox"
"""The name of the provider whose `capabilities.sandbox` is set. No upstream may have it."""


def is_sandbox(name: str) -> bool:
    """Whether this provider is the sandbox, where only its name is at hand."""
    return name == SANDBOX


class Provider(Protocol):
    """The protocol. Expected trouble is a returned outcome; an exception is a bug."""

    name: str
    capabilities: Capabilities

    async def start(self, commission: Commission) -> StartOutcome:
        """Hand the work over, once."""
        ...

    async def find(self, search: Search) -> FindOutcome:
        """Say whether the work of an attempt was taken that never got a clear answer."""
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

    async def forget(self, operation: Operation) -> bool:
        """Delete the provider's own copy; True when it is certainly gone."""
        ...

    async def known_since(self, moment: datetime) -> Listing | None:
        """Everything it was given since a moment; None when it cannot tell now. Only where `capabilities.lists`."""
        ...
