"""`client.models`: which models there are and what they take."""

from __future__ import annotations

from seedance.drive import AsyncDriver, Driver
from seedance.objects import Model
from seedance.pages import list_models, retrieve_model
from seedance.retry import Retries


class Models:
    """The catalogue."""

    def __init__(self, driver: Driver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    def list(self) -> list[Model]:
        return self._driver.run(list_models(self._retries))

    def retrieve(self, model: str) -> Model:
        return self._driver.run(retrieve_model(model, self._retries))


class AsyncModels:
    """The catalogue, for asyncio."""

    def __init__(self, driver: AsyncDriver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    async def list(self) -> list[Model]:
        return await self._driver.run(list_models(self._retries))

    async def retrieve(self, model: str) -> Model:
        return await self._driver.run(retrieve_model(model, self._retries))
