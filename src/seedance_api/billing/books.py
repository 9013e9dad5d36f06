"""The price books in the database: every version that ever was, and the one that holds now."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from seedance_api.billing import book_queries
from seedance_api.billing.prices import Book, Rate, Use, every_rate
from seedance_api.billing.read_book import decode_book, read_book
from seedance_api.foundation.db import Connection, Database

STANDARD = Path(__file__).with_name("prices.toml")
"""The book of a new installation: the vendor's list prices and a margin."""

_LATEST_SECONDS = 60.0


Costs = Callable[[str, str, Use], int | None]
"""What a provider asks for a million tokens, by its name, the currency and the use; None where the book says it."""


class PriceBook(msgspec.Struct, frozen=True):
    """A version of the book with its rates worked out. Every hold and charge names its version."""

    version: int
    book: Book
    rates: dict[tuple[str, Use], Rate]

    def rate(self, currency: str, use: Use) -> Rate | None:
        """The rate of a use; None where this version has none."""
        return self.rates.get((currency, use))


class Books:
    """Reads price books and remembers them: a version never changes. As many are kept as there are versions in use.

    `costs` are those that the operator has agreed with a provider. Which version is the latest is remembered for a
    minute, and forgotten at once when another is loaded (NOTIFY); while `hears` says that nobody would hear of that, it
    is asked for each time.
    """

    def __init__(self, db: Database, costs: Costs | None = None, *, hears: Callable[[], bool] = lambda: True) -> None:
        self._db = db
        self._hears = hears
        self.costs: Costs = costs or _as_the_book_says
        self._known: dict[int, PriceBook] = {}
        self._latest: PriceBook | None = None
        self._latest_until = 0.0
        self._epoch = 0
        self._reading = asyncio.Lock()

    def forget_latest(self, _: str = "") -> None:
        """A new version was loaded, or may have been."""
        self._epoch += 1
        self._latest = None

    async def latest(self) -> PriceBook:
        """The book that new orders are priced by. The first caller of a new installation stores the standard one."""
        if self._latest is not None and self._hears() and time.monotonic() < self._latest_until:
            return self._latest
        async with self._reading:
            epoch, asked = self._epoch, time.monotonic()
            version = await book_queries.latest_version(self._db)
            if version is None:
                await book_queries.insert_book(self._db, STANDARD.read_text(), author="system", first=True)
                version = 1
            latest = await self.at(version)
            if epoch == self._epoch:  # no other was loaded while this one was on its way
                self._latest, self._latest_until = latest, asked + _LATEST_SECONDS
            return latest

    async def at(self, version: int, connection: "Connection | None" = None) -> PriceBook:
        """A version that is known to exist. Inside a transaction it is read on the connection of that.

        A second connection, asked for while the first is held, may never come: all may be held by others that ask.
        """
        if version not in self._known:
            book = decode_book(await book_queries.book_text(connection or self._db, version))
            self._known[version] = PriceBook(version, book, every_rate(book))
        return self._known[version]


def _as_the_book_says(provider: str, currency: str, use: Use) -> None:
    del provider, currency, use


async def load_book(db: Database, text: str, *, author: str) -> tuple[int, bool]:
    """Store a book as the next version, unless it says what the latest says; returns the version and whether it is new.

    Every process prices by it from the moment this is committed and noticed. Raises ValueError that lists all faults.
    """
    read_book(text)
    latest = await Books(db).latest()
    if await book_queries.book_text(db, latest.version) == text:
        return latest.version, False
    return await book_queries.insert_book(db, text, author=author), True
