"""Find: a file of a finished video, for its owner or by a signed link; and why there is none."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from seedance_api.delivery import link, queries
from seedance_api.delivery.check import report_damaged
from seedance_api.delivery.rows import Held
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.objects import TornError


async def find(db: Database, account_id: str, livemode: bool, generation_id: str, variant: str) -> Held:
    """A file of the account and mode. Raises AppError: 404 for none, 409 before its time, 410 once it is deleted."""
    is_one = is_id("vid", generation_id)
    held = await queries.asset_of(db, generation_id, variant) if is_one else None
    if held is not None and held.account_id == account_id and held.livemode == livemode:
        return held
    life = await queries.life_of(db, account_id, livemode, generation_id) if is_one else None
    if life is None:
        raise AppError("not_found", "There is no such video in this account.", param="video_id")
    if life.deleted or life.state == "purged":
        raise _gone(generation_id)
    if life.state is None:
        raise AppError("not_ready", "This video has no content: it is not completed.", param="video_id")
    if variant not in life.variants:
        raise AppError("not_found", f"This video has no {variant}; ask for it when you create one.", param="variant")
    raise _gone(generation_id)


async def find_linked(db: Database, key: bytes, token: str) -> Held:
    """The file that a signed link leads to. Raises AppError: 404 for a forged one, 410 for what is over or deleted."""
    linked = link.read(token)
    if linked is None:
        raise AppError("link_invalid")
    held = await queries.asset_of(db, linked.generation_id, linked.variant)
    sha256 = held.sha256 if held else await queries.digest_of(db, linked.generation_id, linked.variant)
    match link.verify(key, linked, sha256 or "", db.clock()):
        case "forged":
            raise AppError("link_invalid")
        case "over":
            raise AppError("link_expired")
        case "good":
            if held is None:
                raise _gone(linked.generation_id)
            return held


@asynccontextmanager
async def whole(db: Database, held: Held) -> AsyncGenerator[None]:
    """Begin to serve a file in here: one that is damaged or found to be is refused, and fetched again if it can be.

    Raises AppError: 410 for one that was purged a moment ago, 5xx for one that is damaged or lost.
    """
    if held.damaged:
        raise await _missing(db, held)
    try:
        yield
    except (FileNotFoundError, TornError):
        raise await _missing(db, held) from None


async def _missing(db: Database, held: Held) -> AppError:
    if await queries.asset_of(db, held.generation_id, held.variant) is None:
        return _gone(held.generation_id)
    if held.lost:  # it is looked for again by the schedule
        return AppError("content_lost")
    await report_damaged(db, held.object_key, held.generation_id)
    return AppError("content_damaged", headers={"Retry-After": "10"})


def _gone(generation_id: str) -> AppError:
    """The refusal of content that is deleted, with the address of its receipt."""
    receipt = f"/v1/videos/{generation_id}/receipt"
    message = f"The content of this video was deleted. What went, when and why is in its receipt: GET {receipt}."
    return AppError("content_gone", message, headers={"Link": f'<{receipt}>; rel="describedby"'})
