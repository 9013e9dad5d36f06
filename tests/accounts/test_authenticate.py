import asyncio
from collections.abc import Awaitable, Callable

import pytest

from seedance_api.accounts import create
from seedance_api.accounts.authenticate import Authenticator
from seedance_api.accounts.keys import KeyMode, mint
from seedance_api.foundation import installation
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.installation import InstallationError
from seedance_api.foundation.listen import Listener
from seedance_api.foundation.mail import is_address
from stage import PEPPER

PEPPER_BYTES = bytes.fromhex(PEPPER)


def with_database(url: str, verb: Callable[[Database], Awaitable[None]]) -> None:
    async def main() -> None:
        db = await Database.connect(url, max_connections=4)
        try:
            await verb(db)
        finally:
            await db.close()

    asyncio.run(main())


async def refused(authenticate: Authenticator, header: str | None) -> str:
    with pytest.raises(AppError) as error:
        await authenticate(header)
    assert error.value.status == 401
    return error.value.code


def test_a_key_works_until_it_is_revoked_everywhere(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await create.create_account(db, "one@example.org")
        made = await create.create_key(db, PEPPER_BYTES, email="ONE@example.org", mode=KeyMode.TEST)
        processes = [Authenticator(db=db, pepper=PEPPER_BYTES) for _ in range(3)]
        listeners = [Listener(db.url, {"key_revoked": one.forget}, one.forget_all) for one in processes]
        for listener in listeners:
            await listener.start()
        for one in processes:
            principal = await one(f"Bearer {made.key}")
            assert (principal.account_id, principal.livemode) == (made.account_id, False)
        await create.revoke_key(db, made.id)
        async with asyncio.timeout(1):  # far below the five seconds that a key is remembered
            for one in processes:
                while True:
                    try:
                        await one(f"Bearer {made.key}")
                    except AppError:
                        break
                    await asyncio.sleep(0.01)
        for listener in listeners:
            await listener.stop()

    with_database(database_url, verb)


def test_a_mistyped_key_costs_no_query() -> None:
    class Nothing:
        def __getattr__(self, name: str) -> None:
            raise AssertionError("the database was asked")

    async def main() -> None:
        authenticate = Authenticator(db=Nothing(), pepper=PEPPER_BYTES)  # pyright: ignore[reportArgumentType]
        good = mint(KeyMode.TEST).text
        wrong = good[:-1] + ("a" if good[-1] != "a" else "b")
        assert await refused(authenticate, f"Bearer {wrong}") == "invalid_key"
        assert await refused(authenticate, None) == "missing_key"
        assert await refused(authenticate, f"Basic {good}") == "missing_key"
        assert await refused(authenticate, "Bearer é") == "invalid_key"

    asyncio.run(main())


def test_an_invented_key_and_one_of_another_pepper_are_refused(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await create.create_account(db, "one@example.org")
        made = await create.create_key(db, b"other" * 8, email="one@example.org", mode=KeyMode.TEST)
        authenticate = Authenticator(db=db, pepper=PEPPER_BYTES)
        assert await refused(authenticate, f"Bearer {made.key}") == "invalid_key"
        assert await refused(authenticate, f"Bearer {mint(KeyMode.LIVE).text}") == "invalid_key"

    with_database(database_url, verb)


def test_no_text_of_a_key_is_stored(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await create.create_account(db, "one@example.org")
        made = await create.create_key(db, PEPPER_BYTES, email="one@example.org", mode=KeyMode.TEST)
        row = await db.fetchrow("SELECT api_key::text AS all_of_it FROM api_key")
        assert row is not None
        assert made.key[-38:] not in row["all_of_it"]

    with_database(database_url, verb)


def test_the_wrong_pepper_is_refused_at_the_start(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await installation.make(db, PEPPER_BYTES)
        await installation.check_pepper(db, PEPPER_BYTES)
        with pytest.raises(InstallationError, match="SEEDANCE_PEPPER"):
            await installation.check_pepper(db, b"x" * 32)
        with pytest.raises(InstallationError, match="SEEDANCE_PEPPER"):
            await installation.make(db, b"x" * 32)

    with_database(database_url, verb)


@pytest.mark.parametrize(
    "address", ["o'neil+x@example.org", "ü@bücher.de", "ops@localhost", "me@corp.local", "a@x.test"]
)
def test_an_address_of_any_language_or_of_an_own_network_is_one(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "no",
        "a@",
        "@b",
        "a@b@c",
        "a b@c.d",
        "a@b..c",
        "a\n@b.c",
        "x" * 250 + "@b.c",
        "a..b@c.org",
        "a@-b.org",
        "a@[::1]",
    ],
)
def test_what_is_no_address_is_refused(database_url: str, address: str) -> None:
    async def verb(db: Database) -> None:
        with pytest.raises(AppError):
            await create.create_account(db, address)

    with_database(database_url, verb)


def test_an_address_has_one_account_whatever_its_case(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await create.create_account(db, "one@example.org")
        with pytest.raises(AppError, match="invalid_request"):
            await create.create_account(db, "One@Example.org")

    with_database(database_url, verb)
