"""`/v1/files`: reference media, streamed in, looked into, kept for a while."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from seedance_api.accounts.authenticate import Principal
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
from seedance_api.web.context import Context, context_of, principal_of
from seedance_api.web.forms import Upload
from seedance_api.web.idempotency import keyed_digest, once_by_key
from seedance_api.web.respond import REPLAYED, json_response
from seedance_api.web.route import FileBody, Operation, Sample


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file as it is kept: images are re-encoded, so their numbers may differ from what was sent."""

    id: str
    """Use it as `file_id`, or in place of an address: `file_…`."""
    object: Literal["file"] = "file"
    kind: Kind
    """What the file is, told by its bytes and not by its name."""
    media_type: str
    """The type of the kept file."""
    bytes: int
    """Its size."""
    width: int | None
    """In pixels; null for a sound."""
    height: int | None
    """In pixels; null for a sound."""
    seconds: float | None
    """Length; null for an image."""
    sha256: str
    """Of the kept file, in hexadecimal."""
    created_at: int
    """When it was uploaded, in Unix seconds."""
    expires_at: int
    """When it is deleted, in Unix seconds."""


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a delete."""

    id: str
    """The file that was deleted."""
    object: Literal["file.deleted"] = "file.deleted"
    deleted: Literal[True] = True


@post(
    "/v1/files",
    status_code=200,
    operation=Operation(
        id="uploadFile",
        summary="Upload a file",
        tag="Files",
        body=FileBody(
            "One image, video or sound, with a file name.",
            {"purpose": "OpenAI's clients send it; it means nothing here."},
        ),
        answer=FileView,
        errors=("invalid_media", "idempotency_in_progress", "too_many_uploads"),
        repeatable=True,
        sample=Sample(curl="-F file=@boat.png"),
    ),
)
async def upload_file(request: AnyRequest) -> Response[bytes]:
    """Reference media, up to 30 MB for an image, 200 MB for a video and 15 MB for a sound. Images are re-encoded:
    nothing but their pixels is kept."""
    context, principal = context_of(request), principal_of(request)
    context.disk.check()
    async with context.intake.folder(principal.account_id) as folder:
        body = await read_upload(request, folder, context.budget)
        staged = body.files[_only_file(body.values).number]
        said = keyed_digest(context, await asyncio.to_thread(_digest, staged.path))
        once = once_by_key(request, principal, "POST /v1/files", said)
        if once is None:
            new = await _keep(context, principal, staged, folder, None)
            return json_response(file_view(await _find(context, request, new.id)))
        if done := await context.find(once):
            return await _replay(context, request, done)
        async with claimed(context.db, once) as mine:
            if mine is not None:
                new = await _keep(context, principal, staged, folder, mine)
                return json_response(file_view(await _find(context, request, new.id)))
    return await _replay(context, request, await context.find(once))


async def _keep(context: Context, principal: Principal, staged: Staged, folder: Folder, once: Once | None) -> NewFile:
    source = Source(path="file", kind=None, upload=staged)
    admitted = await context.references.admit([source], folder)

    async def write(files: dict[str, NewFile]) -> NewFile:
        new = files["file"]
        if await _insert(context, new, once):
            return new
        await context.references.discard([new])
        raise AppError("idempotency_in_progress", headers={"Retry-After": "2"})

    return await context.references.keep(
        admitted, principal, write, inline=False, keep_seconds=context.file_retention_seconds
    )


async def _insert(context: Context, new: NewFile, once: Once | None) -> bool:
    """Write the row; False when we were so slow that our claim was lost."""
    async with context.db.transaction() as connection:
        if new.shares is not None and not await queries.hold_files(connection, [new.shares]):
            raise ObjectGoneError
        mine = once is None or await take(connection, [once], [new.id]) == [True]
        if mine:
            await queries.insert_files(connection, [new])
    return mine


@get(
    "/v1/files/{file_id:str}",
    operation=Operation(
        id="retrieveFile",
        summary="Retrieve a file",
        tag="Files",
        answer=FileView,
    ),
)
async def retrieve_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """What is known of a file. Its bytes are not given back."""
    return json_response(file_view(await _find(context_of(request), request, file_id)))


@delete(
    "/v1/files/{file_id:str}",
    status_code=200,
    operation=Operation(
        id="deleteFile",
        summary="Delete a file",
        tag="Files",
        answer=FileDeleted,
        errors=("file_in_use",),
    ),
)
async def delete_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """Deletes a file now, unless an unfinished video needs it. By itself it goes when `expires_at` has passed."""
    context = context_of(request)
    file = await _find(context, request, file_id)
    async with context.db.transaction() as connection:
        removed = await drafts.delete_files(connection, [file.id])
        if not removed.ids:
            raise AppError("file_in_use")
    await objects.delete(context.store, removed.object_keys)
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


async def _replay(context: Context, request: AnyRequest, done: Done | None) -> Response[bytes]:
    if done is None or done.subject is None:  # it was refused, or is over, in this very moment
        raise AppError("idempotency_in_progress", headers={"Retry-After": "2"})
    try:
        file = await _find(context, request, done.subject)
    except AppError:
        message = "This Idempotency-Key made a file that is gone; use another one."
        raise AppError("idempotency_mismatch", message, param="Idempotency-Key") from None
    return json_response(file_view(file), REPLAYED)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def _find(context: Context, request: AnyRequest, file_id: str) -> File:
    principal = principal_of(request)
    file = None
    if is_id("file", file_id):
        file = await queries.file_of_account(context.db, principal.account_id, principal.livemode, file_id)
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
