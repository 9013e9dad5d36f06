"""An upload is kept once under its key, is its owner's alone, and stays while it is needed."""

import asyncio
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from generations.kit import new, owner, with_database
from security.attack import picture
from seedance_api.accounts.authenticate import Principal
from seedance_api.catalog.order import Role
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once
from seedance_api.foundation.intake import Intake
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.scratch import Scratch
from seedance_api.generations.drafts import delete_file
from seedance_api.generations.queries.inserts import NewMedium
from seedance_api.generations.write import Writer
from seedance_api.references.admit import References
from seedance_api.references.inspect import Staged
from seedance_api.references.upload import Uploaded, Uploads, find_file


def test_one_key_keeps_one_file(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        store, scratch = MemoryStore(), Scratch(tmp_path / "scratch")
        intake = Intake(scratch, Disk([scratch.path], reserve_percent=0), max_uploads=8, max_bytes=1 << 30)
        references = References(db=db, store=store, confine=Confine(slots=2), outbound=Outbound())
        upload = Uploads(db=db, references=references, keep_seconds=60)

        async def send(key: str | None, said: bytes = b"a") -> Uploaded:
            async with intake.folder(me.account_id) as folder:
                path = await folder.make() / "given"
                path.write_bytes(picture())
                once = key and Once(account_id=me.account_id, route="test POST /v1/files", key=key, fingerprint=said)
                return await upload(
                    Staged(path=path, bytes=path.stat().st_size),
                    principal=Principal(me.account_id, me.key_id, livemode=False),
                    once=once or None,
                    folder=folder,
                )

        async def code(key: str, said: bytes = b"a") -> str:
            with pytest.raises(AppError) as refused:
                await send(key, said)
            return refused.value.code

        tried = await asyncio.gather(*(send("k") for _ in range(4)), return_exceptions=True)
        made = [one for one in tried if isinstance(one, Uploaded)]
        assert {one.code for one in tried if isinstance(one, AppError)} <= {"idempotency_in_progress"}
        assert [one.replayed for one in made].count(False) == 1
        mine = made[0].file
        assert (await send("k")).file == mine
        assert await code("k", b"another") == "idempotency_mismatch"
        assert await db.fetchval("SELECT count(*) FROM file") == 1
        second = (await send(None)).file
        assert (second.id != mine.id, second.object_key) == (True, mine.object_key), "they share what is equal"

        for account_id, livemode in ((other.account_id, False), (me.account_id, True)):
            with pytest.raises(AppError) as refused:
                await find_file(db, account_id, livemode, mine.id)
            assert refused.value.code == "not_found"

        using = new(me, media=(NewMedium(role=Role.FIRST_FRAME, file_id=mine.id),))
        await Writer(db)(using)
        with pytest.raises(AppError) as refused:
            await delete_file(db, store, me.account_id, False, mine.id)
        assert refused.value.code == "file_in_use"
        await delete_file(db, store, me.account_id, False, second.id)
        assert [len(page) for page in store.list()] == [1], "the other file has it still"
        await db.execute("UPDATE generation SET state = 'canceled', finished_at = now() WHERE id = $1", using.id)
        await delete_file(db, store, me.account_id, False, mine.id)
        assert [len(page) for page in store.list()] == []
        assert await code("k") == "idempotency_mismatch"

    with_database(database_url, verb)
