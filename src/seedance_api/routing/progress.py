"""Progress: a generation under way against how long such orders took, for those who wait."""

from math import ceil, floor

import msgspec

from seedance_api.foundation.db import Database

_MAX_PROGRESS = 95


class Timing(msgspec.Struct, frozen=True, array_like=True):
    """A generation under way against how long such orders took: half of them up to `p50` seconds, nine of ten `p90`.

    `since` is in Unix seconds, `elapsed` the seconds since then; both by the database's clock.
    """

    since: float
    elapsed: float
    p50: float
    p90: float


def eta(timing: Timing | None) -> int | None:
    """The Unix second at which it should be finished; None where that is not known, or was long ago."""
    if timing is None:
        return None
    ahead = [seconds for seconds in (timing.p50, timing.p90) if seconds > timing.elapsed]
    return ceil(timing.since + ahead[0]) if ahead else None


def progress(timing: Timing | None, told: int) -> int:
    """The progress of one whose provider tells none: as much of `p90` as has passed, and never less than `told`."""
    if timing is None or timing.p90 <= 0:
        return told
    return max(told, floor(min(_MAX_PROGRESS, 100 * max(0.0, timing.elapsed) / timing.p90)))


async def timings(db: Database, ids: list[str]) -> dict[str, Timing]:
    """Of those of these generations that are under way and like earlier ones: from when a provider began, or had it.

    A read of its own, so that others pay nothing.
    """
    found = await db.fetch(
        """
        SELECT g.id, ARRAY[extract(epoch FROM s.since), extract(epoch FROM now() - s.since), d.p50, d.p90]::float8[]
            AS timing
        FROM generation g
        CROSS JOIN LATERAL (
            SELECT coalesce((
                SELECT begun_at FROM attempt a
                WHERE a.generation_id = g.id AND a.state IN ('acknowledged', 'succeeded')
                ORDER BY a.created_at DESC LIMIT 1
            ), g.started_at) AS since
        ) s
        JOIN duration d ON d.provider = g.provider AND d.model = g.model AND d.resolution = g.params ->> 'resolution'
            AND d.seconds = round((g.params ->> 'seconds')::float8)::int
        WHERE g.id = ANY ($1) AND g.state IN ('running', 'storing')
        """,
        ids,
    )
    return {record["id"]: Timing(*record["timing"]) for record in found}
