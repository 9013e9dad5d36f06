"""`client.webhooks`: who is told of events, and whether what came is from the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Unpack

from seedance.drive import AsyncDriver, Driver
from seedance.endpoints import (
    EVERY,
    EndpointOptions,
    create_endpoint,
    delete_endpoint,
    delivery_query,
    endpoint_query,
    list_event_types,
    replay,
    retrieve_endpoint,
    retrieve_secret,
    rotate_account_secret,
    rotate_secret,
    try_endpoint,
    update_endpoint,
)
from seedance.objects import Deleted
from seedance.pages import AsyncPage, Page, list_items
from seedance.retry import Retries
from seedance.unwrap import TOLERANCE_SECONDS, unwrap_webhook
from seedance.webhook_objects import (
    Event,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookReplay,
    WebhookSecret,
    WebhookTest,
)


class Webhooks:
    """Who is told of events."""

    def __init__(self, driver: Driver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    def create(
        self, url: str, event_types: Sequence[str] = EVERY, **options: Unpack[EndpointOptions]
    ) -> WebhookEndpoint:
        """Have an address told of events. Keep its `signing_secret`: it is shown only now."""
        return self._driver.run(create_endpoint(url, event_types, options, self._retries))

    def retrieve(self, endpoint: str | WebhookEndpoint) -> WebhookEndpoint:
        return self._driver.run(retrieve_endpoint(endpoint, self._retries))

    def update(
        self,
        endpoint: str | WebhookEndpoint,
        *,
        url: str | None = None,
        event_types: Sequence[str] | None = None,
        enabled: bool | None = None,
        **options: Unpack[EndpointOptions],
    ) -> WebhookEndpoint:
        """Change an endpoint, or enable it again."""
        return self._driver.run(update_endpoint(endpoint, url, event_types, enabled, options, self._retries))

    def list(self, *, limit: int | None = None, after: str | None = None) -> Page[WebhookEndpoint]:
        """A page of `limit` endpoints; iterate over it for all of them."""
        query = endpoint_query(self._retries, limit, after)
        return Page(self._driver.run(list_items(query)), query, self._driver)

    def delete(self, endpoint: str | WebhookEndpoint) -> Deleted:
        """Delete an endpoint, with what waits for it."""
        return self._driver.run(delete_endpoint(endpoint, self._retries))

    def rotate_secret(self, endpoint: str | WebhookEndpoint, *, keep_old: bool = False) -> WebhookEndpoint:
        """Sign with a new secret from now on; with `keep_old` the old one signs as well for 24 hours."""
        return self._driver.run(rotate_secret(endpoint, keep_old, self._retries))

    def test(self, endpoint: str | WebhookEndpoint, event_type: str = "video.completed") -> WebhookTest:
        """Send an event that did not happen, now, and say what came back."""
        return self._driver.run(try_endpoint(endpoint, event_type, self._retries))

    def deliveries(
        self,
        endpoint: str | WebhookEndpoint,
        *,
        state: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[WebhookDelivery]:
        """A page of what was sent and is to be, the newest first; iterate over it for all of it."""
        query = delivery_query(endpoint, self._retries, limit, after, state)
        return Page(self._driver.run(list_items(query)), query, self._driver)

    def replay(
        self,
        endpoint: str | WebhookEndpoint,
        event_id: str | None = None,
        *,
        since: int | datetime | None = None,
        until: int | datetime | None = None,
        only_failed: bool = False,
    ) -> WebhookReplay:
        """Have one event, or those of a time, sent again; `count` says how many are in line."""
        return self._driver.run(replay(endpoint, event_id, since, until, only_failed, self._retries))

    def event_types(self) -> Sequence[str]:
        """Every type of event that there is."""
        return self._driver.run(list_event_types(self._retries))

    def secret(self) -> WebhookSecret:
        """What is told of the account's own secret; `rotate_account_secret` shows a new one."""
        return self._driver.run(retrieve_secret(self._retries))

    def rotate_account_secret(self, *, keep_old: bool = False) -> WebhookSecret:
        """Sign for `webhook_url` with a new secret; with `keep_old` the old one signs as well for 24 hours."""
        return self._driver.run(rotate_account_secret(keep_old, self._retries))

    def unwrap(
        self, body: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance: float = TOLERANCE_SECONDS
    ) -> Event:
        """The event of a webhook that came; raises WebhookInvalid. Asks nobody: see `unwrap_webhook`."""
        return unwrap_webhook(body, headers, secret, tolerance=tolerance)


class AsyncWebhooks:
    """Who is told of events, for asyncio."""

    def __init__(self, driver: AsyncDriver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    async def create(
        self, url: str, event_types: Sequence[str] = EVERY, **options: Unpack[EndpointOptions]
    ) -> WebhookEndpoint:
        """Have an address told of events. Keep its `signing_secret`: it is shown only now."""
        return await self._driver.run(create_endpoint(url, event_types, options, self._retries))

    async def retrieve(self, endpoint: str | WebhookEndpoint) -> WebhookEndpoint:
        return await self._driver.run(retrieve_endpoint(endpoint, self._retries))

    async def update(
        self,
        endpoint: str | WebhookEndpoint,
        *,
        url: str | None = None,
        event_types: Sequence[str] | None = None,
        enabled: bool | None = None,
        **options: Unpack[EndpointOptions],
    ) -> WebhookEndpoint:
        """Change an endpoint, or enable it again."""
        return await self._driver.run(update_endpoint(endpoint, url, event_types, enabled, options, self._retries))

    async def list(self, *, limit: int | None = None, after: str | None = None) -> AsyncPage[WebhookEndpoint]:
        """A page of `limit` endpoints; iterate over it with `async for` for all of them."""
        query = endpoint_query(self._retries, limit, after)
        return AsyncPage(await self._driver.run(list_items(query)), query, self._driver)

    async def delete(self, endpoint: str | WebhookEndpoint) -> Deleted:
        """Delete an endpoint, with what waits for it."""
        return await self._driver.run(delete_endpoint(endpoint, self._retries))

    async def rotate_secret(self, endpoint: str | WebhookEndpoint, *, keep_old: bool = False) -> WebhookEndpoint:
        """Sign with a new secret from now on; with `keep_old` the old one signs as well for 24 hours."""
        return await self._driver.run(rotate_secret(endpoint, keep_old, self._retries))

    async def test(self, endpoint: str | WebhookEndpoint, event_type: str = "video.completed") -> WebhookTest:
        """Send an event that did not happen, now, and say what came back."""
        return await self._driver.run(try_endpoint(endpoint, event_type, self._retries))

    async def deliveries(
        self,
        endpoint: str | WebhookEndpoint,
        *,
        state: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> AsyncPage[WebhookDelivery]:
        """A page of what was sent and is to be, the newest first; iterate over it with `async for` for all of it."""
        query = delivery_query(endpoint, self._retries, limit, after, state)
        return AsyncPage(await self._driver.run(list_items(query)), query, self._driver)

    async def replay(
        self,
        endpoint: str | WebhookEndpoint,
        event_id: str | None = None,
        *,
        since: int | datetime | None = None,
        until: int | datetime | None = None,
        only_failed: bool = False,
    ) -> WebhookReplay:
        """Have one event, or those of a time, sent again; `count` says how many are in line."""
        return await self._driver.run(replay(endpoint, event_id, since, until, only_failed, self._retries))

    async def event_types(self) -> Sequence[str]:
        """Every type of event that there is."""
        return await self._driver.run(list_event_types(self._retries))

    async def secret(self) -> WebhookSecret:
        """What is told of the account's own secret; `rotate_account_secret` shows a new one."""
        return await self._driver.run(retrieve_secret(self._retries))

    async def rotate_account_secret(self, *, keep_old: bool = False) -> WebhookSecret:
        """Sign for `webhook_url` with a new secret; with `keep_old` the old one signs as well for 24 hours."""
        return await self._driver.run(rotate_account_secret(keep_old, self._retries))

    def unwrap(
        self, body: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance: float = TOLERANCE_SECONDS
    ) -> Event:
        """The event of a webhook that came; raises WebhookInvalid. Asks nobody: see `unwrap_webhook`."""
        return unwrap_webhook(body, headers, secret, tolerance=tolerance)
