from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import MemoryStore

from generations.kit import NO_MARKING, engine, new, owner, with_database
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts
from seedance_api.delivery.store import Storage
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations.collect import collect
from seedance_api.generations.write import Writer
from seedance_api.references.queries import NewFile


def test_objects_without_a_row_go_when_they_are_old(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        file_id = new_id("file")
        file = NewFile(
            id=file_id, account_id=me.account_id, livemode=False, inline=True, kind=Kind.IMAGE,
            object_key=f"files/{file_id}", sha256="0", facts=Facts(media_type="image/png", bytes=1), keep_seconds=60,
        )  # fmt: skip
        await Writer(db)(new(me, new_files=(file,)))
        store = MemoryStore()
        for key in (f"files/{file_id}", "files/orphan", "content/vid_x/1/video.mp4"):
            await obstore.put_async(store, key, b"x")
        storage = Storage(store=store, scratch=tmp_path, confine=Confine(slots=1), marking=NO_MARKING)
        parts = engine(db, storage=storage)
        assert await collect(parts) == 0
        assert await collect(parts, age=timedelta(seconds=-5)) == 2
        left = [meta["path"] for meta in await obstore.list(store).collect_async()]
        assert left == [f"files/{file_id}"]

    with_database(database_url, verb)
