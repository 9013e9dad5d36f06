"""A cache that is valid by the grace of notifications: what changes is forgotten, and nothing is believed while nobody
would hear of a change."""

import time
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class HeardCache(Generic[Key, Value]):
    """Remembers at most `max_items` values for `seconds` each, while `hears` is true.

    Beyond it a tenth is forgotten, those that were remembered first. Whoever looks a value up takes the `epoch` before
    and gives it back with the value: one that may have changed on its way is not remembered.
    """

    def __init__(self, *, hears: Callable[[], bool], max_items: int, seconds: float) -> None:
        self._hears = hears
        self._max_items = max_items
        self._seconds = seconds
        self._known: dict[Key, tuple[Value, float]] = {}
        self.epoch = 0
        """Counts the moments at which something known may have become wrong."""

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def get(self, key: Key) -> Value | None:
        """What is known, where that can be believed now."""
        known = self._known.get(key)
        return known[0] if known is not None and known[1] > time.monotonic() and self._hears() else None

    def put(self, key: Key, value: Value, epoch: int) -> None:
        """Remember a value that was looked up since `epoch`."""
        if epoch != self.epoch:
            return
        if len(self._known) >= self._max_items:
            for first in list(islice(self._known, max(1, self._max_items // 10))):
                del self._known[first]
        self._known[key] = value, time.monotonic() + self._seconds

    def forget(self, key: Key) -> None:
        """It has changed."""
        self.epoch += 1
        self._known.pop(key, None)

    def forget_where(self, has_changed: Callable[[Value], bool]) -> None:
        """Those of which this is true have changed."""
        self.epoch += 1
        for key in [key for key, (value, _) in self._known.items() if has_changed(value)]:
            del self._known[key]

    def forget_all(self) -> None:
        """Some changes may have been missed."""
        self.epoch += 1
        self._known.clear()
