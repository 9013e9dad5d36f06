"""Lists: a page at hand, and the way to all the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import msgspec

from seedance.answer import from_dict
from seedance.drive import AsyncDriver, Driver
from seedance.errors import UnexpectedAnswer
from seedance.flow import Call, Flow, emit
from seedance.objects import Model, Video
from seedance.paths import model_path
from seedance.retry import Retries, decode, decode_json, request

Order: TypeAlias = Literal["asc", "desc"]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One page as the server sent it."""

    data: list[Video]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Which videos, in which order, from where."""

    retries: Retries
    limit: int | None = None
    after: str | None = None
    order: Order | None = None
    status: str | None = None
    model: str | None = None

    def params(self) -> dict[str, str | int]:
        fields = {
            "limit": self.limit,
            "after": self.after,
            "order": self.order,
            "status": self.status,
            "model": self.model,
        }
        return {name: value for name, value in fields.items() if value is not None}


class Page:
    """A page of videos in `data`. Iterating goes on through all the pages that follow."""

    def __init__(self, listing: Listing, query: Query, driver: Driver) -> None:
        self.data, self.has_more = listing.data, listing.has_more
        self.first_id, self.last_id = listing.first_id, listing.last_id
        self._listing, self._query, self._driver = listing, query, driver

    def __iter__(self) -> Iterator[Video]:
        return self._driver.iterate(all_videos(self._listing, self._query))

    def next_page(self) -> Page | None:
        query = following(self._listing, self._query)
        return None if query is None else Page(self._driver.run(list_videos(query)), query, self._driver)


class AsyncPage:
    """A page of videos in `data`. `async for` goes on through all the pages that follow."""

    def __init__(self, listing: Listing, query: Query, driver: AsyncDriver) -> None:
        self.data, self.has_more = listing.data, listing.has_more
        self.first_id, self.last_id = listing.first_id, listing.last_id
        self._listing, self._query, self._driver = listing, query, driver

    def __aiter__(self) -> AsyncIterator[Video]:
        return self._driver.iterate(all_videos(self._listing, self._query))

    async def next_page(self) -> AsyncPage | None:
        query = following(self._listing, self._query)
        if query is None:
            return None
        return AsyncPage(await self._driver.run(list_videos(query)), query, self._driver)


def all_videos(listing: Listing, query: Query) -> Flow[None]:
    while True:
        for video in listing.data:
            yield from emit(video)
        onward = following(listing, query)
        if onward is None:
            return
        query = onward
        listing = yield from list_videos(query)


def following(listing: Listing, query: Query) -> Query | None:
    if not listing.has_more or not listing.data:
        return None
    last_id = listing.last_id or listing.data[-1].id
    # A server that repeats a page would otherwise keep us forever.
    if last_id == query.after:
        raise UnexpectedAnswer("the list does not advance")
    return replace(query, after=last_id)


def list_videos(query: Query) -> Flow[Listing]:
    reply = yield from request(Call("GET", "/v1/videos", params=query.params()), query.retries)
    data = decode_json(reply)
    try:
        videos = msgspec.convert(data.pop("data", None), list[dict[str, object]])
        rest = msgspec.convert(data | {"data": []}, Listing)
        return msgspec.structs.replace(rest, data=[from_dict(video, Video) for video in videos])
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is not a list of videos: {error}") from None


def list_models(retries: Retries) -> Flow[list[Model]]:
    reply = yield from request(Call("GET", "/v1/models"), retries)
    try:
        models = msgspec.convert(decode_json(reply).get("data"), list[dict[str, object]])
        return [from_dict(model, Model) for model in models]
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the answer is not a list of models: {error}") from None


def retrieve_model(model: str, retries: Retries) -> Flow[Model]:
    return decode((yield from request(Call("GET", model_path(model)), retries)), Model)
