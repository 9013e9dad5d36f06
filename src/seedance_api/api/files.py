"""`/v1/files`: reference media, streamed in, looked into, kept for a while."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath

from seedance_api.api.body import AnyRequest, read_upload
from seedance_api.api.forms import Upload
from seedance_api.api.once import once_by_key, seal
from seedance_api.api.parts import parts_of, principal_of
from seedance_api.api.videos import REPLAYED, json_response
from seedance_api.api.view import unix
from seedance_api.catalog.order import Kind
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.generations import drafts
from seedance_api.references.queries import File
from seedance_api.references.upload import find_file


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
        made = await parts.upload(staged, principal=principal, once=once, folder=folder)
    return json_response(file_view(made.file), REPLAYED if made.replayed else {})


@get("/v1/files/{file_id:str}")
async def retrieve_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """What is known of a file."""
    parts, principal = parts_of(request), principal_of(request)
    return json_response(file_view(await find_file(parts.db, principal.account_id, principal.livemode, file_id)))


@delete("/v1/files/{file_id:str}", status_code=200)
async def delete_file(request: AnyRequest, file_id: FromPath[str]) -> Response[bytes]:
    """Delete a file now."""
    parts, principal = parts_of(request), principal_of(request)
    await drafts.delete_file(parts.db, parts.store, principal.account_id, principal.livemode, file_id)
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
