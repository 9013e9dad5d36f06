"""How many keys an account may have."""

import asyncio

from generations.kit import with_database
from seedance_api.accounts.create import create_account, create_key, revoke_key
from seedance_api.accounts.keys import KeyMode
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError

EMAIL = "one@example.org"


def test_keys_made_at_once_stop_exactly_at_the_bound_and_a_revoked_one_makes_room(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await create_account(db, EMAIL)

        async def make() -> str:
            try:
                return (await create_key(db, b"p" * 32, email=EMAIL, mode=KeyMode.TEST, max_keys=3)).id
            except AppError as error:
                return f"{error.status} {error.message}"

        made = await asyncio.gather(*(make() for _ in range(8)))
        keys = [one for one in made if one.startswith("key_")]
        assert len(keys) == 3
        await revoke_key(db, keys[0])
        assert (await make()).startswith("key_")
        assert (await make()).startswith("409 The account has 3 keys")

    with_database(database_url, verb)
