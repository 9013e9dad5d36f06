"""A quote under a key is said once and again in the same words; one without a key is said anew."""

from typing import Any

import pytest
from obstore.store import MemoryStore

from generations.kit import owner, with_database
from seedance_api.accounts.authenticate import Principal
from seedance_api.billing.books import Books
from seedance_api.catalog.request import Request
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Kind, Once
from seedance_api.foundation.intake import Folder
from seedance_api.foundation.outbound import Outbound
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.price import PricedOrder
from seedance_api.generations.quote import quote
from seedance_api.generations.write import Writer
from seedance_api.references.admit import References
from seedance_api.routing.router import Router

WISH = CreateGeneration(request=Request(prompt="x", resolution="480p", duration=4))


def test_only_a_key_has_its_quote_repeated(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        parts = Creating(
            db=db,
            writer=Writer(db),
            books=Books(db),
            references=References(db=db, store=MemoryStore(), confine=Confine(slots=1), outbound=Outbound()),
            router=Router(),
            retention_seconds=60,
            grace_seconds=60,
            deadline_seconds=60,
        )
        said: list[PricedOrder] = []

        def say(priced: PricedOrder) -> dict[str, Any]:
            said.append(priced)
            return {"number": len(said)}

        async def ask(kind: Kind, fingerprint: bytes = b"a") -> tuple[int, bool]:
            once = Once(account_id=me.account_id, route="test POST", key=kind.value, fingerprint=fingerprint, kind=kind)
            folder = Folder.__new__(Folder)  # nothing comes with the request
            answer = await quote(
                WISH,
                principal=Principal(me.account_id, me.key_id, livemode=False),
                once=once,
                folder=folder,
                parts=parts,
                say=say,
            )
            return answer.said["number"], answer.replayed

        assert [await ask(Kind.KEY), await ask(Kind.KEY)] == [(1, False), (1, True)]
        for kind in (Kind.CONTENT, Kind.RETRY):
            assert [replayed for _, replayed in (await ask(kind), await ask(kind))] == [False, False]
        with pytest.raises(AppError) as refused:
            await ask(Kind.KEY, b"another")
        assert refused.value.code == "idempotency_mismatch"

    with_database(database_url, verb)
