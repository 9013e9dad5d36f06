"""What customers see of their account's money, and may say of it."""

from typing import Literal

import msgspec


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """A spending limit of the account or of the key that asks, and what is left of it."""

    scope: Literal["account", "key"]
    key_id: str | None
    period: Literal["day", "month", "total"]
    limit: str
    spent: str
    left: str
    resets_at: int | None


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The account's money: decimal strings. `granted` is the part of it that was given, and is spent first."""

    object: Literal["balance"] = "balance"
    currency: str
    available: str
    """What can be spent."""
    held: str
    """What is set aside for unfinished videos."""
    granted: str
    """The part of both that was given and not paid; it is spent first."""
    low_balance: str | None
    """Below what is available the event `balance.low` tells of it; null for never."""
    limits: list[LimitView]
    """The spending limits of the account and of this key, each with `scope`, `key_id`, `period` (`day`, `month` or
    `total`), `limit`, `spent`, `left` and `resets_at`."""
    livemode: bool
    """Whether the key is a live key; a test key has no money."""
    sandbox: bool
    """Whether the key's videos are the sandbox's."""


class SetBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of an account may say of its balance."""

    low_balance: str | float | None = None
    """An amount, such as `5.00`; null to hear nothing."""


class TotalsView(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the whole range."""

    videos: int
    """Completed videos."""
    seconds: str
    """Their length."""
    tokens: int
    """Their video tokens."""
    charged: str
    """What was charged for them."""
    refunded: str
    """What was refunded, on the day of the refund."""


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one group. What is not grouped by is null."""

    object: Literal["usage"] = "usage"
    day: str | None
    """The UTC day; null when it is not grouped by."""
    model: str | None
    """The model; null when it is not grouped by."""
    key_id: str | None
    """The key; null when it is not grouped by."""
    videos: int
    """Completed videos."""
    seconds: str
    """Their length."""
    tokens: int
    """Their video tokens."""
    charged: str
    """What was charged for them."""
    refunded: str
    """What was refunded, on the day of the refund."""


class UsageList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of groups, with the sums of all of them. `next` is the `after` of the next page."""

    object: Literal["list"] = "list"
    data: list[UsageView]
    """The groups of this page, each with `day`, `model`, `key_id`, `videos`, `seconds`, `tokens`, `charged` and
    `refunded`. What is not grouped by is null."""
    totals: TotalsView
    """The sums of all groups, not of this page only. They equal the ledger's."""
    currency: str
    since: str = msgspec.field(name="from")
    """The first UTC day counted in."""
    until: str = msgspec.field(name="to")
    """The last UTC day counted in."""
    livemode: bool
    """Whether the key is a live key."""
    sandbox: bool
    """Whether the key's videos are the sandbox's."""
    has_more: bool
    next: str | None
    """The `after` of the next page; null for the last."""
