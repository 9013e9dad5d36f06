"""Databases as earlier states of the migrations made them, with data in them.

`history.json.gz` holds every state of the folder of migrations in which they were still edited in place, up to the one
of version 0.1.0: from then on a released migration stays as it is, and a prefix of the folder is an older schema.
"""

import gzip
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from seedance_api.accounts import keys
from seedance_api.accounts.keys import KeyMode, PlainKey
from seedance_api.billing.books import STANDARD
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.migrations import shipped
from seedance_api.foundation.secrets import digest
from stage import PEPPER

_FILE = Path(__file__).with_name("history.json.gz")
_YOYO = """
CREATE TABLE _yoyo_migration (
    migration_hash varchar(64) PRIMARY KEY, migration_id varchar(255), applied_at_utc timestamp
);
CREATE TABLE _yoyo_version (version integer PRIMARY KEY, installed_at_utc timestamp);
CREATE TABLE yoyo_lock (locked integer PRIMARY KEY, ctime timestamp, pid integer NOT NULL);
"""
_ORDER = (
    '{"model": "seedance-2.0", "mode": "t2v", "resolution": "720p", "ratio": "16:9", "width": 1280, "height": 720,'
    ' "duration": 5, "seconds": 5, "seed": 1, "generate_audio": false}'
)
OBJECTS = {"content/video/1/video.mp4": b"a video", "files/obj_1": b"a picture"}


class State(msgspec.Struct, frozen=True):
    """The migrations at one time: their texts by name."""

    name: str
    texts: Mapping[str, str]


def states() -> list[State]:
    """Every schema that a database of ours may have, oldest first; the last one is that of version 0.1.0."""
    history: dict[str, Any] = json.loads(gzip.decompress(_FILE.read_bytes()))
    return [
        State(one["commit"], {name: history["texts"][key] for name, key in sorted(one["files"].items())})
        for one in history["states"]
    ]


def released() -> list[State]:
    """What later releases can have left behind: each prefix of the migrations that are shipped."""
    every = shipped()
    ends = [number for number, one in enumerate(every[:-1], 1) if one.name > "0009"]
    return [State(f"up to {every[end - 1].name}", {one.name: one.sql for one in every[:end]}) for end in ends]


class Data(msgspec.Struct, frozen=True):
    """What was put in."""

    account_id: str
    key: PlainKey
    videos: tuple[str, ...]


async def empty_schema(database_url: str) -> str:
    """The URL of a place of its own. A schema costs less than a database, and is all that ours needs."""
    name = f"older_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE SCHEMA {name}")
    await connection.close()
    return f"{database_url}&search_path={name}"


async def build(url: str, state: State) -> Data:
    """Apply the migrations as they were, and write rows as the code of that time did."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(_YOYO)
        for name, text in state.texts.items():
            await connection.execute(text)
            await connection.execute("INSERT INTO _yoyo_migration VALUES ($1, $1, now())", name)
        return await _fill(connection)
    finally:
        await connection.close()


async def _fill(connection: asyncpg.Connection) -> Data:
    """Rows for every table that there is, with the columns that it has: one video made, one purged, one waiting."""
    found = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    )
    columns: dict[str, set[str]] = {}
    for one in found:
        columns.setdefault(one["table_name"], set()).add(one["column_name"])

    async def put(table: str, **values: object) -> None:
        if table in columns:
            has = {name: value for name, value in values.items() if name in columns[table]}
            marks = ", ".join(f"${number}" for number in range(1, len(has) + 1))
            await connection.execute(f"INSERT INTO {table} ({', '.join(has)}) VALUES ({marks})", *has.values())

    now, pepper, key = datetime.now(UTC), bytes.fromhex(PEPPER), keys.mint(KeyMode.LIVE)
    account, key_id, file = new_id("acc"), new_id("key"), new_id("file")
    done, purged, queued = new_id("vid"), new_id("vid"), new_id("vid")
    mine = {"account_id": account, "currency": "USD"}

    async def pay(kind: str, source: str, target: str, amount: int, **more: object) -> None:
        await put(
            "transfer", id=new_id("trf"), kind=kind, source=source, target=target, amount=amount, author="test",
            created_at=datetime.now(UTC), **mine, **more,
        )  # fmt: skip

    await put("installation", pepper_mark=digest(pepper, "installation"))
    await put("account", id=account, email="older@example.org")
    await put("api_key", id=key_id, account_id=account, handle=key.handle, mode="live", digest=digest(pepper, key.text))
    await put("price_book", version=1, text=STANDARD.read_text(), author="system")
    await put("wallet", available=7200, held=1000, **mine)
    await put(
        "spending_limit", subject=account, period="total", account_id=account, most=9000, since=now.date(), spent=2800
    )
    await put(
        "usage", account_id=account, livemode=True, day=now.date(), model="seedance-2.0", key_id=key_id, videos=2,
        tokens=1800, charged=1800,
    )  # fmt: skip
    await put("notice", id=new_id("ntc"), account_id=account, kind="limit_near", detail="{}", closed_at=now)
    await put(
        "file", id=file, account_id=account, livemode=True, inline=False, kind="image", object_key="files/obj_1",
        sha256="00", facts='{"media_type": "image/png", "bytes": 9}', expires_at=now + timedelta(days=1),
    )  # fmt: skip
    await pay("credit", "payments", "available", 10_000, reason="paid")
    for video in (done, purged, queued):
        is_over = video != queued
        await put(
            "generation", id=video, account_id=account, key_id=key_id, livemode="hold" in columns, provider="sandbox",
            model="seedance-2.0", params=_ORDER, metadata="{}", keep_seconds=86400, quoted_tokens=1000,
            state="completed" if is_over else "queued", deadline_at=now + timedelta(hours=1),
            finished_at=now if is_over else None,
        )  # fmt: skip
        await put("generation_input", generation_id=video, prompt="a boat")
        await put("generation_media", generation_id=video, position=0, role="reference", file_id=file)
        await put(
            "idempotency", account_id=account, route="POST /v1/videos", key=video, fingerprint=b"1",
            generation_id=video, subject=video, expires_at=now + timedelta(days=3),
        )  # fmt: skip
        await put(
            "hold", generation_id=video, key_id=key_id, price_version=1, rate=1, quoted_tokens=1000, quoted=1000,
            amount=1000, counted_on=now.date(), tokens=900 if is_over else None, resolution="720p",
            state="settled" if is_over else "held", charged=900 if is_over else None,
            resolved_at=now if is_over else None, **mine,
        )  # fmt: skip
        await pay("hold", "available", "held", 1000, generation_id=video)
        if is_over:
            attempt = new_id("att")
            await put(
                "attempt", id=attempt, generation_id=video, state="succeeded", provider="sandbox", resolved_at=now,
                operation=json.dumps({"id": attempt, "attempt_id": attempt}),
            )  # fmt: skip
            await pay("charge", "held", "revenue", 900, generation_id=video)
            await pay("release", "held", "available", 100, generation_id=video)
            await pay("upstream", "upstream_cost", "upstream", 500, generation_id=video, reference=attempt)
    await put("content", generation_id=done, stored_at=now, purge_at=now + timedelta(days=1))
    await put(
        "asset", generation_id=done, variant="video", object_key="content/video/1/video.mp4", media_type="video/mp4",
        bytes=7, sha256="11",
    )  # fmt: skip
    await put(
        "content", generation_id=purged, state="purged", stored_at=now, purge_at=now, purged_at=now, cleared_at=now
    )
    await put("deletion", generation_id=purged, what="video", place="objects", reason="expired")
    endpoint = new_id("whe")
    await put(
        "webhook_endpoint", id=endpoint, account_id=account, livemode=True, hidden=True, event_types=[],
        url="https://Hooks.example.org:8443/in?a=1",
    )  # fmt: skip
    await put("webhook_secret", subject=endpoint)
    for video, type_ in ((done, "video.queued"), (done, "video.completed"), (queued, "video.queued")):
        event = new_id("evt")
        await put(
            "event", id=event, account_id=account, livemode=True, type=type_, data=json.dumps({"id": video}),
            created_at=now,
        )  # fmt: skip
        await put("delivery", endpoint_id=endpoint, event_id=event, account_id=account, livemode=True)
    return Data(account, key, (done, purged, queued))
