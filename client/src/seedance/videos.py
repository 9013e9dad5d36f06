"""`client.videos`, blocking and async: each method runs the flow of its name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Unpack

from seedance.actions import cancel_video, confirm_delivery, delete_video, make_link, retrieve_receipt
from seedance.create import OnMediaUpload, VideoOptions, create_video, quote_video
from seedance.download import Variant, download_video
from seedance.drive import AsyncDriver, Driver
from seedance.events import stream_events
from seedance.objects import ContentLink, Deleted, Download, Quote, Video, VideoEvent
from seedance.pages import AsyncPage, Order, Page, list_items, video_query
from seedance.paths import id_of
from seedance.receipts import Receipt
from seedance.retry import Retries
from seedance.transfer import OnDownload
from seedance.wait import retrieve_video, wait_for_video


class Videos:
    """Everything about videos."""

    def __init__(self, driver: Driver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    def create(
        self,
        prompt: str | None = None,
        *,
        idempotency_key: str | None = None,
        on_upload: OnMediaUpload | None = None,
        **options: Unpack[VideoOptions],
    ) -> Video:
        """Ask for a video. Paths and open files among the references are uploaded first."""
        flow = create_video(
            prompt, options, idempotency_key=idempotency_key, on_upload=on_upload, retries=self._retries
        )
        return self._driver.run(flow)

    def quote(self, prompt: str | None = None, **options: Unpack[VideoOptions]) -> Quote:
        """What `create` with the same arguments would take. Creates nothing, but uploads local references."""
        return self._driver.run(quote_video(prompt, options, retries=self._retries))

    def retrieve(self, video: str | Video) -> Video:
        return self._driver.run(retrieve_video(video, self._retries))

    def list(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        order: Order | None = None,
        status: str | None = None,
        model: str | None = None,
    ) -> Page[Video]:
        """A page of `limit` videos; iterate over it for all of them."""
        query = video_query(self._retries, limit, after, order, status, model)
        return Page(self._driver.run(list_items(query)), query, self._driver)

    def wait(
        self,
        video: str | Video,
        *,
        timeout: float | None = None,
        on_change: Callable[[Video], object] | None = None,
        raise_on_failure: bool = True,
    ) -> Video:
        """Return the video when it is final. Raises VideoFailed, or WaitTimeout after `timeout` seconds."""
        flow = wait_for_video(
            video,
            timeout_seconds=timeout,
            on_change=on_change,
            raise_on_failure=raise_on_failure,
            retries=self._retries,
        )
        return self._driver.run(flow)

    def stream_events(self, video: str | Video) -> Iterator[VideoEvent]:
        """Each change of state or progress, the present state first, up to a final one."""
        return self._driver.iterate(stream_events(id_of(video), self._retries))

    def download(
        self,
        video: str | Video,
        to: str | Path | BinaryIO,
        *,
        variant: Variant = "video",
        confirm: bool = True,
        on_progress: OnDownload | None = None,
    ) -> Download:
        """Save the content, verified; then tell the service so, which deletes it soon, unless `confirm` is False.

        A path to a regular file, or to none yet, gets all of it or nothing, and a link to one stays a link. A device, a
        pipe, an open file and `-`, standard output, get it as it comes. `on_progress(received, total)` is told.
        """
        flow = download_video(
            video, to, variant=variant, confirm=confirm, on_progress=on_progress, retries=self._retries
        )
        return self._driver.run(flow)

    def delivered(self, video: str | Video) -> Video:
        """Tell the service that you have the video: it is deleted when its grace is over."""
        return self._driver.run(confirm_delivery(video, self._retries))

    def link(self, video: str | Video, *, variant: Variant = "video", expires_in: int | None = None) -> ContentLink:
        """An address of the content that needs no key, good for `expires_in` seconds, 15 minutes if left out."""
        return self._driver.run(make_link(video, variant, expires_in, self._retries))

    def receipt(self, video: str | Video) -> Receipt:
        """What was deleted of a video and what is still kept, signed; also of one that you have deleted."""
        return self._driver.run(retrieve_receipt(video, self._retries))

    def cancel(self, video: str | Video) -> Video:
        return self._driver.run(cancel_video(video, self._retries))

    def delete(self, video: str | Video) -> Deleted:
        """Delete the video with its content and inputs, now."""
        return self._driver.run(delete_video(video, self._retries))


class AsyncVideos:
    """Everything about videos, for asyncio. Callbacks may be `async`, those about uploads excepted."""

    def __init__(self, driver: AsyncDriver, retries: Retries) -> None:
        self._driver = driver
        self._retries = retries

    async def create(
        self,
        prompt: str | None = None,
        *,
        idempotency_key: str | None = None,
        on_upload: OnMediaUpload | None = None,
        **options: Unpack[VideoOptions],
    ) -> Video:
        """Ask for a video. Paths and open files among the references are uploaded first."""
        flow = create_video(
            prompt, options, idempotency_key=idempotency_key, on_upload=on_upload, retries=self._retries
        )
        return await self._driver.run(flow)

    async def quote(self, prompt: str | None = None, **options: Unpack[VideoOptions]) -> Quote:
        """What `create` with the same arguments would take. Creates nothing, but uploads local references."""
        return await self._driver.run(quote_video(prompt, options, retries=self._retries))

    async def retrieve(self, video: str | Video) -> Video:
        return await self._driver.run(retrieve_video(video, self._retries))

    async def list(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        order: Order | None = None,
        status: str | None = None,
        model: str | None = None,
    ) -> AsyncPage[Video]:
        """A page of `limit` videos; iterate over it with `async for` for all of them."""
        query = video_query(self._retries, limit, after, order, status, model)
        return AsyncPage(await self._driver.run(list_items(query)), query, self._driver)

    async def wait(
        self,
        video: str | Video,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 – a promise about the video, kept between requests
        on_change: Callable[[Video], object] | None = None,
        raise_on_failure: bool = True,
    ) -> Video:
        """Return the video when it is final. Raises VideoFailed, or WaitTimeout after `timeout` seconds."""
        flow = wait_for_video(
            video,
            timeout_seconds=timeout,
            on_change=on_change,
            raise_on_failure=raise_on_failure,
            retries=self._retries,
        )
        return await self._driver.run(flow)

    def stream_events(self, video: str | Video) -> AsyncIterator[VideoEvent]:
        """Each change of state or progress, the present state first, up to a final one."""
        return self._driver.iterate(stream_events(id_of(video), self._retries))

    async def download(
        self,
        video: str | Video,
        to: str | Path | BinaryIO,
        *,
        variant: Variant = "video",
        confirm: bool = True,
        on_progress: OnDownload | None = None,
    ) -> Download:
        """Save the content, verified; then tell the service so, which deletes it soon, unless `confirm` is False.

        A path to a regular file, or to none yet, gets all of it or nothing, and a link to one stays a link. A device, a
        pipe, an open file and `-`, standard output, get it as it comes. `on_progress(received, total)` is told.
        """
        flow = download_video(
            video, to, variant=variant, confirm=confirm, on_progress=on_progress, retries=self._retries
        )
        return await self._driver.run(flow)

    async def delivered(self, video: str | Video) -> Video:
        """Tell the service that you have the video: it is deleted when its grace is over."""
        return await self._driver.run(confirm_delivery(video, self._retries))

    async def link(
        self, video: str | Video, *, variant: Variant = "video", expires_in: int | None = None
    ) -> ContentLink:
        """An address of the content that needs no key, good for `expires_in` seconds, 15 minutes if left out."""
        return await self._driver.run(make_link(video, variant, expires_in, self._retries))

    async def receipt(self, video: str | Video) -> Receipt:
        """What was deleted of a video and what is still kept, signed; also of one that you have deleted."""
        return await self._driver.run(retrieve_receipt(video, self._retries))

    async def cancel(self, video: str | Video) -> Video:
        return await self._driver.run(cancel_video(video, self._retries))

    async def delete(self, video: str | Video) -> Deleted:
        """Delete the video with its content and inputs, now."""
        return await self._driver.run(delete_video(video, self._retries))
