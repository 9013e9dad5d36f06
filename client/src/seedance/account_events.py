"""`client.events`: everything that happened, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from seedance.drive import AsyncDriver, Driver
from seedance.flow import Call, Flow, emit, sleep
from seedance.pages import AsyncPage, Page, Query, list_items
from seedance.paths import event_path
from seedance.retry import Retries, decode, request
from seedance.webhook_objects import Event

FOLLOW_SECONDS = 2.0


class Events:
    """Everything that happened, the oldest first."""

    def __init__(self, driver: Driver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    def list(self, *, after: str | None = None, type: str | None = None, limit: int | None = None) -> Page[Event]:  # noqa: A002 – the service's name
        """A page of `limit` events behind the event `after`; iterate over it for all up to now."""
        query = event_query(self._retries, after, type, limit)
        return Page(self._driver.run(list_items(query)), query, self._driver)

    def follow(
        self,
        *,
        after: str | None = None,
        type: str | None = None,  # noqa: A002 – the service's name
        every: float = FOLLOW_SECONDS,
    ) -> Iterator[Event]:
        """All events behind `after`, and then each that happens; asks every so many seconds and never ends."""
        return self._driver.iterate(follow_events(event_query(self._retries, after, type, None), every))

    def retrieve(self, event: str | Event) -> Event:
        return self._driver.run(retrieve_event(event, self._retries))


class AsyncEvents:
    """Everything that happened, the oldest first, for asyncio."""

    def __init__(self, driver: AsyncDriver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    async def list(
        self,
        *,
        after: str | None = None,
        type: str | None = None,  # noqa: A002 – the service's name
        limit: int | None = None,
    ) -> AsyncPage[Event]:
        """A page of `limit` events behind the event `after`; `async for` gives all up to now."""
        query = event_query(self._retries, after, type, limit)
        return AsyncPage(await self._driver.run(list_items(query)), query, self._driver)

    def follow(
        self,
        *,
        after: str | None = None,
        type: str | None = None,  # noqa: A002 – the service's name
        every: float = FOLLOW_SECONDS,
    ) -> AsyncIterator[Event]:
        """All events behind `after`, and then each that happens; asks every so many seconds and never ends."""
        return self._driver.iterate(follow_events(event_query(self._retries, after, type, None), every))

    async def retrieve(self, event: str | Event) -> Event:
        return await self._driver.run(retrieve_event(event, self._retries))


def event_query(retries: Retries, after: str | None, kind: str | None, limit: int | None) -> Query[Event]:
    return Query(retries, "/v1/events", Event, limit, after, {"type": kind})


def follow_events(query: Query[Event], every_seconds: float) -> Flow[None]:
    while True:
        listing = yield from list_items(query)
        for event in listing.data:
            yield from emit(event)
        if not listing.has_more or listing.last_id in (None, query.after):
            yield from sleep(every_seconds)
        query = replace(query, after=listing.last_id or query.after)


def retrieve_event(event: str | Event, retries: Retries) -> Flow[Event]:
    return decode((yield from request(Call("GET", event_path(event)), retries)), Event)
