"""Bring a medium that is named in a request into a file: from an https address, or out of a `data:` URL."""

from pathlib import Path

from seedance_api.catalog.order import Kind
from seedance_api.foundation.address import UNREACHABLE, Blocked, host_of, is_address, is_base64, shown
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.outcome import Downloaded, TooLarge, TooSlow, Unreachable
from seedance_api.foundation.transfer import Take
from seedance_api.references.inline import DATA_KINDS, HOW, from_data, is_data_url
from seedance_api.references.inspect import MAX_BYTES, BadMedia, Staged

_FORM = {Kind.IMAGE: "images=@boat.png", Kind.VIDEO: "videos=@boat.mp4", Kind.AUDIO: "audios=@waves.mp3"}
FETCH_SECONDS = {Kind.IMAGE: 30.0, Kind.VIDEO: 120.0, Kind.AUDIO: 30.0}


async def fetch(
    source: str,
    to: Path,
    *,
    kind: Kind,
    outbound: Outbound,
    total_seconds: float | None = None,
    take: Take | None = None,
) -> Staged | BadMedia:
    """Write the medium to the new file `to`, as it is; on `BadMedia` there is no file.

    `total_seconds` bounds a download, by default `FETCH_SECONDS`. `take` is asked for room before bytes are
    written, and may raise. Raises `OSError` if `to` cannot be written, AppError 503 when no connection of ours is free.
    """
    source = source.strip()
    if is_data_url(source):
        return await from_data(source, to, kind, take)
    if not is_address(source):
        return BadMedia("media_url", _no_address(source, kind))
    seconds = FETCH_SECONDS[kind] if total_seconds is None else total_seconds
    outcome = await outbound.download(source, to, max_bytes=MAX_BYTES[kind], total_seconds=seconds, take=take)
    match outcome:
        case Downloaded(size):
            return Staged(path=to, bytes=size, kind=kind)
        case TooLarge():
            return BadMedia("media_too_large", outcome.message)
        case Unreachable("busy"):
            raise AppError("too_busy", headers={"Retry-After": "5"})
        case Blocked() | Unreachable() | TooSlow():
            # What our rules refuse for where it leads looks like what did not answer, code and words.
            at_fault = isinstance(outcome, Blocked) and outcome.message != UNREACHABLE
            said = outcome.message if at_fault else f"{outcome.message} ({host_of(source)})"
            return BadMedia("media_url" if at_fault else "media_unreachable", said)


def _no_address(source: str, kind: Kind) -> str:
    if is_base64(source) and kind in DATA_KINDS:
        return f"base64 needs its type in front of it: {HOW}"
    given = shown(source)
    if source.startswith(("file_", "file-")):
        return f"{given} is not the id of a file, which is `file_` and 26 letters and digits"
    takes = "an https address, a `data:` URL" if kind in DATA_KINDS else "an https address"
    return (
        f"{given} is not an address. Give {takes} or a file's id; to send a file of yours, upload it with POST "
        f"/v1/files, or send a form with {_FORM[kind]}"
    )
