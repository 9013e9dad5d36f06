"""What can be downloaded: rendered when it is first asked for, kept while there is room."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from fakes.ark.media import links
from fakes.ark.media.film import Film, last_frame, render

_Key = tuple[str, Film]


@dataclass(slots=True)
class Item:
    """One file behind a link."""

    task_id: str
    model_id: str
    prompt: str
    film: Film
    kind: str
    """video or frame."""
    expires_at: float
    downloads: int = 0

    @property
    def media_type(self) -> str:
        """The Content-Type."""
        return "image/jpeg" if self.kind == "frame" else "video/quicktime" if self.film.mov else "video/mp4"


class Library:
    """All files, and a cache of their bytes."""

    def __init__(self, *, most_bytes: int, most_items: int, keep_seconds: float) -> None:
        self._items: dict[str, Item] = {}
        self._cache: OrderedDict[_Key, bytes] = OrderedDict()
        self._making: dict[_Key, asyncio.Future[bytes]] = {}
        self._room = most_bytes
        self._most_items = most_items
        self._keep_seconds = keep_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="render")

    def add(self, item: Item, base: str) -> str:
        """Offer a file; returns its signed link."""
        extension = "jpeg" if item.kind == "frame" else "mov" if item.film.mov else "mp4"
        path = f"{links.BUCKET}/{item.task_id}.{extension}"
        self._items[path] = item
        if len(self._items) > self._most_items:
            del self._items[next(iter(self._items))]
        return links.sign(base, path, time.time())

    def new_expiry(self) -> float:
        """When a file that is made now is lost."""
        return time.time() + self._keep_seconds

    def find(self, path: str) -> Item | None:
        """The file behind a path."""
        return self._items.get(path)

    def of_task(self, task_id: str) -> list[Item]:
        """The files of a task."""
        return [item for item in self._items.values() if item.task_id == task_id]

    def prune(self) -> None:
        """Forget what has been lost for a while; until then the answer is 403, not 404."""
        now = time.time() - self._keep_seconds
        for path in [path for path, item in self._items.items() if item.expires_at < now]:
            del self._items[path]

    def clear(self) -> None:
        """Forget all files, but keep what is rendered."""
        self._items.clear()

    async def read(self, item: Item, size: tuple[int, int] | None = None) -> bytes:
        """The bytes; of another size if a fault wants that."""
        film = replace(item.film, width=size[0], height=size[1]) if size else item.film
        key = item.kind, film
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        if key not in self._making:
            make: Callable[[Film], bytes] = last_frame if item.kind == "frame" else render
            self._making[key] = asyncio.get_running_loop().run_in_executor(self._thread, make, film)
        try:
            data = await asyncio.shield(self._making[key])
        finally:
            self._making.pop(key, None)
        self._remember(key, data)
        return data

    def _remember(self, key: _Key, data: bytes) -> None:
        self._cache[key] = data
        while len(self._cache) > 1 and sum(map(len, self._cache.values())) > self._room:
            self._cache.popitem(last=False)
