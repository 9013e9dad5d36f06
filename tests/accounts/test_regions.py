"""Where an account's data may go: kept with the account, known with each of its keys, changed everywhere at once."""

import asyncio
import json
from collections.abc import Iterator

import pytest

import forkserver
from accounts.test_authenticate import PEPPER_BYTES, with_database
from seedance_api.accounts import create, queries
from seedance_api.accounts.authenticate import Authenticator
from seedance_api.accounts.keys import KeyMode
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.listen import Listener
from stage import Service, fresh_database

EMAIL = "one@example.org"


def test_a_change_reaches_every_process_and_every_key_at_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await create.create_account(db, EMAIL)
        await create.create_account(db, "two@example.org")
        keys = [(await create.create_key(db, PEPPER_BYTES, email=EMAIL, mode=mode)).key for mode in KeyMode]
        other = (await create.create_key(db, PEPPER_BYTES, email="two@example.org", mode=KeyMode.LIVE)).key
        processes = [Authenticator(db=db, pepper=PEPPER_BYTES) for _ in range(3)]
        listeners = [Listener(db.url, {"key_revoked": one.forget}, one.forget_all) for one in processes]
        for listener in listeners:
            await listener.start()
        for regions in (None, ("ap-southeast-1",), ("ap-southeast-1", "cn-beijing"), None):
            await create.set_regions(db, EMAIL, regions)
            async with asyncio.timeout(1):  # far below the five seconds that a key is remembered
                for one in processes:
                    for key in keys:
                        while (await one(f"Bearer {key}")).regions != regions:
                            await asyncio.sleep(0.01)
            assert (await processes[0](f"Bearer {other}")).regions is None
        for listener in listeners:
            await listener.stop()

    with_database(database_url, verb)


def test_the_names_are_kept_once_and_in_order(database_url: str) -> None:
    async def verb(db: Database) -> None:
        assert (await create.create_account(db, EMAIL)).regions is None
        made = await create.set_regions(db, EMAIL.upper(), ["cn-beijing", "ap-southeast-1", "cn-beijing"])
        assert made.regions == ("ap-southeast-1", "cn-beijing")
        assert await queries.account_by_email(db, EMAIL) == made

    with_database(database_url, verb)


@pytest.mark.parametrize("regions", [[], [""], ["a\nb"], ["\0"], ["x" * 201], [f"r{n}" for n in range(21)]])
def test_what_is_no_region_is_refused_and_changes_nothing(database_url: str, regions: list[str]) -> None:
    async def verb(db: Database) -> None:
        await create.create_account(db, EMAIL)
        await create.set_regions(db, EMAIL, ["cn-beijing"])
        with pytest.raises(AppError):
            await create.set_regions(db, EMAIL, regions)
        with pytest.raises(AppError):
            await create.set_regions(db, "nobody@example.org", ["cn-beijing"])
        account = await queries.account_by_email(db, EMAIL)
        assert account is not None
        assert account.regions == ("cn-beijing",)

    with_database(database_url, verb)


# The commands


@pytest.fixture(scope="module")
def service(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """No server is needed, but its settings are."""
    with fresh_database(postgres) as url:
        yield Service(url, tmp_path_factory.mktemp("regions"), started=False)


def run(service: Service, *arguments: str) -> tuple[int, str]:
    done = forkserver.run([*arguments], service.environment)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_the_commands_show_set_and_lift_it(service: Service) -> None:
    made = service.command("account", "create", EMAIL)
    assert made["regions"] is None
    assert run(service, "account", "regions", EMAIL) == (0, "every region\n")
    said = service.command("account", "regions", EMAIL, "cn-beijing", "ap-southeast-1")
    assert said == made | {"regions": ["ap-southeast-1", "cn-beijing"]}
    assert run(service, "account", "regions", EMAIL) == (0, "only ap-southeast-1, cn-beijing\n")
    service.command("account", "create", "two@example.org")
    listed = service.command("account", "list")["accounts"]
    assert json.dumps(listed[0]) == json.dumps(said)
    assert [one["email"] for one in listed] == [EMAIL, "two@example.org"]
    code, text = run(service, "account", "list")
    assert (code, [line.split()[0] for line in text.splitlines()]) == (0, [one["id"] for one in listed])
    assert "only ap-southeast-1, cn-beijing" in text
    assert service.command("account", "regions", EMAIL, "--any")["regions"] is None


def test_the_commands_used_wrongly(service: Service) -> None:
    code, said = run(service, "account", "regions", "nobody@example.org", "cn-beijing")
    assert (code, "no account" in said) == (1, True)
    code, said = run(service, "account", "regions", EMAIL, "cn-beijing", "--any")
    assert (code, "not both" in said) == (2, True)
