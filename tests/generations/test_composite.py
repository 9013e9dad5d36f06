"""Whether pictures or videos of the customer go into a video: what its mark says of its source."""

import msgspec

from generations.kit import new, owner, with_database
from seedance_api.catalog.order import Kind, Mode, Role
from seedance_api.catalog.request import Facts
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations.queries import inputs
from seedance_api.generations.queries.inserts import NewMedium
from seedance_api.generations.write import Writer
from seedance_api.references.queries import NewFile


def test_what_goes_into_a_video(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        write = Writer(db)

        def file(kind: Kind) -> NewFile:
            own = new_id("file")
            return NewFile(
                id=own, account_id=me.account_id, livemode=False, inline=True, kind=kind, object_key=f"files/{own}",
                sha256="0", facts=Facts(media_type="x/y", bytes=1), keep_seconds=60,
            )  # fmt: skip

        async def made(mode: Mode, *files: NewFile, draft: str | None = None) -> str:
            one = new(me, key=new_id("key"))
            media = tuple(NewMedium(role=Role.REFERENCE, file_id=each.id) for each in files)
            order = msgspec.structs.replace(one.order, mode=mode)
            changes = {"order": order, "media": media, "new_files": files, "draft_id": draft}
            await write(msgspec.structs.replace(one, **changes))
            return one.id

        text = await made(Mode.TEXT)
        first = await made(Mode.FIRST_FRAME)
        await db.execute("UPDATE generation SET draft_until = now() + interval '1 hour'")  # as if both were drafts
        assert await inputs.is_composite(db, text) is False
        assert await inputs.is_composite(db, first) is True
        assert await inputs.is_composite(db, await made(Mode.REFERENCE, file(Kind.AUDIO))) is False
        assert await inputs.is_composite(db, await made(Mode.REFERENCE, file(Kind.AUDIO), file(Kind.VIDEO))) is True
        assert await inputs.is_composite(db, await made(Mode.FINAL, draft=text)) is False
        assert await inputs.is_composite(db, await made(Mode.FINAL, draft=first)) is True

    with_database(database_url, verb)
