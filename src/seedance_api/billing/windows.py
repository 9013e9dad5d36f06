"""Windows: the days, months and whole times over which spending limits count."""

from datetime import date

import msgspec

from seedance_api.billing.rows import Limit, Period

_ALWAYS = date(2000, 1, 1)
"""The first day of the window that never ends."""


def in_window(limit: Limit, today: date) -> Limit:
    """The limit on this day: when a new window has begun, nothing is spent in it yet."""
    since = window_of(limit.period, today)
    if since <= limit.since:
        return limit
    return msgspec.structs.replace(limit, since=since, spent=0, warned=0, refused=False)


def window_of(period: Period, day: date) -> date:
    """The first day of the window that a day lies in."""
    match period:
        case Period.DAY:
            return day
        case Period.MONTH:
            return day.replace(day=1)
        case Period.TOTAL:
            return _ALWAYS


def next_window(period: Period, since: date) -> date | None:
    """The first day of the window after that one; None for the one that never ends."""
    match period:
        case Period.DAY:
            return date.fromordinal(since.toordinal() + 1)
        case Period.MONTH:
            return date(since.year + since.month // 12, since.month % 12 + 1, 1)
        case Period.TOTAL:
            return None
