"""How many files an account may have, and how many bytes: exact, however many arrive at once, by upload or create."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from generations.kit import new, owner, with_database
from references.test_share import Bench, principal
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.generations.write import Created
from seedance_api.references.queries import NewFile, Room, insert_files
from seedance_api.references.room import without_room


async def insert(db: Database, files: list[NewFile]) -> str | None:
    """As an upload and a create do; returns the code of a refusal."""
    async with db.transaction() as connection:
        (refusal,) = await without_room(connection, [files])
        if refusal is None:
            await insert_files(connection, files)
    return refusal.code if refusal else None


async def put(bench: Bench, me: object, text: str, room: Room) -> list[NewFile]:
    found = await bench.references.put(
        {"file": bench.content(text)}, principal(me), inline=False, keep_seconds=60  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    return [msgspec.structs.replace(file, room=room) for file in found.values()]


@pytest.mark.parametrize("room", [Room(files=5, bytes=10**9), Room(files=10**6, bytes=5 * 6)])
def test_files_that_arrive_at_once_stop_exactly_at_the_bound(database_url: str, tmp_path: Path, room: Room) -> None:
    async def verb(db: Database) -> None:
        bench, me, other = Bench(db, tmp_path), await owner(db), await owner(db, "two@example.org")
        mine = [await put(bench, me, f"file {n}", room) for n in range(9)]  # six bytes each
        outcomes = await asyncio.gather(*(insert(db, files) for files in mine))
        assert (outcomes.count(None), outcomes.count("too_many_files")) == (5, 4)
        assert await insert(db, await put(bench, other, "file 1", room)) is None  # another has a room of its own

    with_database(database_url, verb)


def test_equal_content_counts_once_among_the_bytes(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        bench, me, room = Bench(db, tmp_path), await owner(db), Room(files=100, bytes=10)
        for _ in range(5):
            assert await insert(db, await put(bench, me, "file 1", room)) is None
        assert await insert(db, await put(bench, me, "file 2", room)) == "too_many_files"

    with_database(database_url, verb)


def test_of_creates_at_once_those_without_room_make_nothing(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        bench, me, room = Bench(db, tmp_path), await owner(db), Room(files=3, bytes=10**9)
        news = [
            new(me, key=f"key {n}", new_files=tuple(await put(bench, me, f"file {n}", room))) for n in range(8)
        ]  # fmt: skip
        outcomes = await asyncio.gather(*(bench.writer(one) for one in news), return_exceptions=True)
        refused = [one for one in outcomes if isinstance(one, AppError)]
        assert sum(isinstance(one, Created) for one in outcomes) == 3
        assert {(one.code, one.status) for one in refused} == {("too_many_files", 409)}
        assert "3 files that its test keys" in refused[0].message
        assert await db.fetchval("SELECT count(*) FROM generation") == 3
        assert await db.fetchval("SELECT count(*) FROM idempotency") == 3

    with_database(database_url, verb)
