"""Upload: keep a file that a customer sends, once; and find it again."""

import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.foundation.claim_key import claimed
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Done, Once, done_before, is_first
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.intake import Folder
from seedance_api.references import queries
from seedance_api.references.admit import References
from seedance_api.references.inspect import Staged
from seedance_api.references.queries import File, NewFile, ObjectGoneError
from seedance_api.references.room import without_room
from seedance_api.references.source import Source


class Uploaded(msgspec.Struct, frozen=True):
    """The file as it is kept; `replayed` when an earlier request with the same key sent it."""

    file: File
    replayed: bool


class Uploads:
    """Keeps what customers upload, for so many seconds."""

    def __init__(self, *, db: Database, references: References, keep_seconds: int) -> None:
        self._db = db
        self._references = references
        self._keep_seconds = keep_seconds

    async def __call__(self, staged: Staged, *, principal: Principal, once: Once | None, folder: Folder) -> Uploaded:
        """Look into a file, clean it and keep it. Raises AppError for what cannot be used, 409 for one under way."""
        if once is None:
            return await self._upload(staged, principal, None, folder)
        if done := await done_before(self._db, once):
            return await self._replay(principal, done)
        async with claimed(self._db, once) as mine:  # to look into it takes a while
            if mine is not None:
                return await self._upload(staged, principal, mine, folder)
        return await self._replay(principal, await done_before(self._db, once))

    async def _upload(self, staged: Staged, principal: Principal, once: Once | None, folder: Folder) -> Uploaded:
        inspected = await self._references.admit([Source(path="file", kind=None, upload=staged)], folder)
        files = await self._references.put(inspected, principal, inline=False, keep_seconds=self._keep_seconds)
        try:
            await self._insert(files["file"], once)
        except ObjectGoneError:
            files = await self._references.unshare(files, inspected)
            await self._insert(files["file"], once)
        await self._references.repair(files.values())
        file = await find_file(self._db, principal.account_id, principal.livemode, files["file"].id)
        return Uploaded(file, replayed=False)

    async def _insert(self, new: NewFile, once: Once | None) -> None:
        """Write the row. Raises ObjectGoneError, and AppError 409 when the account has no room for it, or when we were
        so slow that our claim was lost."""
        mine, refusal = False, None
        async with self._db.transaction() as connection:
            if new.shares is not None and not await queries.hold_files(connection, [new.shares]):
                raise ObjectGoneError
            (refusal,) = await without_room(connection, [[new]])
            mine = refusal is None and await is_first(connection, once, new.id)
            if mine:
                await queries.insert_files(connection, [new])
        if not mine:
            await self._references.discard([new])
            raise refusal or AppError("idempotency_in_progress", headers={"Retry-After": "2"})

    async def _replay(self, principal: Principal, done: Done | None) -> Uploaded:
        if done is None or done.subject is None:  # it was refused, or is over, in this very moment
            raise AppError("idempotency_in_progress", headers={"Retry-After": "2"})
        try:
            file = await find_file(self._db, principal.account_id, principal.livemode, done.subject)
        except AppError:
            message = "This Idempotency-Key made a file that is gone; use another one."
            raise AppError("idempotency_mismatch", message, param="Idempotency-Key") from None
        return Uploaded(file, replayed=True)


async def find_file(db: Database, account_id: str, livemode: bool, file_id: str) -> File:
    """A file of the account and mode that is not over. Raises AppError 404."""
    file = await queries.file_of_account(db, account_id, livemode, file_id) if is_id("file", file_id) else None
    if file is None:
        raise AppError("not_found", "There is no such file in this account.", param="file_id")
    return file
