"""Lists: a page at hand, and the way to all the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import msgspec

from seedance.answer import Answer, from_dict
from seedance.drive import AsyncDriver, Driver
from seedance.errors import UnexpectedAnswer
from seedance.flow import Call, Flow, emit
from seedance.objects import Model, Video
from seedance.paths import model_path
from seedance.retry import Retries, decode, decode_json, request

Item = TypeVar("Item", bound=Answer)
Order: TypeAlias = Literal["asc", "desc"]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A page as the server sent it, its items still undecoded."""

    data: list[dict[str, Any]]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """One page."""

    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


@dataclass(frozen=True, slots=True)
class Query(Generic[Item]):
    """Which list, of which kind of things, and from where."""

    retries: Retries
    path: str
    kind: type[Item]
    limit: int | None = None
    after: str | None = None
    filters: Mapping[str, str | None] = field(default_factory=dict[str, str | None])

    def params(self) -> dict[str, str | int]:
        fields = {"limit": self.limit, "after": self.after, **self.filters}
        return {name: value for name, value in fields.items() if value is not None}


class Page(Generic[Item]):
    """A page of a list in `data`. Iterating goes on through all the pages that follow."""

    def __init__(self, listing: Listing[Item], query: Query[Item], driver: Driver) -> None:
        self.data, self.has_more = listing.data, listing.has_more
        self.first_id, self.last_id = listing.first_id, listing.last_id
        self._listing, self._query, self._driver = listing, query, driver

    def __iter__(self) -> Iterator[Item]:
        return self._driver.iterate(all_items(self._listing, self._query))

    def next_page(self) -> Page[Item] | None:
        query = following(self._listing, self._query)
        return None if query is None else Page(self._driver.run(list_items(query)), query, self._driver)


class AsyncPage(Generic[Item]):
    """A page of a list in `data`. `async for` goes on through all the pages that follow."""

    def __init__(self, listing: Listing[Item], query: Query[Item], driver: AsyncDriver) -> None:
        self.data, self.has_more = listing.data, listing.has_more
        self.first_id, self.last_id = listing.first_id, listing.last_id
        self._listing, self._query, self._driver = listing, query, driver

    def __aiter__(self) -> AsyncIterator[Item]:
        return self._driver.iterate(all_items(self._listing, self._query))

    async def next_page(self) -> AsyncPage[Item] | None:
        query = following(self._listing, self._query)
        if query is None:
            return None
        return AsyncPage(await self._driver.run(list_items(query)), query, self._driver)


def all_items(listing: Listing[Item], query: Query[Item]) -> Flow[None]:
    while True:
        for item in listing.data:
            yield from emit(item)
        onward = following(listing, query)
        if onward is None:
            return
        query = onward
        listing = yield from list_items(query)


def following(listing: Listing[Item], query: Query[Item]) -> Query[Item] | None:
    last_id = listing.last_id
    if not listing.has_more or not listing.data or last_id is None:
        return None
    # A server that repeats a page would otherwise keep us forever.
    if last_id == query.after:
        raise UnexpectedAnswer("the list does not advance")
    return replace(query, after=last_id)


def list_items(query: Query[Item]) -> Flow[Listing[Item]]:
    reply = yield from request(Call("GET", query.path, params=query.params()), query.retries)
    data = decode_json(reply)
    try:
        frame = msgspec.convert(data, Frame)
        items = [from_dict(item, query.kind) for item in frame.data]
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is no list of {query.kind.__name__}: {error}") from None
    last_id = frame.last_id
    if last_id is None and items:
        last_id = items[-1].raw.get("id")
    return Listing(items, frame.first_id, last_id, frame.has_more)


def video_query(
    retries: Retries, limit: int | None, after: str | None, order: Order | None, status: str | None, model: str | None
) -> Query[Video]:
    filters = {"order": order, "status": status, "model": model}
    return Query(retries, "/v1/videos", Video, limit, after, filters)


def list_models(retries: Retries) -> Flow[list[Model]]:
    reply = yield from request(Call("GET", "/v1/models"), retries)
    try:
        models = msgspec.convert(decode_json(reply).get("data"), list[dict[str, object]])
        return [from_dict(model, Model) for model in models]
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is not a list of models: {error}") from None


def retrieve_model(model: str, retries: Retries) -> Flow[Model]:
    return decode((yield from request(Call("GET", model_path(model)), retries)), Model)
