"""`client.billing`: the account's money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import BinaryIO

from seedance.download import save
from seedance.drive import AsyncDriver, Driver
from seedance.flow import Call, Flow
from seedance.money import Balance
from seedance.objects import Download
from seedance.paths import statement_path
from seedance.retry import Retries, decode, request
from seedance.transfer import OnDownload
from seedance.usage import AsyncUsagePage, Group, UsagePage, UsageQuery, list_usage


class Billing:
    """The account's money."""

    def __init__(self, driver: Driver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    def balance(self) -> Balance:
        """What there is to spend, what is held, and the spending limits."""
        return self._driver.run(retrieve_balance(self._retries))

    def usage(
        self,
        start: str | date | None = None,
        end: str | date | None = None,
        *,
        group_by: str | Sequence[Group] | None = ("day",),
        limit: int | None = None,
        after: str | None = None,
    ) -> UsagePage:
        """A page of `limit` rows; iterate over it for all. Days are UTC, `end` is included; else it is this month."""
        query = UsageQuery(self._retries, start, end, group_by, limit, after)
        return UsagePage(self._driver.run(list_usage(query)), query, self._driver)

    def statement(
        self, month: str | date, to: str | Path | BinaryIO, *, on_progress: OnDownload | None = None
    ) -> Download:
        """Save every movement of money in a month, such as `2026-11`, as CSV: to a path or an open binary file."""
        return self._driver.run(save_statement(month, to, on_progress=on_progress, retries=self._retries))


class AsyncBilling:
    """The account's money, for asyncio."""

    def __init__(self, driver: AsyncDriver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    async def balance(self) -> Balance:
        """What there is to spend, what is held, and the spending limits."""
        return await self._driver.run(retrieve_balance(self._retries))

    async def usage(
        self,
        start: str | date | None = None,
        end: str | date | None = None,
        *,
        group_by: str | Sequence[Group] | None = ("day",),
        limit: int | None = None,
        after: str | None = None,
    ) -> AsyncUsagePage:
        """A page of `limit` rows; `async for` gives all. Days are UTC, `end` is included; else it is this month."""
        query = UsageQuery(self._retries, start, end, group_by, limit, after)
        return AsyncUsagePage(await self._driver.run(list_usage(query)), query, self._driver)

    async def statement(
        self, month: str | date, to: str | Path | BinaryIO, *, on_progress: OnDownload | None = None
    ) -> Download:
        """Save every movement of money in a month, such as `2026-11`, as CSV: to a path or an open binary file."""
        return await self._driver.run(save_statement(month, to, on_progress=on_progress, retries=self._retries))


def retrieve_balance(retries: Retries) -> Flow[Balance]:
    return decode((yield from request(Call("GET", "/v1/balance"), retries)), Balance)


def save_statement(
    month: str | date, to: str | Path | BinaryIO, *, on_progress: OnDownload | None, retries: Retries
) -> Flow[Download]:
    return (yield from save(statement_path(month), {}, to, on_progress, retries))
