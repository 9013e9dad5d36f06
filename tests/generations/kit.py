"""A database with an account and helpers to fill it; used by the tests of generations."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from obstore.store import MemoryStore

from seedance_api.accounts import create
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing.books import Books
from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.request import Request
from seedance_api.delivery.certificate import Certificate
from seedance_api.delivery.mark import Marking
from seedance_api.delivery.store import Storage
from seedance_api.foundation import claim, installation
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.idempotency import Kind, Once
from seedance_api.foundation.ids import new_id
from seedance_api.generations.engine import Engine
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.generations.recorder import Recorder
from seedance_api.generations.step_batches import StepBatches
from seedance_api.providers.provider import Provider, is_sandbox
from seedance_api.providers.sandbox.sandbox import Sandbox
from seedance_api.routing.router import Router


class Owner(msgspec.Struct, frozen=True):
    """An account with a key."""

    account_id: str
    key_id: str


def with_database(url: str, verb: Callable[[Database], Awaitable[None]]) -> None:
    """Run a test's coroutine with a pool."""

    async def main() -> None:
        db = await Database.connect(url, max_connections=8)
        try:
            await verb(db)
        finally:
            await db.close()

    asyncio.run(main())


async def owner(db: Database, email: str = "one@example.org", mode: KeyMode = KeyMode.TEST) -> Owner:
    """A new account with a key."""
    account = await create.create_account(db, email)
    key = await create.create_key(db, b"p" * 32, email=email, mode=mode)
    return Owner(account.id, key.id)


async def claimed(db: Database, store: MemoryStore | None = None) -> MemoryStore:
    """A store that belongs to this database's installation."""
    found = store or MemoryStore()
    await claim.write(found, (await installation.make(db, b"p" * 32)).id)
    return found


NO_MARKING = Marking(operator="nobody", certificate=Certificate("/nonexistent", "/nonexistent", "/nonexistent"))


def engine(db: Database, *, providers: Mapping[str, Provider] | None = None, **changes: Any) -> Engine:
    """What the steps of a generation need: an installation with the sandbox alone, and no scratch folder."""
    store = MemoryStore()
    nowhere = Path("/nonexistent")
    made = Engine(
        db=db,
        providers=dict(providers or {"sandbox": sandbox("sandbox", 8)}),
        router=Router(),
        pseudonyms=Pseudonyms(b"p" * 32, None),
        storage=Storage(store=store, scratch=nowhere, confine=Confine(slots=1), marking=NO_MARKING),
        books=Books(db),
        batches=StepBatches(db),
        record=Recorder(db, Books(db)),
        lease_seconds=5,
        account_concurrency=100,
    )
    return msgspec.structs.replace(made, **changes)


def sandbox(name: str, concurrency: int, **capabilities: Any) -> Sandbox:
    """A sandbox under some name that takes so much at once. It renders nothing before it is started."""
    made = Sandbox(store=MemoryStore(), scratch=Path("/nonexistent"), renderers=1, concurrency=concurrency)
    made.name = name
    made.capabilities = msgspec.structs.replace(made.capabilities, **({"sandbox": is_sandbox(name)} | capabilities))
    return made


def new(owner: Owner, *, key: str | None = None, body: bytes = b"body", **changes: Any) -> NewGeneration:
    """A generation to write."""
    accepted = check(Request(prompt="x", resolution="480p", duration=4))
    assert isinstance(accepted, Accepted)
    made = NewGeneration(
        id=new_id("vid"), account_id=owner.account_id, key_id=owner.key_id, livemode=False, provider="sandbox",
        order=accepted.order, prompt="x", media=(), new_files=(), draft_id=None, metadata={}, keep_seconds=3600,
        grace_seconds=3600, deadline_seconds=600, quoted_tokens=1, price=None,
        once=Once(account_id=owner.account_id, route="test POST /v1/videos", key=key or f"content {body!r}",
                  fingerprint=body, kind=Kind.KEY if key else Kind.CONTENT),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)
