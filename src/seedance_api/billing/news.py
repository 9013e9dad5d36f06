"""News: what the owner of an account wants to hear of his money, and who is to tell him in the same transaction."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from seedance_api.billing.decide import Low
from seedance_api.foundation.db import Connection
from seedance_api.foundation.money import format_amount


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A balance that is low now, or a limit that is reached."""

    kind: Literal["balance.low", "key.limit_reached"]
    account_id: str
    data: dict[str, Any]


Announce: TypeAlias = Callable[[Connection, Sequence[News]], Awaitable[None]]
"""Writes news as events, in the transaction that makes them true. Every verb that may lower a balance is handed one."""


def low_balance(low: Low) -> News:
    """A balance that fell below what its owner wants to hear of."""
    return News(
        kind="balance.low",
        account_id=low.account_id,
        data={
            "available": format_amount(low.available),
            "threshold": format_amount(low.threshold),
            "currency": low.currency,
        },
    )
