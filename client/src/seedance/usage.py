"""What was made and charged: a page of rows at hand, and the way to all the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, TypeAlias

import msgspec

from seedance.answer import Answer, from_dict
from seedance.drive import AsyncDriver, Driver
from seedance.errors import UnexpectedAnswer
from seedance.flow import Call, Flow, emit
from seedance.money import Usage, UsageTotals
from seedance.retry import Retries, decode_json, request

Group: TypeAlias = Literal["day", "model", "key"]


class UsageListing(Answer, frozen=True, kw_only=True):
    """One page as the server sent it."""

    totals: UsageTotals
    currency: str
    data: list[Usage] = msgspec.field(default_factory=list[Usage])
    start: date | None = msgspec.field(default=None, name="from")
    end: date | None = msgspec.field(default=None, name="to")
    livemode: bool | None = None
    has_more: bool = False
    next: str | None = None


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which days, grouped by what, from where."""

    retries: Retries
    start: str | date | None = None
    end: str | date | None = None
    group_by: str | Sequence[Group] | None = None
    limit: int | None = None
    after: str | None = None

    def params(self) -> dict[str, str | int]:
        groups = self.group_by
        fields = {
            "from": None if self.start is None else str(self.start),
            "to": None if self.end is None else str(self.end),
            "group_by": groups if groups is None or isinstance(groups, str) else ",".join(groups),
            "limit": self.limit,
            "after": self.after,
        }
        return {name: value for name, value in fields.items() if value is not None}


class UsageFacts:
    """What a page says about the whole range: `totals`, `currency`, the days it goes from and to."""

    def __init__(self, listing: UsageListing) -> None:
        self.data, self.has_more, self.next = listing.data, listing.has_more, listing.next
        self.totals, self.currency, self.livemode = listing.totals, listing.currency, listing.livemode
        self.start, self.end = listing.start, listing.end
        self.raw: dict[str, Any] = listing.raw


class UsagePage(UsageFacts):
    """A page of rows in `data`. Iterating goes on through all the pages that follow."""

    def __init__(self, listing: UsageListing, query: UsageQuery, driver: Driver) -> None:
        super().__init__(listing)
        self._listing, self._query, self._driver = listing, query, driver

    def __iter__(self) -> Iterator[Usage]:
        return self._driver.iterate(all_usage(self._listing, self._query))

    def next_page(self) -> UsagePage | None:
        query = following(self._listing, self._query)
        return None if query is None else UsagePage(self._driver.run(list_usage(query)), query, self._driver)


class AsyncUsagePage(UsageFacts):
    """A page of rows in `data`. `async for` goes on through all the pages that follow."""

    def __init__(self, listing: UsageListing, query: UsageQuery, driver: AsyncDriver) -> None:
        super().__init__(listing)
        self._listing, self._query, self._driver = listing, query, driver

    def __aiter__(self) -> AsyncIterator[Usage]:
        return self._driver.iterate(all_usage(self._listing, self._query))

    async def next_page(self) -> AsyncUsagePage | None:
        query = following(self._listing, self._query)
        if query is None:
            return None
        return AsyncUsagePage(await self._driver.run(list_usage(query)), query, self._driver)


def all_usage(listing: UsageListing, query: UsageQuery) -> Flow[None]:
    while True:
        for row in listing.data:
            yield from emit(row)
        onward = following(listing, query)
        if onward is None:
            return
        query = onward
        listing = yield from list_usage(query)


def following(listing: UsageListing, query: UsageQuery) -> UsageQuery | None:
    if not listing.has_more or listing.next is None:
        return None
    # A server that repeats a page would otherwise keep us forever.
    if listing.next == query.after:
        raise UnexpectedAnswer("the usage does not advance")
    # The range that was answered, so that the default one cannot change between two pages.
    return replace(query, after=listing.next, start=listing.start or query.start, end=listing.end or query.end)


def list_usage(query: UsageQuery) -> Flow[UsageListing]:
    reply = yield from request(Call("GET", "/v1/usage", params=query.params()), query.retries)
    data = decode_json(reply)
    try:
        rows = msgspec.convert(data.get("data"), list[dict[str, object]])
        listing = from_dict(data | {"data": []}, UsageListing)
        return msgspec.structs.replace(listing, raw=data, data=[from_dict(row, Usage) for row in rows])
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is no usage: {error}") from None
