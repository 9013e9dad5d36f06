"""An account with money in a database of its own, where a token costs a micro-dollar, so that sums are easy to read."""

import asyncio

import msgspec

from generations.kit import Owner, new, owner
from money.kit import finish
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing import credit, wallet_queries
from seedance_api.billing.books import Books, load_book
from seedance_api.billing.prices import use_of
from seedance_api.billing.quote import Price
from seedance_api.billing.rows import HoldState, Sale, Wallet
from seedance_api.catalog.tokens import Tokens
from seedance_api.doctor.check import check
from seedance_api.doctor.invariants import INVARIANTS
from seedance_api.foundation.db import Database
from seedance_api.generations.announce import announce_news
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.generations.write import Writer

BOOK = """
[USD]
[[USD.rows]]
models = ["seedance-2.0-mini"]
cost = "1"
"""


class Bank:
    """The account, what was put into it, and a writer of creates that cost something."""

    def __init__(self, db: Database, me: Owner, version: int) -> None:
        self.db = db
        self.me = me
        self.put_in = 0
        self.writer = Writer(db)
        self._version = version

    @classmethod
    async def open(cls, db: Database, amount: int, email: str = "bank@example.org") -> "Bank":
        """A new account with so many micro-dollars."""
        version, _ = await load_book(db, BOOK, author="test")
        bank = cls(db, await owner(db, email, KeyMode.LIVE), version)
        if amount:
            await bank.credit(amount)
        return bank

    async def credit(self, amount: int) -> None:
        """More of it."""
        await credit.credit(self.db, self.me.account_id, amount, reason="a test", author="test", announce=announce_news)
        self.put_in += amount

    async def top_up(self) -> None:
        """Back to what was put in: the wallet is as it was before the last video."""
        spent = self.put_in - (await self.wallet()).available
        if spent:
            await credit.credit(
                self.db, self.me.account_id, spent, reason="a test", author="test", announce=announce_news
            )

    async def compose(
        self, *, quoted: int, most: int, key: str | None = None, key_id: str | None = None
    ) -> NewGeneration:
        """A live create that should cost `quoted` and may cost `most`."""
        made = new(self.me, key=key, livemode=True)
        rate = (await Books(self.db).at(self._version)).rate("USD", use_of(made.order))
        assert rate is not None
        price = Price(
            currency="USD", version=self._version, rate=rate, tokens=Tokens(expected=quoted, most=most),
            expected=quoted, most=most,
        )  # fmt: skip
        return msgspec.structs.replace(made, price=price, quoted_tokens=quoted, key_id=key_id or self.me.key_id)

    async def create(self, *, quoted: int, most: int) -> NewGeneration:
        """A create that was accepted."""
        made = await self.compose(quoted=quoted, most=most)
        created = await self.writer(made)
        assert not created.replayed
        return made

    def sale(self, made: NewGeneration, tokens: int | None) -> Sale:
        """The video that was rendered for it."""
        return Sale(
            generation_id=made.id, account_id=made.account_id, key_id=made.key_id, livemode=True,
            model=made.order.model, resolution=made.order.resolution, seconds=4, tokens=tokens,
            quoted_tokens=made.quoted_tokens,
        )  # fmt: skip

    async def wallet(self) -> Wallet:
        """The money as it is."""
        found = await wallet_queries.wallet_of(self.db, self.me.account_id)
        assert found is not None
        return found

    async def hold(self, video: str) -> tuple[HoldState, int]:
        """The state of a hold, and what was charged."""
        found = await self.db.fetchrow("SELECT state, charged FROM hold WHERE generation_id = $1", video)
        assert found is not None
        return HoldState(found["state"]), found["charged"] or 0

    async def transfers(self, video: str) -> list[str]:
        """The kinds of its transfers."""
        found = await self.db.fetch("SELECT kind FROM transfer WHERE generation_id = $1 ORDER BY kind", video)
        return [record["kind"] for record in found]

    async def end(self, video: str, state: str) -> None:
        """Let its row say what became of it, where a test moved the hold alone."""
        async with self.db.transaction() as connection:
            await finish(connection, video, state)

    async def is_sound(self) -> None:
        """No invariant of money is violated."""
        found = await asyncio.gather(
            *(check(self.db, one) for one in INVARIANTS if one.name in ("INV-1", "INV-2", "INV-3", "INV-10", "INV-12"))
        )
        assert [line for one in found for line in one.violations] == []
