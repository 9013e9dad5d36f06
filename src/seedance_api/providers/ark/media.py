"""The inputs as the vendor takes them: a link to our store, the bytes in the body, or the vendor's own asset."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import Literal, assert_never

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from seedance_api.catalog.order import Kind, Role
from seedance_api.foundation.store_trouble import is_silent
from seedance_api.providers.ark.write import Item
from seedance_api.providers.provider import Input, NotSent, Refused

MAX_BODY_BYTES = 63_000_000
"""Bytes of base64 in one body: the vendor takes 64 MB in all (82379/1520757)."""

Link = Callable[[Input], str]
"""A link to an input in our store that the vendor can fetch without a key, and nobody can guess."""

_FORMATS = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "image/jpg": "image/jpeg"}
_GONE = Refused("input_unreadable", "An input file is no longer there. Send it again.")
_LARGE = Refused("input_unreadable", "The input files together are larger than the provider takes (64 MB as base64).")
_UNREADABLE = NotSent("the object store cannot be read")
_NO_WAY = Refused("input_unreadable", "This provider cannot be given input videos: it has no way to fetch them.")


class Media:
    """Makes `content` items of inputs. `link` is None where the vendor cannot reach us at all."""

    def __init__(self, *, store: ObjectStore, link: Link | None, prefer: Literal["link", "data"]) -> None:
        self._store, self._link, self._prefer = store, link, prefer

    async def items(self, inputs: Sequence[Input]) -> list[Item] | Refused | NotSent:
        """The items, in the order of the inputs, by which a prompt counts them."""
        items: list[Item] = []
        room = MAX_BODY_BYTES
        for one in inputs:
            url = await self._url(one, room)
            if not isinstance(url, str):
                return url
            if url.startswith("data:"):
                room -= len(url)
            items.append(_item(one, url))
        return items

    async def _url(self, one: Input, room: int) -> str | Refused | NotSent:
        if one.asset is not None:
            return one.asset if one.asset.startswith("asset://") else _GONE
        if one.object_key is None:
            return _GONE
        if self._link is not None and (self._prefer == "link" or one.kind is Kind.VIDEO):
            return self._link(one)
        if one.kind is Kind.VIDEO:  # a data URL is refused for one
            return _NO_WAY
        return await self._data(one.object_key, one.media_type or "", room)

    async def _data(self, key: str, media_type: str, room: int) -> str | Refused | NotSent:
        try:
            found = await obstore.get_async(self._store, key)
            if found.meta["size"] * 4 // 3 + 100 > room:
                return _LARGE
            content = await found.bytes_async()
        except FileNotFoundError:
            return _GONE if await is_silent(self._store) is None else _UNREADABLE
        except (BaseError, OSError) as trouble:
            return NotSent(f"the object store cannot be read: {type(trouble).__name__}")
        named = media_type.lower()
        encoded = await asyncio.to_thread(base64.b64encode, bytes(content))
        return f"data:{_FORMATS.get(named, named)};base64,{encoded.decode('ascii')}"


def _item(one: Input, url: str) -> Item:
    kind = f"{one.kind.value}_url"
    return {"type": kind, kind: {"url": url}, "role": _role(one)}


def _role(one: Input) -> str:
    match one.role:
        case Role.FIRST_FRAME | Role.LAST_FRAME:
            return one.role.value
        case Role.REFERENCE:
            return f"reference_{one.kind.value}"
        case _:
            assert_never(one.role)
