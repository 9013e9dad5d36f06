"""Rows of money. Amounts are whole micro-dollars: millionths of the row's currency."""

from datetime import date, datetime
from enum import StrEnum

import msgspec


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """An account's money. `granted` is the part of `available` and `held` together that came as grants."""

    account_id: str
    currency: str
    available: int
    held: int
    granted: int
    grants_expired: bool
    low: int | None = None
    """What its owner wants to hear of when less is available."""


class HoldState(StrEnum):
    """Where a hold is. It leaves `held` once."""

    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `hold`: what one generation may cost its customer, and what it did."""

    generation_id: str
    account_id: str
    key_id: str
    currency: str
    price_version: int
    rate: int
    quoted_tokens: int
    quoted: int
    amount: int
    counted_on: date
    state: HoldState
    tokens: int | None
    resolution: str | None
    charged: int | None
    waived: int
    refunded: int
    reason: str | None
    created_at: datetime
    resolved_at: datetime | None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `credit_grant`, as far as spending and expiry need it. `held` is what was put on hold before it ends."""

    id: str
    remaining: int
    expires_at: datetime
    expired: bool
    held: int


class Period(StrEnum):
    """What a spending limit counts: a UTC day, a UTC month, or all there ever was."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A spending limit. `subject` is an account's or a key's id; `spent` counts the window that began on `since`."""

    subject: str
    period: Period
    account_id: str
    most: int
    since: date
    spent: int
    warned: int
    refused: bool


class TransferKind(StrEnum):
    """What a transfer is for. From which account of the ledger to which each goes is in `TRANSFERS`."""

    CREDIT = "credit"
    GRANT = "grant"
    EXPIRY = "expiry"
    ADJUSTMENT = "adjustment"
    HOLD = "hold"
    RELEASE = "release"
    CHARGE = "charge"
    REFUND = "refund"
    WAIVER = "waiver"
    UPSTREAM = "upstream"


TRANSFERS: dict[TransferKind, tuple[str, str]] = {
    TransferKind.CREDIT: ("payments", "available"),
    TransferKind.GRANT: ("grants", "available"),
    TransferKind.EXPIRY: ("available", "grants"),
    TransferKind.ADJUSTMENT: ("available", "adjustments"),
    TransferKind.HOLD: ("available", "held"),
    TransferKind.RELEASE: ("held", "available"),
    TransferKind.CHARGE: ("held", "revenue"),
    TransferKind.REFUND: ("revenue", "available"),
    TransferKind.WAIVER: ("write_off", "revenue"),
    TransferKind.UPSTREAM: ("upstream_cost", "upstream"),
}
"""Source and target of each kind; a CHECK of the table says the same, and a test compares the two."""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `transfer`, to be written. It is never changed."""

    kind: TransferKind
    account_id: str
    currency: str
    amount: int
    generation_id: str | None = None
    grant_id: str | None = None
    reference: str | None = None
    reason: str | None = None
    author: str = "system"


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """A completed generation, as usage counts it. `tokens` is None where the provider told none."""

    generation_id: str
    account_id: str
    key_id: str
    livemode: bool
    provider: str = ""
    model: str
    resolution: str
    seconds: float
    tokens: int | None
    quoted_tokens: int
