"""Match: whether a task of the vendor is the one of an attempt. Pure."""

from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from seedance_api.catalog.models import find as find_model
from seedance_api.catalog.order import Mode, Order
from seedance_api.catalog.pixels import ADAPTIVE
from seedance_api.providers.ark.note import read_note
from seedance_api.providers.ark.read import Task
from seedance_api.providers.ark.write import expires_after, fields_of, tier_of
from seedance_api.providers.provider import Search

SLACK_SECONDS = 120
"""How far a task's time may lie outside of the search. The vendor's clock is read from its answers, to the second."""


class Match(Enum):
    """Whether a task is the one that is looked for; PERHAPS where it does not say enough."""

    YES = auto()
    PERHAPS = auto()
    NO = auto()


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What the task must look like. Times are Unix seconds by our clock; `now` is the time of the search."""

    model: str
    vendor_ids: frozenset[str]
    customer: str
    expires_after: int | None
    tier: str
    draft_task: str | None
    order: Order
    since: float
    now: float
    others: frozenset[str]


def sought(search: Search, vendor_ids: Sequence[str]) -> Sought:
    """What the task of a search must look like."""
    sent = search.sent_at.timestamp()
    return Sought(
        model=search.order.model,
        vendor_ids=frozenset(vendor_ids),
        customer=search.customer,
        expires_after=None if search.nonce is None else expires_after(search.nonce, search.seconds_left),
        tier=tier_of(search.order),
        draft_task=_draft_task(search),
        order=search.order,
        since=sent - SLACK_SECONDS,
        now=sent + search.seconds_since,
        others=search.others,
    )


def match(task: Task, like: Sought, ahead: float = 0.0) -> Match:
    """Whether this is the task. Another's name on it decides at once; what is missing leaves a doubt, and so does a
    task with our name on it that is not what was ordered."""
    latest = like.now + SLACK_SECONDS
    signs = (
        _same(task.customer, like.customer),
        _same(task.expires_after, like.expires_after),
        None if task.created_at is None else like.since <= task.created_at - ahead <= latest,
        _is_model(task.model, like),
    )
    strange = (_same(task.service_tier, like.tier), _same(task.draft_task, like.draft_task))
    if task.id in like.others or False in signs or False in strange:
        return Match.NO
    return Match.PERHAPS if None in signs or not _as_ordered(task, like.order) else Match.YES


def _same(said: object, like: object) -> bool | None:
    """Whether two are equal; None where one of them is not known."""
    return None if said is None or like is None else said == like


def _as_ordered(task: Task, order: Order) -> bool:
    """Whether nothing that the task tells is against the order. Before its end it tells little: that is no doubt."""
    model = find_model(order.model)
    body = fields_of(order, model) if model is not None else {}
    ratio = body.get("ratio")
    told = (
        _same(task.resolution and task.resolution.lower(), body.get("resolution")),
        _same(task.ratio, None if ratio == ADAPTIVE else ratio),
        _same(task.duration, None if body.get("duration") == -1 else body.get("duration")),
        _same(task.frames, body.get("frames")),
        _same(task.seed, body.get("seed")),
        _same(task.generate_audio, body.get("generate_audio")),
        _same(task.draft, order.draft if order.mode is not Mode.FINAL else None),
    )
    return False not in told


def _draft_task(search: Search) -> str | None:
    note = read_note(search.draft) if search.draft is not None else None
    return None if note is None else note.id


def _is_model(said: str | None, like: Sought) -> bool | None:
    """An endpoint's name is answered with the model behind it; a name that is not in the catalogue says nothing."""
    if said is None:
        return None
    if said in like.vendor_ids:
        return True
    known = find_model(said)
    return None if known is None else known.name == like.model
