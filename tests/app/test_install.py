"""What belongs to an installation, and what is refused: databases and object stores in every wrong pair."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from generations.kit import new, owner
from seedance_api.app.compare import differences
from seedance_api.app.install import Adopt, Joined, join
from seedance_api.app.join_store import check_store_is_free
from seedance_api.app.open import open_objects, running_url
from seedance_api.delivery import certificate
from seedance_api.delivery.issue import issue
from seedance_api.foundation import claim, installation, objects
from seedance_api.foundation.db import Database
from seedance_api.foundation.installation import InstallationError
from seedance_api.foundation.objects import open_store
from seedance_api.foundation.put_object import put_bytes
from seedance_api.generations.write import Writer
from seedance_api.reconciliation.collect_orphans import Limits, collect_orphans
from seedance_api.settings import Settings, read
from stage import PEPPER, fresh_database

AT_ONCE = Limits(age=timedelta(seconds=-60), watched=timedelta(0), trashed=timedelta(0), share=0.0, count=0)


@pytest.fixture
def databases(postgres: str) -> Iterator[tuple[str, str]]:
    """Two migrated databases."""
    with ExitStack() as stack:
        yield stack.enter_context(fresh_database(postgres)), stack.enter_context(fresh_database(postgres))


def machine(url: str, folder: Path, **more: object) -> Settings:
    """The settings of a machine with this data folder; `None` takes one away."""
    given = {"database_url": url, "data_dir": folder, "pepper": PEPPER} | more
    return read({f"SEEDANCE_{name.upper()}": str(value) for name, value in given.items() if value is not None})


def joined(settings: Settings, *adopt: Adopt, makes: bool = True) -> Joined:
    return asyncio.run(join(settings, makes=makes, adopt=frozenset(adopt)))


def refused(settings: Settings, *adopt: Adopt, makes: bool = True) -> str:
    with pytest.raises(InstallationError) as error:
        joined(settings, *adopt, makes=makes)
    assert PEPPER not in str(error.value)
    return str(error.value)


def opens(settings: Settings) -> None:
    """What each process that serves or works does."""

    async def run() -> None:
        assert settings.database_url is not None
        db = await Database.connect(settings.database_url, max_connections=1)
        try:
            await open_objects(db, settings)
        finally:
            await db.close()

    asyncio.run(run())


def test_a_new_installation_marks_its_store_and_is_joined_again(databases: tuple[str, str], tmp_path: Path) -> None:
    one = machine(databases[0], tmp_path)
    first = joined(one)
    assert joined(one) == first
    assert joined(one, makes=False).id == first.id
    assert asyncio.run(claim.read(open_store(None, tmp_path / "objects"))) == first.id
    opens(one)


def test_a_store_of_another_installation_is_refused(databases: tuple[str, str], tmp_path: Path) -> None:
    mine = joined(machine(databases[0], tmp_path))
    other = machine(databases[1].replace("postgres:@", "postgres:secret@"), tmp_path)
    said = refused(other)
    assert mine.id in said
    assert str(tmp_path / "objects") in said
    assert databases[1].split("/")[3].split("?")[0] in said
    assert "init --adopt store" in said
    assert "secret" not in said
    with pytest.raises(InstallationError):
        opens(other)
    with pytest.raises(InstallationError):
        asyncio.run(check_store_is_free(other))

    adopted = joined(other, Adopt.STORE)
    assert adopted.id != mine.id
    opens(other)
    assert adopted.id in refused(machine(databases[0], tmp_path)), "and from then on it is the first that is refused"


def test_nothing_is_collected_from_a_store_of_another(databases: tuple[str, str], tmp_path: Path) -> None:
    """Forty videos, and a database that knows none of them: not one may go, however long it runs."""
    joined(machine(databases[0], tmp_path))
    store = open_store(None, tmp_path / "objects")

    async def run() -> None:
        for number in range(40):
            await put_bytes(store, f"content/vid_{number}/1/video.mp4", b"x")
        db = await Database.connect(databases[1], max_connections=2)
        await installation.make(db, bytes.fromhex(PEPPER))
        try:
            for _ in range(3):
                assert (await collect_orphans(db, store, AT_ONCE)).stopped == "foreign_store"
            kinds = await db.fetch("SELECT kind, account_id FROM notice")
            assert [tuple(one) for one in kinds] == [("collect_stopped", None)], "told once, not at every run"
        finally:
            await db.close()

    asyncio.run(run())
    assert len(list((tmp_path / "objects/content").rglob("video.mp4"))) == 40


def test_a_store_without_the_mark_is_not_the_one_that_was_used(databases: tuple[str, str], tmp_path: Path) -> None:
    """Such as the folder below a file system that is not mounted, or a bucket that was mistyped."""
    joined(machine(databases[0], tmp_path))
    shutil.rmtree(tmp_path / "objects")
    assert "not the one" in refused(machine(databases[0], tmp_path))
    assert not (tmp_path / "objects").exists(), "nor is it made"
    (tmp_path / "objects").mkdir()
    assert "mounted" in refused(machine(databases[0], tmp_path))
    with pytest.raises(InstallationError):
        opens(machine(databases[0], tmp_path))
    joined(machine(databases[0], tmp_path), Adopt.STORE)
    opens(machine(databases[0], tmp_path))


def test_nobody_makes_the_folder_anew_while_it_runs(databases: tuple[str, str], tmp_path: Path) -> None:
    """It may be a disk that is unmounted: what would be written there is hidden once it is mounted again."""
    one = machine(databases[0], tmp_path)
    joined(one)

    async def run() -> None:
        db = await Database.connect(databases[0], max_connections=1)
        try:
            store = await open_objects(db, one)
            (tmp_path / "objects").rename(tmp_path / "away")
            with pytest.raises(objects.MissingError):
                await put_bytes(store, "content/a", b"x")
            assert not (tmp_path / "objects").exists()
            (tmp_path / "away").rename(tmp_path / "objects")
            await put_bytes(store, "content/a", b"x")
            assert await claim.agrees(db, store)
        finally:
            await db.close()

    asyncio.run(run())
    opens(one)


@pytest.mark.parametrize("knows", [True, False])
def test_a_store_of_version_0_1_0_is_taken_over_by_the_database_that_knows_it(
    knows: bool, databases: tuple[str, str], tmp_path: Path
) -> None:
    store = open_store(None, tmp_path / "objects")

    async def fill() -> None:
        db = await Database.connect(databases[0], max_connections=2)
        try:
            await installation.make(db, bytes.fromhex(PEPPER))
            me = await owner(db)
            for _ in range(3):
                one = new(me)
                await Writer(db)(one)
                await put_bytes(store, f"content/{one.id}/1/video.mp4", b"x")
        finally:
            await db.close()

    asyncio.run(fill())
    settings = machine(databases[0] if knows else databases[1], tmp_path)
    if knows:
        joined(settings)
        opens(settings)
    else:
        assert "does not know" in refused(settings)
        assert asyncio.run(claim.read(store)) is None


def test_of_two_databases_that_begin_at_once_on_one_store_one_has_it(
    databases: tuple[str, str], tmp_path: Path
) -> None:
    async def both() -> list[Joined | BaseException]:
        machines = [
            machine(url, tmp_path / str(n), storage_url=f"file://{tmp_path}/shared") for n, url in enumerate(databases)
        ]
        return await asyncio.gather(*(join(one, makes=True) for one in machines), return_exceptions=True)

    ended = asyncio.run(both())
    assert [type(one) for one in ended if not isinstance(one, Joined)] == [InstallationError], ended


def test_of_two_machines_that_begin_at_once_on_one_database_one_makes_the_secrets(
    databases: tuple[str, str], tmp_path: Path
) -> None:
    async def both() -> list[Joined | BaseException]:
        machines = [
            machine(databases[0], tmp_path / str(n), storage_url=f"file://{tmp_path}/shared", pepper=None)
            for n in range(2)
        ]
        return await asyncio.gather(*(join(one, makes=True) for one in machines), return_exceptions=True)

    (error,) = [one for one in asyncio.run(both()) if not isinstance(one, Joined)]
    assert isinstance(error, InstallationError)
    assert "SEEDANCE_PEPPER" in str(error)
    assert len(list(tmp_path.rglob("pepper"))) == len(list(tmp_path.rglob("key.pem"))) == 1, (
        "none is left that is wrong"
    )


def pair(databases: tuple[str, str], folder: Path, **more: object) -> tuple[Settings, Settings]:
    """A machine that is there, and one that is to join it, each with a data folder of its own."""
    shared = f"file://{folder}/shared"
    first = machine(databases[0], folder / "one", storage_url=shared)
    joined(first)
    return first, machine(databases[0], folder / "two", storage_url=shared, **more)


def test_a_second_machine_needs_the_certificate_of_the_first(databases: tuple[str, str], tmp_path: Path) -> None:
    first, second = pair(databases, tmp_path)
    mine, theirs = (one.data_dir / "secrets/marking" for one in (first, second))
    assert str(theirs) in refused(second)
    assert not theirs.exists(), "none is made: it would be another"

    issue(theirs, "Acme")
    said = refused(second)
    for file in (mine, theirs):
        assert certificate.fingerprint(file / "certificate.pem")[:16] in said
    assert "SEEDANCE_MARKING_CERTIFICATE" in said

    shutil.rmtree(theirs)
    shutil.copytree(mine, theirs)
    joined(second)


def test_a_certificate_is_rotated_by_trusting_the_old_one(databases: tuple[str, str], tmp_path: Path) -> None:
    first, second = pair(databases, tmp_path)
    mine, theirs = (one.data_dir / "secrets/marking" for one in (first, second))
    shutil.copytree(mine, theirs)
    shutil.move(mine, tmp_path / "old")
    issue(mine, "Acme")
    refused(first)
    shutil.copy(tmp_path / "old/certificate.pem", mine / "trusted/old.pem")
    joined(first)
    joined(second)  # it is behind, and the first takes its marks for ours
    shared = asyncio.run(recorded(databases[0]))
    assert shared.value == certificate.fingerprint(mine / "certificate.pem"), "the one that is behind changes nothing"
    shutil.rmtree(theirs)
    issue(theirs, "Acme")
    refused(second)
    joined(second, Adopt.CERTIFICATE)  # the old one is lost


async def recorded(url: str) -> installation.Shared:
    """The certificate of the installation."""
    db = await Database.connect(url, max_connections=1)
    try:
        return (await installation.settings(db))["SEEDANCE_MARKING_CERTIFICATE"]
    finally:
        await db.close()


def test_other_settings_are_refused_while_somebody_runs(databases: tuple[str, str], tmp_path: Path) -> None:
    first, _ = pair(databases, tmp_path)
    secret = "smtp://me:hunter2@mail.example.org"
    changed = {"event_retention_days": 5, "live_sandbox": "true", "smtp_url": secret, "workers": 3, "port": 1}
    other = machine(databases[0], first.data_dir, storage_url=first.storage_url, **changed)

    async def attempt(*adopt: Adopt) -> str:
        running = await asyncpg.connect(running_url(first, "api"))
        try:
            await join(other, makes=True, adopt=frozenset(adopt))
        except InstallationError as error:
            return str(error)
        else:
            return ""
        finally:
            await running.close()

    said = asyncio.run(attempt())
    assert "SEEDANCE_EVENT_RETENTION_DAYS is `5` here and `30` in the installation" in said
    assert "SEEDANCE_LIVE_SANDBOX" in said
    assert "SEEDANCE_SMTP_URL differs" in said
    assert "hunter2" not in said
    assert "SEEDANCE_WORKERS" not in said
    assert "init --adopt settings" in said
    assert asyncio.run(attempt(Adopt.SETTINGS)) == ""
    joined(other)
    joined(first)  # nobody runs: what the operator sets is what he means

    async def compare() -> tuple[list[str], str]:
        db = await Database.connect(databases[0], max_connections=1)
        try:
            values = await db.fetchval("SELECT string_agg(value, ' ') FROM installation_setting")
            return await differences(other, await installation.settings(db)), values
        finally:
            await db.close()

    found, values = asyncio.run(compare())
    assert [line.split()[0] for line in found] == [
        "SEEDANCE_LIVE_SANDBOX", "SEEDANCE_SMTP_URL", "SEEDANCE_EVENT_RETENTION_DAYS",
    ]  # fmt: skip
    assert "hunter2" not in values


def test_a_machine_without_the_pepper_is_refused_and_makes_none(databases: tuple[str, str], tmp_path: Path) -> None:
    _, second = pair(databases, tmp_path, pepper=None)
    assert str(second.data_dir / "secrets/pepper") in refused(second)
    assert not (second.data_dir / "secrets").exists()
    third = machine(databases[0], tmp_path / "three", storage_url=second.storage_url, pepper="00" * 32)
    assert "SEEDANCE_PEPPER" in refused(third)


def test_a_database_without_an_installation_is_no_place_for_a_worker(
    databases: tuple[str, str], tmp_path: Path
) -> None:
    assert "holds no installation" in refused(machine(databases[0], tmp_path), makes=False)
    assert list(tmp_path.iterdir()) == []
