"""A key that ends, ends what was begun with it: an event stream at once, a download at its next piece."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from security.attack import log
from seedance_api.accounts import create
from seedance_api.accounts.authenticate import Authenticator, Standing
from seedance_api.foundation.db import Database
from seedance_api.generations.follow import KEEP_ALIVE_SECONDS
from stage import PEPPER, Service, finished, until

SOON = 5.0
assert SOON < KEEP_ALIVE_SECONDS


def execute(service: Service, sql: str, *values: object) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(service.database_url)
        await connection.execute(sql, *values)
        await connection.close()

    asyncio.run(run())


class Reader:
    """Reads an event stream in the background."""

    def __init__(self, service: Service, key: str, video_id: str) -> None:
        self.lines: list[str] = []
        self.ended = threading.Event()
        self._url, self._key = f"{service.url}/v1/videos/{video_id}/events", key
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: self.lines, 10)

    def _read(self) -> None:
        try:
            headers = {"Authorization": f"Bearer {self._key}"}
            with (
                httpx.Client(timeout=SOON + 20, trust_env=False) as client,
                client.stream("GET", self._url, headers=headers) as stream,
            ):
                for line in stream.iter_lines():
                    self.lines.append(line)
        except httpx.HTTPError:
            pass
        self.ended.set()


@pytest.fixture
def stalled(service: Service) -> Iterator[str]:
    """A video that never gets anywhere."""
    with service.client() as client:
        made = client.post("/v1/videos", json={"prompt": "[sandbox:stall] x", "duration": 4, "resolution": "480p"})
        yield made.json()["id"]
        client.post(f"/v1/videos/{made.json()['id']}/cancel")


def key_id(service: Service, key: str) -> str:
    async def find(db: Database) -> str:
        return await db.fetchval("SELECT id FROM api_key WHERE handle = $1", key.split("_")[2][:8])

    return service._do(find)


def by_the_verb(service: Service, key: str) -> None:
    service._do(lambda db: create.revoke_key(db, key))


def by_hand(service: Service, key: str) -> None:
    execute(service, "UPDATE api_key SET revoked_at = now() WHERE id = $1", key)


def with_its_row(service: Service, key: str) -> None:
    """As the deletion of an account would."""
    execute(service, "DELETE FROM api_key WHERE id = $1", key)


@pytest.mark.parametrize("end", [by_the_verb, by_hand, with_its_row])
def test_a_revoked_keys_stream_ends_at_once_and_tells_nothing_more(
    service: Service, stalled: str, end: Callable[[Service, str], None]
) -> None:
    leaked, kept = service.new_key(), service.new_key()
    lost, other = Reader(service, leaked, stalled), Reader(service, kept, stalled)
    end(service, key_id(service, leaked))
    assert lost.ended.wait(SOON), "the stream goes on"
    told = len(lost.lines)
    with service.client() as client:
        assert client.post(f"/v1/videos/{stalled}/cancel").status_code == 200
        until(lambda: any("video.canceled" in line for line in other.lines), 20)
        assert other.ended.wait(SOON)
        assert len(lost.lines) == told
        assert not any("canceled" in line for line in lost.lines)
        refused = client.get(f"/v1/videos/{stalled}/events", headers={"Authorization": f"Bearer {leaked}"})
        assert refused.status_code == 401


def test_a_stream_goes_on_when_its_account_is_only_changed(service: Service, stalled: str) -> None:
    key = service.new_key()
    reader = Reader(service, key, stalled)
    execute(service, "SELECT pg_notify('key_revoked', $1)", key_id(service, key))
    assert not reader.ended.wait(0.5)
    with service.client() as client:
        client.post(f"/v1/videos/{stalled}/cancel")
    until(lambda: any("video.canceled" in line for line in reader.lines), 20)


def test_a_download_stops_when_its_key_is_revoked(service: Service) -> None:
    """64 MiB, more than lies in buffers; the key is revoked after the first of them."""
    key, size, logged = service.new_key(), 64 << 20, len(log(service))
    with service.client() as owner:
        made = owner.post("/v1/videos", json={"prompt": "x", "duration": 4, "resolution": "480p", "seed": 5}).json()
        finished(owner, made["id"])
        place = make_large(service, made["id"], size)
        try:
            got = 0
            headers = {"Authorization": f"Bearer {key}"}
            with owner.stream("GET", f"/v1/videos/{made['id']}/content", headers=headers) as answer:
                assert answer.headers["content-length"] == str(size)
                with pytest.raises(httpx.RemoteProtocolError):
                    for piece in answer.iter_raw(1 << 20):
                        if not got:
                            by_the_verb(service, key_id(service, key))
                            time.sleep(0.5)  # it is announced, and the client reads nothing meanwhile
                        got += len(piece)
            assert 0 < got < size
            until(lambda: "request.revoked" in log(service)[logged:], 10)
            assert "request.broken_off" not in log(service)[logged:], "it is no fault of ours"
            assert "Traceback" not in log(service)[logged:]
        finally:
            assert place.stat().st_size == size
            owner.delete(f"/v1/videos/{made['id']}")


def make_large(service: Service, video_id: str, size: int) -> Any:
    async def grow(db: Database) -> str:
        return await db.fetchval(
            "UPDATE asset SET bytes = $2 WHERE generation_id = $1 AND variant = 'video' RETURNING object_key",
            video_id,
            size,
        )

    place = service.folder / "data" / "objects" / service._do(grow)
    with place.open("r+b") as file:
        file.truncate(size)
    return place


def test_what_stands_is_asked_anew_after_five_seconds_and_lasts_through_an_outage(database_url: str) -> None:
    async def main() -> None:
        db = await Database.connect(database_url, max_connections=2)
        await create.create_account(db, "one@example.org")
        made = await create.create_key(db, bytes.fromhex(PEPPER), email="one@example.org", mode=create.KeyMode.TEST)
        authenticate = Authenticator(db=db, pepper=bytes.fromhex(PEPPER))
        standing = Standing(authenticate, f"Bearer {made.key}")
        assert await standing()
        await create.revoke_key(db, made.id)  # nobody listens here
        assert await standing()
        standing._until = time.monotonic()
        assert not await standing()
        assert not await standing(), "it does not come back"
        other = Standing(authenticate, f"Bearer {made.key}")
        await db.close()
        authenticate.forget_all()
        assert await other()

    asyncio.run(main())
