"""Every schema that a database of ours may have becomes the shipped one, and its data goes on to work."""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import asyncpg

from foundation.older import OBJECTS, Data, State, build, empty_schema, released, states
from sample import Sample
from seedance_api.accounts.authenticate import Authenticator
from seedance_api.doctor.examine import examine
from seedance_api.foundation import migrations
from seedance_api.foundation.db import Database
from seedance_api.foundation.objects import open_store
from seedance_api.foundation.put_object import put_bytes
from seedance_api.foundation.standing import Standing
from seedance_api.generations.queries import reads
from stage import PEPPER

_AT_ONCE = 8


async def what_is_wrong(url: str, data: Data, folder: Path) -> list[str]:
    """What the upgraded database cannot do, or what is no longer so in it."""
    wrong = [str(one) for one in (await _look(url)).differences]
    store = open_store(None, folder)
    for key, content in OBJECTS.items():
        await put_bytes(store, key, content)
    db = await Database.connect(url, max_connections=3)
    try:
        found = await examine(db, store, accepted=data.videos, tell=lambda _: None)
        wrong += [line for one in found for line in one.violations]
        principal = await Authenticator(db=db, pepper=bytes.fromhex(PEPPER))(f"Bearer {data.key.text}")
        if principal.account_id != data.account_id:
            wrong.append("the key is another account's")
        seen = {one.id: one for one in await reads.seen_by_ids(db, list(data.videos))}
        if [seen[one].state for one in data.videos] != ["completed", "completed", "queued"]:
            wrong.append("the videos are not as they were")
        wrong += [f"{row['id']} is not cleared" for row in await db.fetch(
            "SELECT generation_id AS id FROM content WHERE state = 'purged' AND cleared_at IS NULL"
        )]  # fmt: skip
        wrong += [f"host {row['host']}" for row in await db.fetch(
            "SELECT host FROM webhook_endpoint WHERE host NOT IN ('hooks.example.org', '')"
        )]  # fmt: skip
    finally:
        await db.close()
    return wrong


async def _look(url: str) -> Standing:
    return await asyncio.to_thread(migrations.look, url)


async def upgrade(database_url: str, folder: Path, state: State) -> list[str]:
    url = await empty_schema(database_url)
    data = await build(url, state)
    await asyncio.to_thread(migrations.migrate, url)
    return await what_is_wrong(url, data, folder)


def test_any_older_schema_becomes_the_shipped_one_and_its_data_works(
    database_url: str, tmp_path: Path, sample: Sample
) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)
    oldest, *_, last = states()
    some = sample.some(states(), [oldest, last], kind=lambda state: len(state.texts))
    every = [*some, *released()]

    async def one(state: State) -> list[str]:
        async with gate:
            return await upgrade(database_url, tmp_path / state.name.replace(" ", "_"), state)

    async def run() -> Mapping[str, list[str]]:
        wrong = await asyncio.gather(*(one(state) for state in every))
        return {state.name: found for state, found in zip(every, wrong, strict=True) if found}

    assert len(states()) + len(released()) >= 31
    assert asyncio.run(run()) == {}


def test_the_last_of_the_older_schemas_is_what_is_released() -> None:
    shipped = {one.name: one.sql for one in migrations.shipped()}
    assert {name: shipped[name] for name in states()[-1].texts} == states()[-1].texts


def test_what_yoyo_recorded_is_taken_over_without_digests(database_url: str) -> None:
    async def record(url: str) -> dict[str, tuple[str | None, str | None]]:
        connection = await asyncpg.connect(url)
        found = await connection.fetch("SELECT name, digest, release FROM migration")
        await connection.close()
        return {one["name"]: (one["digest"], one["release"]) for one in found}

    url = asyncio.run(empty_schema(database_url))
    asyncio.run(build(url, states()[-1]))
    assert migrations.look(url).pending[0] > "0008"
    applied = migrations.migrate(url)
    assert migrations.migrate(url) == []
    digests = {one.name: one.digest for one in migrations.shipped()}
    expected = dict.fromkeys(states()[-1].texts, (None, None))
    expected |= {name: (digests[name], version("seedanceapi")) for name in applied}
    assert asyncio.run(record(url)) == expected
