"""Downloads a file: streamed, resumed after a cut, verified, and there only when whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import msgspec

from seedance.actions import confirm_delivery
from seedance.errors import SeedanceError
from seedance.flow import Flow, work
from seedance.objects import Download, Video
from seedance.paths import video_path
from seedance.retry import Deadline, Retries
from seedance.sink import open_sink
from seedance.transfer import OnDownload, Transfer

Variant: TypeAlias = Literal["video", "last_frame", "thumbnail"]
# What the file is worth does not depend on it, so nobody waits long for it.
CONFIRMATION_SECONDS = 30


def download_video(
    video: str | Video,
    to: str | Path | BinaryIO,
    *,
    variant: Variant,
    confirm: bool,
    on_progress: OnDownload | None,
    retries: Retries,
) -> Flow[Download]:
    """Bring the content to `to`: a regular file gets all of it or nothing, anything else gets it as it comes.

    A video that is whole and verified is confirmed to the service, as far as it can be reached.
    """
    params = {} if variant == "video" else {"variant": variant}
    saved = yield from save(video_path(video, "/content"), params, to, on_progress, retries)
    if not (confirm and saved.verified and variant == "video"):
        return saved
    try:
        delivered = yield from confirm_delivery(video, retries, Deadline.after(CONFIRMATION_SECONDS))
    except SeedanceError:
        return saved
    return msgspec.structs.replace(saved, video=delivered)


def save(
    path: str, params: Mapping[str, str], to: str | Path | BinaryIO, on_progress: OnDownload | None, retries: Retries
) -> Flow[Download]:
    """All of it or nothing, whatever file of the service it is."""
    sink = yield from work(lambda: open_sink(to))
    try:
        transfer = Transfer(path, params, sink, on_progress)
        yield from transfer.run(retries)
        yield from work(sink.commit)
    except BaseException:
        sink.abandon()
        raise
    return Download(
        path=sink.path,
        bytes=transfer.received,
        sha256=transfer.hash.hexdigest(),
        verified=transfer.digest is not None,
    )
