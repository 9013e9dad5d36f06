"""`client.files`: reference media kept by the service."""

from __future__ import annotations

from seedance.actions import delete_file, retrieve_file
from seedance.drive import AsyncDriver, Driver
from seedance.objects import Deleted, File
from seedance.retry import Retries
from seedance.upload import OnUpload, Source, upload_file


class Files:
    """Reference media."""

    def __init__(self, driver: Driver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    def upload(
        self,
        source: Source,
        *,
        filename: str | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
        on_progress: OnUpload | None = None,
    ) -> File:
        """Upload a path, an open binary file or bytes; `on_progress(sent, total)` is told on the way."""
        flow = upload_file(
            source,
            filename=filename,
            media_type=media_type,
            idempotency_key=idempotency_key,
            on_progress=on_progress,
            retries=self._retries,
        )
        return self._driver.run(flow)

    def retrieve(self, file: str | File) -> File:
        return self._driver.run(retrieve_file(file, self._retries))

    def delete(self, file: str | File) -> Deleted:
        return self._driver.run(delete_file(file, self._retries))


class AsyncFiles:
    """Reference media, for asyncio."""

    def __init__(self, driver: AsyncDriver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    async def upload(
        self,
        source: Source,
        *,
        filename: str | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
        on_progress: OnUpload | None = None,
    ) -> File:
        """Upload a path, an open binary file or bytes; `on_progress(sent, total)` is told on the way."""
        flow = upload_file(
            source,
            filename=filename,
            media_type=media_type,
            idempotency_key=idempotency_key,
            on_progress=on_progress,
            retries=self._retries,
        )
        return await self._driver.run(flow)

    async def retrieve(self, file: str | File) -> File:
        return await self._driver.run(retrieve_file(file, self._retries))

    async def delete(self, file: str | File) -> Deleted:
        return await self._driver.run(delete_file(file, self._retries))
