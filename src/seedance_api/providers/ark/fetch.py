"""Fetch a finished file: a fresh link from the task each time, for links live a day and are good for 100 downloads."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

from seedance_api.foundation.address import Blocked
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.outcome import Download, Downloaded, TooLarge, TooSlow, Unreachable
from seedance_api.providers.ark.read import Task
from seedance_api.providers.ark.wire import Gone, Seen, Trouble, Wire
from seedance_api.providers.provider import Fetched, FetchOutcome, Unfetched

MAX_BYTES = 2 * 1024**3
TOTAL_SECONDS = 900.0
MIN_BYTES_PER_SECOND = 32_768
RESUMES = 8
MEDIA_SECONDS = 24 * 3600
"""How long the vendor keeps the files of a finished task (82379/1521309)."""

VARIANTS = ("video", "last_frame")
_STALE = frozenset({403, 404})
_REFUSED = {
    "scheme": "is not reached by HTTPS, and allow_http is off",
    "downgrade": "is not reached by HTTPS, and allow_http is off",
    "port": "is on a port that is neither a usual one (443, 8443) nor one of result_ports",
    "address": "has an address that is not public and not in allow_networks",
    "redirects": "redirects, which is followed only where no result_hosts are named",
}
"""What the operator can allow, by the code of a refusal of ours."""
_TEXT = ("text/", "application/json", "application/xml")


class Fetcher:
    """Fetches results, from `hosts` only where any are named (suffixes of names), or from any public address."""

    def __init__(self, wire: Wire, outbound: Outbound, hosts: Sequence[str]) -> None:
        self._wire, self._outbound = wire, outbound
        self._hosts = tuple(host.lower().lstrip(".") for host in hosts)

    async def fetch(self, task_id: str, variant: str, to: Path) -> FetchOutcome:
        """Write the file to `to`. A link that is refused is asked for anew, once."""
        for last in (False, True):
            seen = await self._wire.get(task_id)
            if not isinstance(seen, Seen):
                return _no_task(seen)
            link = _link(seen.task, variant)
            if isinstance(link, Unfetched):
                return link
            host = _host_of(link)
            if host is not None and not self._is_allowed(host):
                return _not_allowed(host, "is not one of result_hosts", seen)
            outcome = await self._download(link, to)
            if isinstance(outcome, Blocked) and host is not None and (why := _REFUSED.get(outcome.code)) is not None:
                return _not_allowed(outcome.host or host, why, seen)
            stale = isinstance(outcome, Unreachable) and outcome.status in _STALE
            if not stale or last:
                return _as_fetched(outcome, to, host, over=stale and _is_over(seen))
        raise AssertionError("the second round returns")

    async def aclose(self) -> None:
        await self._outbound.aclose()

    async def _download(self, link: str, to: Path) -> Download:
        to.unlink(missing_ok=True)  # noqa: ASYNC240 – one system call
        return await self._outbound.download(
            link,
            to,
            max_bytes=MAX_BYTES,
            total_seconds=TOTAL_SECONDS,
            max_redirects=0 if self._hosts else 3,
            resumes=RESUMES,
            min_bytes_per_second=MIN_BYTES_PER_SECOND,
        )

    def _is_allowed(self, host: str) -> bool:
        return not self._hosts or any(host == allowed or host.endswith("." + allowed) for allowed in self._hosts)


def _host_of(link: str) -> str | None:
    """The host that a link leads to; None for what is no link to a host."""
    try:
        return (urlsplit(link).hostname or "").lower() or None
    except ValueError:
        return None


def _not_allowed(host: str, why: str, seen: Seen) -> Unfetched:
    """The file is there, and it is the operator's file of upstreams that keeps it from us."""
    ours = f"{host[:253]}, where an upstream has put a finished file, {why}: change that upstream in SEEDANCE_UPSTREAMS"
    return Unfetched("the provider's link leads to a host that is not allowed", gone=_is_over(seen), ours=ours)


def _is_over(seen: Seen) -> bool:
    """Whether the vendor has deleted the file by now."""
    now, ended_at = seen.now or time.time(), seen.task.updated_at
    return ended_at is not None and now - ended_at > MEDIA_SECONDS


def _no_task(seen: Gone | Trouble) -> Unfetched:
    match seen:
        case Gone():
            return Unfetched("the provider no longer knows the task", gone=True)
        case Trouble(reason):
            return Unfetched(reason)
        case _:
            assert_never(seen)


def _link(task: Task, variant: str) -> str | Unfetched:
    if variant not in VARIANTS:
        return Unfetched(f"there is no {variant}", gone=True)
    if task.status in ("failed", "expired", "cancelled"):
        return Unfetched("the task ended without a video", gone=True)
    if task.status != "succeeded":
        return Unfetched("the task is not finished")
    link = task.video_url if variant == "video" else task.last_frame_url
    if link is not None:
        return link
    missing = variant == "last_frame" and task.video_url is not None
    return Unfetched(f"the provider gave no link to the {variant}", gone=missing, wrong=True)


def _as_fetched(outcome: Download, to: Path, host: str | None, *, over: bool) -> FetchOutcome:
    match outcome:
        case Downloaded(size, content_type):
            if size and not (content_type or "").startswith(_TEXT):
                return Fetched(size)
            to.unlink(missing_ok=True)
            return Unfetched("the provider's link leads to no media file", wrong=True)
        case Unreachable("connect") if host is not None:
            # as likely this machine's name server or network as their host: the operator can tell, we cannot
            ours = f"{host[:253]}, where an upstream has put a finished file, cannot be reached from here"
            return Unfetched("the file's host cannot be reached", ours=ours)
        case Unreachable(_, _, status):
            reason = f"the file's host answered with status {status}" if status else "the file's host broke off"
            return Unfetched(reason, gone=over, wrong=status in _STALE)
        case Blocked():
            return Unfetched("the provider's link is none", wrong=True)
        case TooLarge():
            return Unfetched("the file is larger than a video may be", gone=True)
        case TooSlow():
            return Unfetched("the file came too slowly")
        case _:
            assert_never(outcome)
