"""Rows of generations, attempts and their inputs."""

from datetime import datetime

import msgspec

from seedance_api.billing.rows import Hold
from seedance_api.catalog.order import Kind, Order, Role
from seedance_api.delivery.rows import Asset
from seedance_api.generations.states import State
from seedance_api.providers.provider import Operation, Output
from seedance_api.routing.progress import Timing


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `generation`."""

    id: str
    account_id: str
    key_id: str
    livemode: bool
    provider: str
    model: str
    params: Order
    metadata: dict[str, str]
    keep_seconds: int
    quoted_tokens: int
    draft_id: str | None
    state: State
    version: int
    tries: int
    wrong_tries: int
    progress: int
    output: Output | None
    error_code: str | None
    error_message: str | None
    cancel_requested_at: datetime | None
    due_at: datetime
    claimed_until: datetime | None
    deadline_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None


class Span(msgspec.Struct, frozen=True):
    """How long something took for a generation of a model."""

    model: str
    seconds: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A generation as its owner sees it. The hottest read: no column more than is shown."""

    id: str
    account_id: str
    livemode: bool
    provider: str
    model: str
    params: Order
    metadata: dict[str, str]
    state: State
    progress: int
    output: Output | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    prompt: str | None
    purge_at: datetime | None
    content_state: str | None
    delivered_at: datetime | None
    variants: list[str]
    hold: Hold | None
    """None for a generation that costs nothing."""
    draft_until: datetime | None = None
    """Until when a final take can be made of it, unless that has ended sooner; None for what is no finished draft."""
    draft_ended_at: datetime | None = None
    timing: Timing | None = None
    """None for one that is not under way, or like none that was made before."""
    queue_position: int | None = None


class Claimed(Generation, frozen=True, kw_only=True):
    """A generation whose next step is ours. `seconds_left` until its deadline, by the database's clock.

    A `pinned` one needs what its provider alone has: a draft, or an asset.
    """

    past_deadline: bool
    seconds_left: float
    regions: list[str] | None
    pinned: bool


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A running generation, as `watch` sees it. `seconds` it runs for, without the wait at the provider."""

    id: str
    version: int
    progress: int
    model: str
    params: Order
    attempt_id: str
    operation: Operation
    begun: bool
    seconds: float


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a generation, with the facts of its file; of a provider's own asset nothing is known."""

    role: Role
    kind: Kind
    object_key: str | None
    asset: str | None
    media_type: str | None
    width: int | None
    height: int | None
    seconds: float | None


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation is made from. `prompt` is None once it is purged."""

    generation_id: str
    prompt: str | None
    media: tuple[Medium, ...]


class Leftovers(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished generation may have left behind."""

    deleted: bool
    purged: bool
    drafting: bool
    """It is a draft that a final take may still be made of, or is being made of."""
    operations: list[tuple[str, str, Operation]]
    """The provider, the attempt and the operation of each copy that an upstream may still have."""


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that a provider may still have. `seconds` since its end, also as a draft, or since ours was deleted."""

    generation_id: str
    provider: str
    operation: Operation
    seconds: float


class Repairable(msgspec.Struct, frozen=True, kw_only=True):
    """A completed generation whose content is kept, with the operation that made it."""

    id: str
    account_id: str
    version: int
    params: Order
    output: Output | None
    provider: str
    operation: Operation
    delivered: bool
    assets: list[Asset]


class Unsent(msgspec.Struct, frozen=True):
    """A generation that no upstream was sent. `attempt_id` is that of its planned attempt, if it has one."""

    id: str
    version: int
    provider: str
    attempt_id: str | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that something is to be done with."""

    id: str
    version: int
    provider: str
    state: State
