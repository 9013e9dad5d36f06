"""`/v1/files`: reference media, streamed in, looked into, kept for a while."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from seedance_api.api.view import unix
from seedance_api.catalog.order import Kind
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.generations import drafts
from seedance_api.references.queries import File
from seedance_api.references.upload import find_file
from seedance_api.web.body import AnyRequest, read_upload
from seedance_api.web.context import context_of, principal_of
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
        scope="files",
        summary="Upload a file",
        tag="Files",
        body=FileBody(
            "One image, video or sound, with a file name.",
            {"purpose": "OpenAI's clients send it; it means nothing here."},
        ),
        answer=FileView,
        errors=("invalid_media", "idempotency_in_progress", "too_busy", "too_many_files", "too_many_uploads"),
        repeatable=True,
        rate="upload",
        sample=Sample(curl="-F file=@boat.png"),
    ),
)
async def upload_file(request: AnyRequest) -> Response[bytes]:
    """Reference media, up to 30 MB for an image, 200 MB for a video and 15 MB for a sound. Images are re-encoded:
    nothing but their pixels is kept."""
    context, principal = context_of(request), principal_of(request)
    context.disk.check()
    async with context.intake.folder(principal.account_id) as folder:
        body = await read_upload(request, folder, context.budget, principal.account_id)
        staged = body.files[_only_file(body.values).number]
        async with context.turn(context.files):
            said = keyed_digest(context, await asyncio.to_thread(_digest, staged.path))
            once = once_by_key(request, principal, "POST /v1/files", said)
            made = await context.upload(staged, principal=principal, once=once, folder=folder)
    return json_response(file_view(made.file), REPLAYED if made.replayed else {})


@get(
    "/v1/files/{file_id:str}",
    operation=Operation(
        id="retrieveFile",
        scope="files",
        rate="read",
        summary="Retrieve a file",
        tag="Files",
        answer=FileView,
    ),
)
async def retrieve_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """What is known of a file. Its bytes are not given back."""
    context, principal = context_of(request), principal_of(request)
    return json_response(file_view(await find_file(context.db, principal.account_id, principal.livemode, file_id)))


@delete(
    "/v1/files/{file_id:str}",
    status_code=200,
    operation=Operation(
        id="deleteFile",
        scope="files",
        rate="write",
        summary="Delete a file",
        tag="Files",
        answer=FileDeleted,
        errors=("file_in_use",),
    ),
)
async def delete_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """Deletes a file now, unless an unfinished video needs it. By itself it goes when `expires_at` has passed."""
    context, principal = context_of(request), principal_of(request)
    await drafts.delete_file(context.db, context.store, principal.account_id, principal.livemode, file_id)
    return json_response(FileDeleted(id=file_id))


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


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


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
