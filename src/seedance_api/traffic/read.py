"""Read: a page of the request log. Counts by hour tell where to look, so that no page reads far more than it shows."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import id_at, moment_of
from seedance_api.traffic.queries import hours_with, requests_within
from seedance_api.traffic.rows import LoggedRequest, RequestFilter

_HOUR = timedelta(hours=1)
_EDGES = 2
"""Hours that may have nothing on the page though they have such requests: where it begins, and where `since` is."""


async def requests_page(db: Database, wanted: RequestFilter, *, after: str | None, limit: int) -> list[LoggedRequest]:
    """The newest such requests behind the id `after`, at most `limit`."""
    now: datetime = await db.fetchval("SELECT clock_timestamp()")
    before = min(now + _HOUR, wanted.until or now + _HOUR)
    if after is not None and after < id_at("req", before):  # an id may be of a time that no calendar has
        before = moment_of(after)
    end = min(after or id_at("req", before), id_at("req", before + _HOUR if wanted.until is None else wanted.until))
    found: list[LoggedRequest] = []
    # each hour has at least one such request, but for those at the edges
    for first, past in _runs(await hours_with(db, wanted, before, limit + _EDGES)):
        begin = id_at("req", max(first, wanted.since) if wanted.since else first)
        found += await requests_within(db, wanted, begin, min(end, id_at("req", past)), limit - len(found))
        if len(found) == limit:
            break
    return found


def _runs(hours: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Hours that follow each other, newest first, as the beginning and the end of each run."""
    run: tuple[datetime, datetime] | None = None
    for hour in hours:
        if run is not None and hour + _HOUR == run[0]:
            run = hour, run[1]
            continue
        if run is not None:
            yield run
        run = hour, hour + _HOUR
    if run is not None:
        yield run
