"""The two clients: explicit objects that own a connection pool and nothing else."""

from __future__ import annotations

import os
from importlib.metadata import version
from types import TracebackType
from typing import Self, TypeVar

import httpx

from seedance.account_events import AsyncEvents, Events
from seedance.auth import BearerAuth
from seedance.billing import AsyncBilling, Billing
from seedance.config import find_config
from seedance.drive import AsyncDriver, Driver
from seedance.errors import ConfigurationError
from seedance.files import AsyncFiles, Files
from seedance.models import AsyncModels, Models
from seedance.objects import Verification
from seedance.retry import OnOutage, Retries
from seedance.upload import OnUpload, Source, verify_file
from seedance.videos import AsyncVideos, Videos
from seedance.webhooks import AsyncWebhooks, Webhooks

Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)


class Seedance:
    """A client of one Seedance API service. Use it as a context manager, or `close` it."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 60,
        max_retries: int = 3,
        retry_delay: float = 0.5,
        outage_seconds: float = 0,
        on_outage: OnOutage | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        config = find_config(base_url, api_key)
        self.base_url = config.base_url
        self._owns_http = http_client is None
        self._http = http_client or open_http(httpx.Client)
        self._driver = driver = Driver(
            self._http, base_url=config.base_url, auth=BearerAuth(config.api_key), timeout_seconds=timeout
        )
        self._retries = retries = Retries(max_retries, retry_delay, outage_seconds=outage_seconds, on_outage=on_outage)
        self.videos = Videos(driver, retries)
        self.files = Files(driver, retries)
        self.models = Models(driver, retries)
        self.billing = Billing(driver, retries)
        self.webhooks = Webhooks(driver, retries)
        self.events = Events(driver, retries)

    def verify(self, source: Source, *, on_progress: OnUpload | None = None) -> Verification:
        """What is known of a file (path, open binary file or bytes): is it ours, AI-generated, untouched."""
        return self._driver.run(verify_file(source, on_progress=on_progress, retries=self._retries))

    def close(self) -> None:
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Seedance(base_url={self.base_url!r})"


class AsyncSeedance:
    """A client of one Seedance API service, for asyncio. Use it with `async with`, or `await close()` it."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 60,
        max_retries: int = 3,
        retry_delay: float = 0.5,
        outage_seconds: float = 0,
        on_outage: OnOutage | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        config = find_config(base_url, api_key)
        self.base_url = config.base_url
        self._owns_http = http_client is None
        self._http = http_client or open_http(httpx.AsyncClient)
        self._driver = driver = AsyncDriver(
            self._http, base_url=config.base_url, auth=BearerAuth(config.api_key), timeout_seconds=timeout
        )
        self._retries = retries = Retries(max_retries, retry_delay, outage_seconds=outage_seconds, on_outage=on_outage)
        self.videos = AsyncVideos(driver, retries)
        self.files = AsyncFiles(driver, retries)
        self.models = AsyncModels(driver, retries)
        self.billing = AsyncBilling(driver, retries)
        self.webhooks = AsyncWebhooks(driver, retries)
        self.events = AsyncEvents(driver, retries)

    async def verify(self, source: Source, *, on_progress: OnUpload | None = None) -> Verification:
        """What is known of a file (path, open binary file or bytes): is it ours, AI-generated, untouched."""
        return await self._driver.run(verify_file(source, on_progress=on_progress, retries=self._retries))

    async def close(self) -> None:
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncSeedance(base_url={self.base_url!r})"


def open_http(kind: type[Http]) -> Http:
    """A client of httpx, which reads proxies and certificates from the environment."""
    try:
        return kind(headers=headers())
    except (ValueError, httpx.InvalidURL, ImportError) as error:
        raise ConfigurationError(f"the proxy that the environment names cannot be used: {error}") from None
    except OSError as error:
        named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        raise ConfigurationError(f"the certificates {named} (SSL_CERT_FILE) cannot be read: {error}") from None


def headers() -> dict[str, str]:
    return {"User-Agent": f"seedance-python/{version('seedanceapi-client')}", "Accept": "application/json"}
