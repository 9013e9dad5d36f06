"""`/v1/files`: reference media, streamed in, looked into, kept for a while."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.videos import REPLAYED, json_response
from seedance_api.api.view import unix
from seedance_api.catalog.order import Kind
from seedance_api.foundation import objects
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.idempotency import Done, Once, claimed, take
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.intake import Folder
from seedance_api.generations import drafts
from seedance_api.references import queries
from seedance_api.references.admit import Source
from seedance_api.references.inspect import Staged
from seedance_api.references.queries import File, NewFile, ObjectGoneError
from seedance_api.web.body import AnyRequest, read_upload
from seedance_api.web.context import Parts, parts_of, principal_of
from seedance_api.web.forms import Upload
from seedance_api.web.idempotency import once_by_key, seal


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file as it is kept: images are re-encoded, so their numbers may differ from what was sent."""

    id: str
    object: Literal["file"] = "file"
    kind: Kind
    media_type: str
    bytes: int
    width: int | None
    height: int | None
    seconds: float | None
    sha256: str
    created_at: int
    expires_at: int


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a delete."""

    id: str
    object: Literal["file.deleted"] = "file.deleted"
    deleted: Literal[True] = True


@post("/v1/files", status_code=200)
async def upload_file(request: AnyRequest) -> Response[bytes]:
    """Upload a reference image, video or sound."""
    parts, principal = parts_of(request), principal_of(request)
    parts.disk.check()
    async with parts.intake.folder(principal.account_id) as folder:
        body = await read_upload(request, folder, parts.budget)
        staged = body.files[_only_file(body.values).number]
        said = seal(parts, await asyncio.to_thread(_digest, staged.path))
        once = once_by_key(request, principal, "POST /v1/files", said)
        if once is None:
            new = await _keep(parts, principal, staged, folder, None)
            return json_response(file_view(await _find(parts, request, new.id)))
        if done := await parts.find(once):
            return await _replay(parts, request, done)
        async with claimed(parts.db, once) as mine:
            if mine is not None:
                new = await _keep(parts, principal, staged, folder, mine)
                return json_response(file_view(await _find(parts, request, new.id)))
    return await _replay(parts, request, await parts.find(once))


async def _keep(parts: Parts, principal: Principal, staged: Staged, folder: Folder, once: Once | None) -> NewFile:
    source = Source(path="file", kind=None, upload=staged)
    admitted = await parts.references.admit([source], folder)

    async def write(files: dict[str, NewFile]) -> NewFile:
        new = files["file"]
        if await _insert(parts, new, once):
            return new
        await parts.references.discard([new])
        raise AppError("idempotency_in_progress", headers={"Retry-After": "2"})

    return await parts.references.keep(
        admitted, principal, write, inline=False, keep_seconds=parts.file_retention_seconds
    )


async def _insert(parts: Parts, new: NewFile, once: Once | None) -> bool:
    """Write the row; False when we were so slow that our claim was lost."""
    async with parts.db.transaction() as connection:
        if new.shares is not None and not await queries.hold_files(connection, [new.shares]):
            raise ObjectGoneError
        mine = once is None or await take(connection, [once], [new.id]) == [True]
        if mine:
            await queries.insert_files(connection, [new])
    return mine


@get("/v1/files/{file_id:str}")
async def retrieve_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """What is known of a file."""
    return json_response(file_view(await _find(parts_of(request), request, file_id)))


@delete("/v1/files/{file_id:str}", status_code=200)
async def delete_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """Delete a file now."""
    parts = parts_of(request)
    file = await _find(parts, request, file_id)
    async with parts.db.transaction() as connection:
        removed = await drafts.delete_files(connection, [file.id])
        if not removed.ids:
            raise AppError("file_in_use")
    await objects.delete(parts.store, removed.object_keys)
    return json_response(FileDeleted(id=file.id))


def file_view(file: File) -> FileView:
    """What customers see of a file."""
    return FileView(
        id=file.id,
        kind=file.kind,
        media_type=file.facts.media_type,
        bytes=file.facts.bytes,
        width=file.facts.width,
        height=file.facts.height,
        seconds=file.facts.seconds,
        sha256=file.sha256,
        created_at=unix(file.created_at),
        expires_at=unix(file.expires_at),
    )


async def _replay(parts: Parts, request: AnyRequest, done: Done | None) -> Response[bytes]:
    if done is None or done.subject is None:  # it was refused, or is over, in this very moment
        raise AppError("idempotency_in_progress", headers={"Retry-After": "2"})
    try:
        file = await _find(parts, request, done.subject)
    except AppError:
        message = "This Idempotency-Key made a file that is gone; use another one."
        raise AppError("idempotency_mismatch", message, param="Idempotency-Key") from None
    return json_response(file_view(file), REPLAYED)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def _find(parts: Parts, request: AnyRequest, file_id: str) -> File:
    principal = principal_of(request)
    file = None
    if is_id("file", file_id):
        file = await queries.file_of_account(parts.db, principal.account_id, principal.livemode, file_id)
    if file is None:
        raise AppError("not_found", "There is no such file in this account.", param="file_id")
    return file


def _only_file(values: dict[str, Any]) -> Upload:
    # OpenAI's clients send `purpose` beside the file; it means nothing here
    wrong = [name for name in values if name not in ("file", "purpose")]
    upload = values.get("file")
    problems = [
        Problem(path=name[:60], code="unknown_field", message="The only part is `file`.", allowed="file")
        for name in wrong[:20]
    ]
    if not isinstance(upload, Upload):
        problems.append(
            Problem(path="file", code="missing", message="Send the file in a part named `file`, with a file name.")
        )
    if problems or not isinstance(upload, Upload):
        raise AppError("invalid_request", problems=problems)
    return upload
