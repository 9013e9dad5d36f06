"""Read: a page of the request log. Counts by hour tell where to look, so that no page reads far more than it shows."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.ids import id_at, moment_of
from seedance_api.traffic.queries import hours_with, plan_for_values, requests_within
from seedance_api.traffic.rows import LoggedRequest, RequestFilter

_HOUR = timedelta(hours=1)
_EDGES = 2
"""Hours that may have nothing on the page though they have such requests: where it begins, and where `since` is."""


async def requests_page(db: Database, wanted: RequestFilter, *, after: str | None, limit: int) -> list[LoggedRequest]:
    """The newest such requests behind the id `after`, at most `limit`."""
    async with db.transaction(readonly=True) as connection:
        await plan_for_values(connection)
        return await _page(connection, wanted, after, limit)


async def _page(connection: Connection, wanted: RequestFilter, after: str | None, limit: int) -> list[LoggedRequest]:
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    before = min(now + _HOUR, wanted.until or now + _HOUR)
    if after is not None and after < id_at("req", before):  # an id may be of a time that no calendar has
        before = moment_of(after)
    end = min(after or id_at("req", before), id_at("req", before + _HOUR if wanted.until is None else wanted.until))
    found: list[LoggedRequest] = []
    # each hour has at least one such request, but for those at the edges
    hours = await hours_with(connection, wanted, before, limit + _EDGES)
    spans = [(hours[-1], hours[0] + _HOUR)] if hours and _has_index(wanted) else _runs(hours)
    for first, past in spans:
        begin = id_at("req", max(first, wanted.since) if wanted.since else first)
        found += await requests_within(connection, wanted, begin, min(end, id_at("req", past)), limit - len(found))
        if len(found) == limit:
            break
    return found


def _has_index(wanted: RequestFilter) -> bool:
    """Whether an index has just these requests, so that it costs nothing to read over hours that have none."""
    match (wanted.account_id is not None, wanted.key_id is not None, wanted.endpoint is not None, wanted.status_class):
        case (_, False, False, None) | (_, True, False, None) | (True, False, True, None):
            return True
        case (True, False, False, 4 | 5):
            return True
        case _:
            return False


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
