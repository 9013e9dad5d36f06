"""Read the response of somebody else's server: into a file, or no more of it than is needed."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import assert_never

import httpx

from seedance_api.foundation.address import UNREACHABLE
from seedance_api.foundation.outcome import Download, Downloaded, TooLarge, TooSlow, Unreachable
from seedance_api.foundation.transfer import Transfer

ANSWER_BYTES = 4096
ANSWER_SECONDS = 1.0


async def drain(response: httpx.Response) -> None:
    """Let a server say its short answer before the connection is closed on it. What it says is of no interest."""
    heard = 0
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            async for piece in response.aiter_raw(ANSWER_BYTES):
                heard += len(piece)
                if heard >= ANSWER_BYTES:
                    return
    except (TimeoutError, httpx.HTTPError, httpx.StreamError):
        return  # its status is there


def retry_after(text: str | None) -> float | None:
    """What `Retry-After` says: seconds, or a date (RFC 9110 §10.2.3); None for anything else."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError, TypeError):  # a stranger's date, read by the standard library
        return None


async def save(response: httpx.Response, transfer: Transfer) -> Download | str:
    """Save the answer, or say why not, or say where to look instead."""
    status = response.status_code
    if response.has_redirect_location:
        return response.headers["location"]
    if status != 200 and not (status == 206 and transfer.headers()):
        return Unreachable("status", f"the server answered with status {status}", status)
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return Unreachable("encoding", "the server sent a compressed answer, though none was asked for")
    progress = await transfer.take(response)
    match progress:
        case "whole":
            done = await transfer.finish()
            return Downloaded(done.bytes, done.content_type, done.sha256)
        case "large":
            return TooLarge(transfer.max_bytes, f"the file is larger than {transfer.max_bytes / 1e6:g} MB")
        case "slow":
            floor = transfer.floor
            return TooSlow(floor.seconds, f"the server sent less than {floor.bytes_a_second:g} bytes a second")
        case "cut" | "other":
            return Unreachable("broken", UNREACHABLE)
        case _:
            assert_never(progress)
