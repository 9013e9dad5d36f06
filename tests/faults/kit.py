"""What the fault tests share: kill points in the database, processes, and what must be true when all is calm again."""

import asyncio
import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from security.attack import rows
from seedance_api.foundation.db import Database
from seedance_api.foundation.objects import open_store
from seedance_api.reconciliation.collect_orphans import Limits, collect_orphans
from stage import Service, until

SHORT: dict[str, Any] = {"model": "seedance-1.0-pro-fast", "duration": 2, "resolution": "480p", "seed": 3}
"""The cheapest clip there is: 49 frames."""
FINAL = ("completed", "failed", "canceled")
_GATE = 4242
_POINTS = """
    CREATE OR REPLACE FUNCTION pause_at_kill_point() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE wanted text;
    BEGIN
        SELECT metadata ->> 'pause' INTO wanted FROM generation
        WHERE id = coalesce(to_jsonb(NEW) ->> 'generation_id', to_jsonb(NEW) ->> 'id');
        IF wanted = TG_TABLE_NAME || ' ' || OLD.state || '>' || NEW.state THEN
            PERFORM pg_advisory_xact_lock_shared(4242);
        END IF;
        RETURN NEW;
    END $$;
    CREATE OR REPLACE TRIGGER pause BEFORE UPDATE OF state ON generation
        FOR EACH ROW EXECUTE FUNCTION pause_at_kill_point();
    CREATE OR REPLACE TRIGGER pause BEFORE UPDATE OF state ON attempt
        FOR EACH ROW EXECUTE FUNCTION pause_at_kill_point();
"""


def create(service: Service, prompt: str = "A pond", key: str | None = None, **fields: object) -> str:
    """A generation, accepted."""
    headers = {"Idempotency-Key": key} if key else {}
    with service.client() as client:
        answer = client.post("/v1/videos", json=SHORT | {"prompt": prompt} | fields, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def state_of(service: Service, video: str) -> str:
    """Its inner state."""
    return rows(service.database_url, "SELECT state FROM generation WHERE id = $1", video)[0]["state"]


def reaches(service: Service, video: str, *states: str, seconds: float = 90) -> str:
    """Wait until it is in one of the states."""
    found = until(lambda: state_of(service, video) in states and state_of(service, video), seconds)
    assert isinstance(found, str)
    return found


def do(url: str, sql: str, *values: object) -> None:
    """Change the database behind everybody's back."""

    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(sql, *values)
        finally:
            await connection.close()

    asyncio.run(execute())


class Gate:
    """Holds every step that a generation's metadata names as its `pause`, until it is opened."""

    def __init__(self, service: Service) -> None:
        self._url = service.database_url
        do(self._url, _POINTS)
        self._open = threading.Event()
        self._shut = threading.Event()
        self._keeper = threading.Thread(target=lambda: asyncio.run(self._keep()))
        self._keeper.start()
        assert self._shut.wait(20)

    async def _keep(self) -> None:
        connection = await asyncpg.connect(self._url)
        await connection.execute("SELECT pg_advisory_lock($1)", _GATE)
        self._shut.set()
        while not self._open.is_set():
            await asyncio.sleep(0.02)
        await connection.close()

    def wait_for(self, count: int, seconds: float = 60) -> None:
        """Wait until so many steps stand before it."""
        sql = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted"
        until(lambda: rows(self._url, sql, _GATE)[0]["n"] == count, seconds)

    def open(self) -> None:
        """Let everybody through, for good."""
        self._open.set()
        self._keeper.join()


@contextmanager
def gate(service: Service) -> Iterator[Gate]:
    """A shut gate, open at the end in any case."""
    found = Gate(service)
    try:
        yield found
    finally:
        found.open()


def family(service: Service) -> list[psutil.Process]:
    """`serve` and everything it started."""
    parent = psutil.Process(service.process.pid)
    return [parent, *parent.children(recursive=True)]


def words(process: psutil.Process) -> list[str]:
    """Its command line; nothing for one that is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def worker_of(service: Service) -> psutil.Process:
    """The worker that `serve` started, when it works."""

    def find() -> psutil.Process | None:
        children = psutil.Process(service.process.pid).children()
        return next((one for one in children if words(one)[-1:] == ["worker"]), None)

    found = until(find, 30)
    assert isinstance(found, psutil.Process)
    return found


def gone(processes: list[psutil.Process], seconds: float = 10) -> None:
    """None of them runs any more."""
    until(lambda: not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE], seconds)


def completes(service: Service, videos: list[str], seconds: float = 120) -> None:
    """Each of them, and the public answer says so."""
    sql = "SELECT id, state, error_code FROM generation WHERE id = ANY ($1)"
    until(lambda: all(row["state"] in FINAL for row in rows(service.database_url, sql, videos)), seconds)
    assert {(row["state"], row["error_code"]) for row in rows(service.database_url, sql, videos)} == {
        ("completed", None)
    }
    with service.client() as client:
        for video in videos:
            content = client.get(f"/v1/videos/{video}/content")
            assert content.status_code == 200
            assert content.content[4:8] == b"ftyp"


def consistent(service: Service, seconds: float = 25, *, collect_first: bool = False) -> None:
    """What must be true when all is calm: counted in the database, in the object store and on the disk.

    After a kill or a refusal there may be objects that no row names, until they are collected.
    """
    check_rows(service)
    if collect_first:
        collected(service)
    deadline = time.monotonic() + seconds
    while (found := problems(service)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert found == [], found


def check_rows(service: Service) -> None:
    """One content, one set of assets and one succeeded attempt for each completed one; nothing open for a final one."""
    for row in rows(
        service.database_url,
        """
        SELECT g.id, g.state, (g.params ->> 'return_last_frame')::bool AS last_frame,
               (SELECT count(*) FROM content c WHERE c.generation_id = g.id) AS contents,
               (SELECT count(*) FROM asset a WHERE a.generation_id = g.id) AS assets,
               EXISTS (SELECT 1 FROM content c WHERE c.generation_id = g.id AND c.cleared_at IS NOT NULL) AS cleared,
               (SELECT count(*) FROM attempt a WHERE a.generation_id = g.id AND state = 'succeeded') AS succeeded,
               (SELECT count(*) FROM attempt a WHERE a.generation_id = g.id AND resolved_at IS NULL) AS open
        FROM generation g WHERE g.deleted_at IS NULL
        """,
    ):
        done = row["state"] == "completed"
        assert row["contents"] == done, dict(row)
        assert row["assets"] == (done and not row["cleared"] and 2 + row["last_frame"]), dict(row)
        assert row["succeeded"] <= 1, dict(row)
        assert not done or row["succeeded"] == 1, dict(row)
        assert row["open"] <= (row["state"] not in FINAL), dict(row)


def problems(service: Service) -> list[str]:
    """Objects that no row names, rows whose object is missing, and what was left on the disk."""
    store = service.folder / "data" / "objects"
    named = {
        row["object_key"]
        for row in rows(service.database_url, "SELECT object_key FROM asset UNION SELECT object_key FROM file")
    }
    there = {name for name in listed(store) if name.startswith(("content/", "files/"))}
    busy = {
        row["id"]
        for row in rows(
            service.database_url,
            "SELECT a.id FROM attempt a JOIN generation g ON g.id = a.generation_id WHERE g.finished_at IS NULL",
        )
    }
    sandbox = {name for name in listed(store) if name.startswith("sandbox/") and name.split("/")[1] not in busy}
    scratch = service.folder / "data" / "scratch"
    left = {str(path.relative_to(scratch)) for path in scratch.rglob("vid_*")} | set(abandoned(scratch))
    return sorted(
        [f"no row names {name}" for name in there - named]
        + [f"missing {name}" for name in named - there]
        + [f"the provider still has {name}" for name in sandbox]
        + [f"scratch/{name}" for name in left]
    )


def listed(store: Path) -> set[str]:
    """Every object's key."""
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}


def abandoned(scratch: Path) -> list[str]:
    """Folders of processes that are dead: a living one holds its lock."""
    found: list[str] = []
    for folder in scratch.iterdir() if scratch.exists() else ():
        if folder.is_dir():
            try:
                with (folder / "lock").open() as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except FileNotFoundError:
                pass
            found.append(folder.name)
    return found


def collected(service: Service) -> None:
    """What the hourly job does, as if the hour were over."""

    async def run() -> None:
        db = await Database.connect(service.database_url, max_connections=2)
        store = open_store(None, service.folder / "data" / "objects")
        limits = Limits(age=timedelta(0), watched=timedelta(0), trashed=timedelta(0), share=1.0)
        for _ in range(2):  # the first notes what the second throws away
            assert (await collect_orphans(db, store, limits)).stopped is None
        await db.close()

    asyncio.run(run())


def outcome(service: Service, video: str) -> tuple[str, str | None]:
    """The public status and error code."""
    with service.client() as client:
        seen: dict = client.get(f"/v1/videos/{video}").json()
    return seen["status"], (seen["error"] or {}).get("code")


def get(service: Service, path: str) -> httpx.Response:
    """One GET with the service's key."""
    with service.client() as client:
        return client.get(path)
