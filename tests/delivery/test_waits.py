"""An outage of ours is not a bad file: what is made waits for us until its deadline, and is fetched, marked and stored
then. Only what the file itself did is counted against it."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from obstore.store import LocalStore

from delivery.kit import made_certificate, make_clip
from generations.kit import engine, new, owner, sandbox, with_database
from seedance_api.delivery.mark import Marking
from seedance_api.delivery.store import Storage
from seedance_api.foundation import confine
from seedance_api.foundation.confine import Confine, Failure
from seedance_api.foundation.db import Database
from seedance_api.generations.advance import advance
from seedance_api.generations.write import Writer
from seedance_api.providers.provider import Fetched, FetchOutcome, Operation
from seedance_api.providers.sandbox.sandbox import Sandbox

TRIES = 7
"""More than a bad file is given."""


class Delivers(Sandbox):
    """A provider that has the file ready; `content` is what it delivers."""

    clip: Path
    fetched: int

    async def fetch(self, operation: Operation, variant: str, to: Path) -> FetchOutcome:
        del operation, variant
        self.fetched += 1
        return Fetched(shutil.copyfile(self.clip, to).stat().st_size)


class Stage:
    """A finished operation whose file is to be stored, with everything of ours that this takes."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.folder = db, folder
        self.objects = folder / "objects"
        self.objects.mkdir()
        self.ours = made_certificate(folder / "ours")
        self.provider = sandbox("sandbox", 8)
        self.provider.__class__ = Delivers
        assert isinstance(self.provider, Delivers)
        self.provider.fetched = 0
        self.id = ""
        self.use()

    def use(self, confined: Confine | None = None) -> None:
        self.confine = confined or Confine(slots=2)
        self.engine = engine(
            self.db,
            providers={"sandbox": self.provider},
            storage=Storage(
                store=LocalStore(self.objects, automatic_cleanup=True),
                scratch=self.folder / "scratch",
                confine=self.confine,
                marking=Marking(operator="Acme Video", certificate=self.ours),
            ),
        )

    async def make(self) -> None:
        made = new(await owner(self.db))
        assert isinstance(self.provider, Delivers)
        self.provider.clip = make_clip(self.folder / "clip.mp4", width=made.order.width, height=made.order.height)
        await Writer(self.db)(made)
        await self.db.execute("UPDATE generation SET state = 'storing', due_at = now(), started_at = now()")
        await self.db.execute(
            "INSERT INTO attempt (id, generation_id, provider, state, operation, sent_at, resolved_at)"
            """ VALUES ('att_1', $1, 'sandbox', 'succeeded', '{"id": "1"}', now(), now())""",
            made.id,
        )
        self.id = made.id

    async def tries(self, count: int) -> Any:
        """Take the step so often, without the waits between; returns the row."""
        for _ in range(count):
            await self.db.execute("UPDATE generation SET due_at = now()")
            await advance(self.id, self.engine)
        return await self.db.fetchrow("SELECT * FROM generation")


def put_away(folder: Path) -> Callable[[], object]:
    """Take a folder or a file away, with something in a folder's place; returns the way back."""
    away = folder.with_name(folder.name + ".away")
    was_folder = folder.is_dir()
    folder.rename(away)
    if was_folder:
        folder.write_text("in the way")

    def bring_back() -> None:
        if was_folder:
            folder.unlink()
        away.rename(folder)

    return bring_back


def outage(stage: Stage, of: str) -> Callable[[], object]:
    """Have something of ours fail; returns how it comes back."""
    match of:
        case "key":
            return put_away(Path(stage.ours.key))
        case "expired":
            good = stage.ours
            stage.ours = made_certificate(stage.folder / "old", starts=timedelta(days=-9), days=8)
            stage.use()

            def renew() -> None:
                stage.ours = good
                stage.use()

            return renew
        case "objects":
            return put_away(stage.objects)
        case "scratch":
            (stage.folder / "scratch").mkdir()
            return put_away(stage.folder / "scratch")
        case _:
            stage.use(Broken(of))
            return stage.use


class Broken(Confine):
    """Children that die for reasons of the machine: the kernel is short of memory, or the program is not whole."""

    def __init__(self, how: str) -> None:
        super().__init__(slots=2)
        self.how = how

    async def run(self, module: str, request: bytes, **limits: Any) -> bytes | Failure:
        match self.how:
            case "killed":
                return confine._outcome(-9, b"", timed_out=False)
            case "slow":
                return confine._outcome(None, b"", timed_out=True)
            case _:
                return await super().run("seedance_api.delivery.no_such_module", request, **limits)


@pytest.mark.parametrize("of", ["key", "expired", "objects", "scratch", "killed", "slow", "not started"])
def test_F40_an_outage_of_ours_is_waited_out_and_costs_no_try(  # noqa: N802 its name in the table of faults
    of: str, database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        stage = Stage(db, tmp_path)
        await stage.make()
        end = outage(stage, of)
        with structlog.testing.capture_logs() as said:
            row = await stage.tries(TRIES)
        assert (row["state"], row["wrong_tries"]) == ("storing", 0)
        alarms = [one for one in said if one["event"] == "store.waiting"]
        assert len(alarms) == TRIES
        assert all(one["log_level"] == "error" and one["operator_must_act"] and one["reason"] for one in alarms)
        end()
        row = await stage.tries(1)
        assert row["state"] == "completed"
        assert await db.fetchval("SELECT count(*) FROM attempt") == 1, "it was made once"
        assert await db.fetchval("SELECT count(*) FROM asset") == 2

    with_database(database_url, verb)


@pytest.mark.parametrize("of", ["key", "expired"])
def test_what_could_not_be_marked_is_not_even_fetched(of: str, database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        stage = Stage(db, tmp_path)
        await stage.make()
        outage(stage, of)
        await stage.tries(3)
        assert isinstance(stage.provider, Delivers)
        assert stage.provider.fetched == 0

    with_database(database_url, verb)


def test_at_its_deadline_it_fails_and_says_why(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        stage = Stage(db, tmp_path)
        await stage.make()
        outage(stage, "key")
        await stage.tries(2)
        await db.execute("UPDATE generation SET deadline_at = now()")
        row = await stage.tries(1)
        assert (row["state"], row["error_code"]) == ("failed", "marking_failed")

    with_database(database_url, verb)


def test_a_bad_file_still_has_its_few_tries_and_outages_between_them_do_not_count(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        stage = Stage(db, tmp_path)
        await stage.make()
        assert isinstance(stage.provider, Delivers)
        stage.provider.clip.write_bytes(b"no video")
        assert (await stage.tries(3))["wrong_tries"] == 3
        end = outage(stage, "key")
        assert (await stage.tries(TRIES))["wrong_tries"] == 3
        end()
        row = await stage.tries(3)
        assert (row["state"], row["error_code"]) == ("failed", "output_invalid")

    with_database(database_url, verb)
