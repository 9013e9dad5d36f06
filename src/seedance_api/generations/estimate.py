"""Estimates for those who wait: when a generation may be finished, and how far it may be. Pure arithmetic."""

from math import ceil, floor

import msgspec

_MOST_PROGRESS = 95


class Course(msgspec.Struct, frozen=True, array_like=True):
    """A generation under way, against how long such orders took: half of them up to `p50` seconds, nine of ten `p90`.

    `since` is in Unix seconds, `elapsed` the seconds since then; both by the database's clock.
    """

    since: float
    elapsed: float
    p50: float
    p90: float


def eta(course: Course | None) -> int | None:
    """The Unix second at which it should be finished; None where that is not known, or was long ago."""
    if course is None:
        return None
    ahead = [seconds for seconds in (course.p50, course.p90) if seconds > course.elapsed]
    return ceil(course.since + ahead[0]) if ahead else None


def progress(course: Course | None, told: int) -> int:
    """The progress of one whose provider tells none: as much of `p90` as has passed, and never less than `told`."""
    if course is None or course.p90 <= 0:
        return told
    return max(told, floor(min(_MOST_PROGRESS, 100 * max(0.0, course.elapsed) / course.p90)))
