"""What can be refused without the database is refused without it, and a full queue is seen before anything is done."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx
import pytest

from seedance_api.accounts import create
from seedance_api.accounts.keys import KeyMode
from seedance_api.app.answer import build_api
from seedance_api.app.install import join
from seedance_api.foundation.concurrency_limit import ConcurrencyLimit
from seedance_api.foundation.db import Database
from seedance_api.settings import read
from seedance_api.web.body import MAX_JSON_BYTES
from seedance_api.web.context import Context
from stage import PEPPER

_asking: ContextVar[list[int] | None] = ContextVar("asking", default=None)
"""The connections that were taken for one request; work of the process's own counts nowhere."""
Ask = Callable[..., Awaitable[tuple[httpx.Response, int]]]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    acquire = Database._acquire

    async def counting(self: Database) -> Any:
        if (count := _asking.get()) is not None:
            count.append(1)
        return await acquire(self)

    monkeypatch.setattr(Database, "_acquire", counting)


@asynccontextmanager
async def running(url: str, folder: Path, **settings: str) -> AsyncGenerator[tuple[Ask, Context, str]]:
    """The application: a function that asks it and counts the connections that this took, its tools, and a key."""
    named = {f"SEEDANCE_{name.upper()}": value for name, value in settings.items()}
    given = {"SEEDANCE_DATABASE_URL": url, "SEEDANCE_DATA_DIR": str(folder), "SEEDANCE_PEPPER": PEPPER} | named
    configured = read(given)
    await join(configured, makes=True)
    db = await Database.connect(url, max_connections=1)
    pepper = bytes.fromhex(PEPPER)
    await create.create_account(db, "one@example.org")
    key = (await create.create_key(db, pepper, email="one@example.org", mode=KeyMode.TEST)).key
    await db.close()
    edge: Any = build_api(configured)
    app = edge._app
    async with app.lifespan(), httpx.AsyncClient(
        transport=httpx.ASGITransport(edge, raise_app_exceptions=False), base_url="http://x"
    ) as client:  # fmt: skip

        async def ask(method: str, path: str, **more: Any) -> tuple[httpx.Response, int]:
            count: list[int] = []
            token = _asking.set(count)
            try:
                return await client.request(method, path, **more), len(count)
            finally:
                _asking.reset(token)

        yield ask, app.state["context"], key


def test_what_is_refused_without_a_look_costs_no_query(database_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with running(database_url, tmp_path, reads_per_minute="3") as (ask, _, key):
            mine = {"Authorization": f"Bearer {key}"}
            wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
            first, queries = await ask("GET", "/v1/videos", headers=mine)
            assert (first.status_code, queries > 0) == (200, True), "what is counted is counted"
            cases: dict[str, tuple[int, tuple[str, str], dict[str, Any]]] = {
                "a bad checksum": (401, ("GET", "/v1/videos"), {"headers": {"Authorization": f"Bearer {wrong}"}}),
                "no key": (401, ("GET", "/v1/videos"), {}),
                "a key in the query": (400, ("GET", f"/v1/videos?key={key}"), {"headers": mine}),
                "no host": (400, ("GET", "/v1/videos"), {"headers": mine | {"Host": "a b"}}),
                "a large body": (413, ("POST", "/v1/videos"), {
                    "headers": mine | JSON | {"Content-Length": str(MAX_JSON_BYTES + 1)}, "content": b""}),
                "no JSON": (400, ("POST", "/v1/videos"), {"headers": mine | JSON, "content": b"{"}),
                "another type": (415, ("POST", "/v1/videos"), {"headers": mine, "content": b"x"}),
                "no field": (400, ("POST", "/v1/videos"), {"headers": mine, "json": {"promt": "x"}}),
                "no method": (405, ("PATCH", "/v1/videos"), {"headers": mine}),
            }  # fmt: skip
            found = {}
            for name, (_, asked, more) in cases.items():
                answer, queries = await ask(*asked, **more)
                found[name] = (answer.status_code, queries)
            assert found == {name: (status, 0) for name, (status, _, _) in cases.items()}
            for _ in range(5):
                answer, queries = await ask("GET", "/v1/videos", headers=mine)
            assert (answer.status_code, queries) == (429, 0), "over the limit"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("queue", "asked", "body"),
    [
        ("creates", ("POST", "/v1/videos"), {"json": {"prompt": "x"}}),
        ("creates", ("POST", "/v1/videos/quote"), {"json": {"prompt": "x"}}),
        ("files", ("POST", "/v1/files"), {"files": {"file": ("a.png", b"x")}}),
        ("files", ("POST", "/v1/verify"), {"content": b"x"}),
    ],
)
def test_a_full_queue_is_503_at_once_and_not_ready(
    database_url: str, tmp_path: Path, queue: str, asked: tuple[str, str], body: dict[str, Any]
) -> None:
    async def run() -> None:
        async with running(database_url, tmp_path) as (ask, context, key):
            mine = {"Authorization": f"Bearer {key}"}
            assert (await ask("GET", "/v1/models", headers=mine))[0].status_code == 200
            assert (await ask("GET", "/readyz"))[0].status_code == 200
            limit = ConcurrencyLimit(1, 0)
            setattr(context, queue, limit)
            await limit.acquire()
            answer, queries = await ask(*asked, headers=mine, **body)
            assert (answer.status_code, answer.json()["error"]["code"], queries) == (503, "too_busy", 0)
            assert int(answer.headers["Retry-After"]) > 0
            assert (await ask("GET", "/readyz"))[0].status_code == 503
            assert (await ask("GET", "/v1/videos", headers=mine))[0].status_code == 200, "reads go on"
            limit.release()
            assert (await ask("GET", "/readyz"))[0].status_code == 200

    asyncio.run(run())
