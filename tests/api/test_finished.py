"""`GET /v1/videos/{id}` of a finished video is answered from memory, and never with what is not so any more."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from seedance_api.accounts import create
from stage import Service, finished, fresh_database, until

SMALL = {"prompt": "A quiet lake", "resolution": "480p", "duration": 4}


def execute(service: Service, *statements: str, ids: tuple[str, ...] = ()) -> None:
    """Run these on one connection; each that has a parameter gets the ids."""

    async def run() -> None:
        connection = await asyncpg.connect(service.database_url)
        for statement in statements:
            await connection.execute(statement, *([list(ids)] if "$1" in statement else []))
        await connection.close()

    asyncio.run(run())


def change(table: str, column: str, what: str) -> str:
    return f"UPDATE {table} SET {what} WHERE {column} = ANY ($1::text[])"


@pytest.fixture(scope="module")
def service(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two processes, and real prices, so that there is something to refund."""
    with fresh_database(postgres) as url:
        one = Service(url, tmp_path_factory.mktemp("service"), workers="2", live_sandbox="true")
        one.credit("100")
        yield one
        one.stop()


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    return service.new_key("live")


@pytest.fixture
def video(service: Service, key: str) -> str:
    """One that is finished."""
    with service.client(key) as client:
        return str(finished(client, client.post("/v1/videos", json=SMALL).json()["id"])["id"])


def everywhere(service: Service, key: str, video_id: str, times: int = 24) -> list[httpx.Response]:
    """What all processes say: each question over a connection of its own, which any of them may get."""
    answers: list[httpx.Response] = []
    for _ in range(times):
        with service.client(key) as client:
            answers.append(client.get(f"/v1/videos/{video_id}"))
    return answers


def silently(table: str, statement: str) -> list[str]:
    """A statement of which nobody hears."""
    return [f"ALTER TABLE {table} DISABLE TRIGGER USER", statement, f"ALTER TABLE {table} ENABLE TRIGGER USER"]


def test_it_is_answered_from_memory(service: Service, key: str, video: str) -> None:
    """What no notification tells of is not seen: so it came from memory, in both processes."""
    first = {answer.content for answer in everywhere(service, key, video)}
    assert len(first) == 1
    execute(service, *silently("generation", change("generation", "id", """metadata = '{"a": "b"}'""")), ids=(video,))
    assert {answer.content for answer in everywhere(service, key, video)} == first
    execute(service, change("generation", "id", "progress = progress"), ids=(video,))
    until(lambda: all(answer.json()["metadata"] for answer in everywhere(service, key, video)), 10)


CHANGES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "hidden": (change("generation", "id", "deleted_at = now()"), lambda body: "error" in body and "id" not in body),
    "purged": (
        change("content", "generation_id", "state = 'purged', purged_at = now()"),
        lambda body: body["urls"]["content"] is None,
    ),
    "without its prompt": (
        "DELETE FROM generation_input WHERE generation_id = ANY ($1::text[])",
        lambda body: body["prompt"] is None,
    ),
    "refunded": (
        change("hold", "generation_id", "refunded = charged"),
        lambda body: float(body["cost"]["refunded"]) > 0,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_it_is_seen(service: Service, key: str, video: str, name: str) -> None:
    statement, shows = CHANGES[name]
    assert not any(shows(answer.json()) for answer in everywhere(service, key, video))
    execute(service, statement, ids=(video,))
    until(lambda: all(shows(answer.json()) for answer in everywhere(service, key, video)), 10)


def test_a_deleted_video_is_gone_in_every_process_once_that_is_answered(service: Service, key: str) -> None:
    with service.client(key) as client:
        made = [client.post("/v1/videos", json=SMALL).json()["id"] for _ in range(3)]
        for one in made:
            finished(client, one)
        for one in made:
            assert {answer.status_code for answer in everywhere(service, key, one)} == {200}
            assert client.delete(f"/v1/videos/{one}").status_code == 200
            assert {answer.status_code for answer in everywhere(service, key, one, 8)} == {404}


def test_a_delivery_that_is_said_is_seen_in_every_process(service: Service, key: str, video: str) -> None:
    everywhere(service, key, video)
    with service.client(key) as client:
        said = client.post(f"/v1/videos/{video}/delivered").json()
    assert {answer.json()["delivered_at"] for answer in everywhere(service, key, video, 8)} == {said["delivered_at"]}


def test_a_revoked_key_is_told_nothing_once_it_is_revoked(service: Service, video: str, key: str) -> None:
    leaked = service.new_key("live")
    assert {answer.status_code for answer in everywhere(service, leaked, video)} == {200}

    async def revoke(db: Any) -> None:
        await create.revoke_key(
            db, await db.fetchval("SELECT id FROM api_key WHERE handle = $1", leaked.split("_")[2][:8])
        )

    service._do(revoke)
    assert {answer.status_code for answer in everywhere(service, leaked, video, 8)} == {401}
    assert {answer.status_code for answer in everywhere(service, key, video, 8)} == {200}


def test_anothers_is_not_there_though_it_is_in_memory(service: Service, key: str, video: str) -> None:
    everywhere(service, key, video)
    service._do(lambda db: create.create_account(db, "stranger@example.org"))
    stranger, test = service.new_key("live", email="stranger@example.org"), service.new_key("test")
    for other in (stranger, test):
        assert {answer.status_code for answer in everywhere(service, other, video, 8)} == {404}
