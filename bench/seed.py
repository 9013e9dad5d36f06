"""Rows to measure with: written by the product's own code where it has some."""

import hashlib
from functools import cache
from pathlib import Path

import msgspec

from bench.stage import Ground
from seedance_api.billing.books import STANDARD, PriceBook
from seedance_api.billing.prices import every_rate
from seedance_api.billing.quote import price
from seedance_api.billing.read_book import decode_book
from seedance_api.catalog import check as catalog
from seedance_api.catalog import tokens
from seedance_api.catalog.request import Request
from seedance_api.delivery.queries import insert_content
from seedance_api.delivery.rows import Asset
from seedance_api.foundation.db import Database
from seedance_api.foundation.idempotency import Kind, Once
from seedance_api.foundation.ids import new_id
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.generations.write import Writer
from seedance_api.providers.provider import Output

PROMPT = "A red kite over the sea at dusk, slow camera, long shadows on the sand"
_KEEP_SECONDS = 86_400


def compose(ground: Ground, *, live: bool = False) -> NewGeneration:
    """A checked request, ready to be written: of the test key, or of the live key with an Idempotency-Key, and priced.

    What names it for idempotency has its id inside, so that each is another one.
    """
    accepted = catalog.check(Request(model="seedance-2.0-mini", prompt=PROMPT))
    assert isinstance(accepted, catalog.Accepted)
    own_id = new_id("vid")
    taken = tokens.estimate(accepted.order)
    route = "live POST /v1/videos" if live else "test POST /v1/videos by content"
    return NewGeneration(
        id=own_id,
        account_id=ground.account_id,
        key_id=ground.live_key_id if live else ground.key_id,
        livemode=live,
        provider="sandbox",
        order=accepted.order,
        prompt=accepted.prompt,
        media=(),
        new_files=(),
        draft_id=None,
        metadata={},
        keep_seconds=_KEEP_SECONDS,
        grace_seconds=3600,
        deadline_seconds=86_400,
        quoted_tokens=taken.most,
        once=Once(
            account_id=ground.account_id,
            route=route,
            key=own_id if live else f"{ground.key_id} {own_id}",
            fingerprint=hashlib.sha256(own_id.encode()).digest(),
            kind=Kind.KEY if live else Kind.CONTENT,
        ),
        price=price(accepted.order, taken, _standard_book(), "USD") if live else None,
    )


def renew(new: NewGeneration) -> NewGeneration:
    """The same request, as another one."""
    own_id = new_id("vid")
    once = msgspec.structs.replace(new.once, key=new.once.key.replace(new.id, own_id))
    return msgspec.structs.replace(new, id=own_id, once=once)


@cache
def _standard_book() -> PriceBook:
    book = decode_book(STANDARD.read_text())
    return PriceBook(1, book, every_rate(book))


async def write_completed(db: Database, ground: Ground, count: int, *, file: Path | None = None) -> list[str]:
    """Finished videos with their content and a last frame; `file` is the content of each, below the data folder."""
    news = [compose(ground) for _ in range(count)]
    write = Writer(db)
    for new in news:
        await write(new)
    ids = [new.id for new in news]
    output = Output(width=1280, height=720, seconds=5.041667, frames=121, seed=7, tokens=108_900, last_frame=True)
    async with db.transaction() as connection:
        await connection.execute("DELETE FROM pgqueuer")
        await connection.execute(
            "UPDATE generation SET state = 'completed', progress = 100, output = $2, started_at = now(),"
            " finished_at = now() WHERE id = ANY ($1)",
            ids,
            output,
        )
        for one in ids:
            await insert_content(connection, one, _KEEP_SECONDS, _assets(ground, one, file))
        await connection.execute("ANALYZE")
    return ids


def write_file(path: Path, size: int) -> None:
    """A file of bytes that no filter can shorten."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    block = b"".join(hashlib.sha256(b"%d" % at).digest() for at in range(32_768))
    with path.open("wb") as file:
        for _ in range(0, size, len(block)):
            file.write(block)
        file.truncate(size)


def _assets(ground: Ground, generation_id: str, file: Path | None) -> list[Asset]:
    key = str(file.relative_to(ground.data / "objects")) if file else f"content/{generation_id}/video.mp4"
    size = file.stat().st_size if file else 2_000_000
    video = Asset(variant="video", object_key=key, media_type="video/mp4", bytes=size, sha256="0" * 64)
    frame = Asset(
        variant="last_frame",
        object_key=f"content/{generation_id}/last_frame.png",
        media_type="image/png",
        bytes=900_000,
        sha256="1" * 64,
    )
    return [video, frame]
