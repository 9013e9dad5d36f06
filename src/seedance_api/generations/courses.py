"""Courses: generations under way against how long such orders took. A read of its own, so that others pay nothing."""

from collections.abc import Sequence

import msgspec

from seedance_api.foundation.db import Database
from seedance_api.generations.estimate import Course
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import State

_UNDER_WAY = (State.RUNNING, State.STORING)


async def mark(db: Database, found: Sequence[Seen]) -> list[Seen]:
    """The same generations, those under way with their courses where there is anything to compare them with."""
    ids = [seen.id for seen in found if seen.state in _UNDER_WAY]
    if not ids:
        return list(found)
    courses = await _courses(db, ids)
    return [msgspec.structs.replace(seen, course=courses[seen.id]) if seen.id in courses else seen for seen in found]


async def _courses(db: Database, ids: list[str]) -> dict[str, Course]:
    """From when its provider began, or else had it."""
    found = await db.fetch(
        """
        SELECT g.id, ARRAY[extract(epoch FROM s.since), extract(epoch FROM now() - s.since), d.p50, d.p90]::float8[]
            AS course
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
    return {record["id"]: Course(*record["course"]) for record in found}
