"""`/v1/videos`: create, quote, list, retrieve, cancel, delete."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from litestar import Response, delete, get, post

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.body import AnyRequest, Body, Upload, read_body
from seedance_api.api.decode import decode
from seedance_api.api.parts import Parts, base_of, parts_of, principal_of
from seedance_api.api.view import VideoDeleted, VideoList, video
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Media, Request
from seedance_api.catalog.tokens import Tokens
from seedance_api.foundation.errors import Problem
from seedance_api.foundation.ids import is_id
from seedance_api.generations import cancel as verbs
from seedance_api.generations import queries
from seedance_api.generations.create import CreateGeneration, create, quote, refusal
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import PUBLIC
from seedance_api.generations.write import Idempotency
from seedance_api.references.admit import Source
from seedance_api.references.inspect import Staged

POLL_MILLISECONDS = 2000
_MEDIA_MOST = 64


class MediaItem(msgspec.Struct, frozen=True, kw_only=True):
    """A reference medium: exactly one of `url` (https or data URL) and `file_id`, and what it is for."""

    url: str | None = None
    file_id: str | None = None
    role: str | None = None
    image_url: str | None = None


class CreateVideo(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a create: a superset of OpenAI's. Null stands for absent."""

    model: str | None = None
    prompt: str | None = None
    duration: int | None = None
    seconds: int | str | None = None
    resolution: str | None = None
    ratio: str | None = None
    aspect_ratio: str | None = None
    size: str | None = None
    images: list[Any] | None = None
    videos: list[Any] | None = None
    audios: list[Any] | None = None
    input_reference: Any = None
    seed: int | None = None
    generate_audio: bool | None = None
    camera_fixed: bool | None = None
    watermark: bool | None = None
    return_last_frame: bool | None = None
    draft: bool | None = None
    draft_id: str | None = None
    service_tier: str | None = None
    frames: int | None = None
    task_type: str | None = None
    metadata: dict[str, str] | None = None
    expires_after: int | None = None


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a quote. `most` is what no generation of this request exceeds."""

    object: str = "quote"
    model: str
    mode: str
    size: str
    seconds: str
    resolution: str
    ratio: str
    tokens: Tokens


@post("/v1/videos", status_code=200)
async def create_video(request: AnyRequest) -> Response[bytes]:
    """Create a video."""
    parts, principal = parts_of(request), principal_of(request)
    async with parts.folder() as folder, read_body(request, folder, parts.budget) as body:
        wish = understand(body)
        idempotency = idempotency_of(request, body)
        created = await create(wish, principal=principal, idempotency=idempotency, folder=folder, parts=parts.creating)
    if created.row is not None:
        seen = Seen(
            **msgspec.structs.asdict(created.row),
            prompt=created.prompt,
            purge_at=None,
            content_state=None,
            variants=[],
        )
    else:
        seen = await parts.seen(principal, created.generation_id)
    headers = {"Location": f"/v1/videos/{seen.id}"} | poll_hint(seen)
    if created.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_response(video(seen, base_of_request(parts, request)), headers)


@post("/v1/videos/quote", status_code=200)
async def quote_video(request: AnyRequest) -> Response[bytes]:
    """Check a create and say what it would take; nothing is created."""
    parts, principal = parts_of(request), principal_of(request)
    async with parts.folder() as folder, read_body(request, folder, parts.budget) as body:
        found = await quote(understand(body), principal=principal, folder=folder, parts=parts.creating)
    order = found.accepted.order
    return json_response(
        QuoteView(
            model=order.model,
            mode=order.mode.value,
            size=f"{order.width}x{order.height}",
            seconds=f"{order.seconds:g}",
            resolution=order.resolution,
            ratio=order.ratio,
            tokens=found.tokens,
        )
    )


@get("/v1/videos")
async def list_videos(request: AnyRequest) -> Response[bytes]:
    """A page of the account's videos."""
    parts, principal = parts_of(request), principal_of(request)
    asked = read_page(request.query_params)
    states = [state.value for state, word in PUBLIC.items() if word == asked.status] if asked.status else None
    found = await queries.page(
        parts.db,
        principal.account_id,
        principal.livemode,
        after=asked.after,
        ascending=asked.order == "asc",
        limit=asked.limit + 1,
        states=states,
        model=asked.model,
        since=moment(asked.created_after),
        before=moment(asked.created_before),
    )
    base = base_of_request(parts, request)
    data = [video(seen, base) for seen in found[: asked.limit]]
    page = VideoList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > asked.limit,
    )
    return json_response(page)


@get("/v1/videos/{video_id:str}")
async def retrieve_video(request: AnyRequest, video_id: str) -> Response[bytes]:
    """A video. `face.py` answers this route's common case itself, through the same `retrieve`."""
    body, headers = await retrieve(
        request.scope["headers"], request.scope["scheme"], parts_of(request), principal_of(request), video_id
    )
    return Response(body, media_type="application/json", headers=headers)


async def retrieve(
    headers: Iterable[tuple[bytes, bytes]], scheme: str, parts: Parts, principal: Principal, video_id: str
) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a video, for both ways into this route."""
    seen = await parts.seen(principal, video_id)
    return msgspec.json.encode(video(seen, base_of(parts, dict(headers), scheme))), poll_hint(seen)


@post("/v1/videos/{video_id:str}/cancel", status_code=200)
async def cancel_video(request: AnyRequest, video_id: str) -> Response[bytes]:
    """Ask for a video to stop."""
    parts, principal = parts_of(request), principal_of(request)
    await parts.seen(principal, video_id)
    await verbs.cancel(parts.db, video_id)
    return json_response(video(await parts.seen(principal, video_id), base_of_request(parts, request)))


@delete("/v1/videos/{video_id:str}", status_code=200)
async def delete_video(request: AnyRequest, video_id: str) -> Response[bytes]:
    """Delete a finished video: its content, inputs and upstream copy go now."""
    parts, principal = parts_of(request), principal_of(request)
    await parts.seen(principal, video_id)
    await verbs.delete(parts.db, parts.store, video_id)
    return json_response(VideoDeleted(id=video_id))


def understand(body: Body) -> CreateGeneration:
    """A decoded body as the verb takes it. Raises AppError with every field that is wrong."""
    form, problems = decode(CreateVideo, _with_lists(body), strict=body.typed)
    request, sources = _media(form, body, problems)
    _check_own_fields(form, problems)
    if problems:
        raise refusal(problems)
    return CreateGeneration(
        request=request,
        sources=tuple(sources),
        draft_id=form.draft_id,
        metadata=form.metadata or {},
        keep_seconds=form.expires_after,
    )


def idempotency_of(request: AnyRequest, body: Body) -> Idempotency | None:
    """The customer's idempotency key, quoted or bare, with the fingerprint of the decoded body. Raises AppError 400."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    key = key.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key or len(key) > 255 or not key.isascii() or not key.isprintable():
        problem = Problem(
            path="Idempotency-Key",
            code="out_of_range",
            message="It must be 1 to 255 printable ASCII characters.",
        )
        raise refusal([problem])
    said = {name: _stable(value, body.files) for name, value in body.values.items() if value is not None}
    return Idempotency(key, hashlib.sha256(msgspec.json.encode(said, order="sorted")).digest())


def json_response(value: msgspec.Struct, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A struct as a JSON response."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


def base_of_request(parts: Parts, request: AnyRequest) -> str:
    """The address in front of `/v1`."""
    return base_of(parts, dict(request.scope["headers"]), request.scope["scheme"])


def poll_hint(seen: Seen) -> dict[str, str]:
    """How long OpenAI's clients should wait before they ask again."""
    return {} if seen.finished_at else {"openai-poll-after-ms": str(POLL_MILLISECONDS)}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a list."""

    limit: int = 20
    after: str | None = None
    order: str = "desc"
    status: str | None = None
    model: str | None = None
    created_after: int | None = None
    created_before: int | None = None


def read_page(query: Mapping[str, Any]) -> Page:
    """The query of a list. Raises AppError with every parameter that is wrong."""
    page, problems = decode(Page, dict(query), strict=False)

    def bad(path: str, message: str, allowed: object = None) -> None:
        problems.append(Problem(path=path, code="unsupported_value", message=message, allowed=allowed))

    if not 1 <= page.limit <= 100:
        bad("limit", "`limit` must be 1 to 100.", "1 to 100")
    if page.order not in ("asc", "desc"):
        bad("order", "`order` must be asc or desc.", ["asc", "desc"])
    if page.after is not None and not is_id("vid", page.after):
        bad("after", "`after` must be the id of a video, as `last_id` gives it.")
    if page.status is not None and page.status not in PUBLIC.values():
        bad("status", "`status` must be one of the public states.", sorted(set(PUBLIC.values())))
    for name in ("created_after", "created_before"):
        value: int | None = getattr(page, name)
        if value is not None and not 0 <= value < 1 << 33:
            bad(name, f"`{name}` must be Unix seconds.")
    if problems:
        raise refusal(problems)
    return page


def moment(seconds: int | None) -> datetime | None:
    """Unix seconds as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _check_own_fields(form: CreateVideo, problems: list[Problem]) -> None:
    if form.ratio and form.aspect_ratio and form.ratio != form.aspect_ratio:
        problems.append(Problem(path="aspect_ratio", code="conflict", message="`aspect_ratio` contradicts `ratio`."))
    if form.expires_after is not None and not 3600 <= form.expires_after <= 604_800:
        problems.append(Problem(
            path="expires_after", code="out_of_range", message="`expires_after` must be 3600 to 604800 seconds.",
            value=form.expires_after if abs(form.expires_after) < 1 << 53 else None, allowed="3600 to 604800"))  # fmt: skip
    entries = form.metadata or {}
    if len(entries) > 16 or any(not 0 < len(key) <= 64 or len(value) > 512 for key, value in entries.items()):
        problems.append(Problem(path="metadata", code="out_of_range",
            message="`metadata` takes at most 16 entries, keys of 1 to 64 and values of up to 512 characters."))  # fmt: skip
    elif any(not (key + value).isprintable() for key, value in entries.items()):
        problems.append(Problem(path="metadata", code="unsupported_value",
            message="`metadata` must not hold control characters."))  # fmt: skip


def _media(form: CreateVideo, body: Body, problems: list[Problem]) -> tuple[Request, list[Source]]:
    sources: list[Source] = []
    media: dict[Kind, list[Media]] = {kind: [] for kind in Kind}
    for path, kind, value, role in _listed(form, problems):
        item = _item(value, path, body, problems)
        if item is None:
            continue
        url, file_id, upload, own_role = item
        sources.append(Source(path=path, kind=kind, url=url, file_id=file_id, upload=upload))
        media[kind].append(Media(kind=kind, role=own_role or role, path=path))
    request = Request(
        model=form.model,
        prompt=form.prompt,
        duration=form.duration,
        seconds=form.seconds,
        resolution=form.resolution,
        ratio=form.ratio or form.aspect_ratio,
        size=form.size,
        images=media[Kind.IMAGE],
        videos=media[Kind.VIDEO],
        audios=media[Kind.AUDIO],
        seed=form.seed,
        generate_audio=form.generate_audio,
        camera_fixed=form.camera_fixed,
        watermark=form.watermark,
        return_last_frame=form.return_last_frame,
        draft=form.draft,
        service_tier=form.service_tier,
        frames=form.frames,
        task_type=form.task_type,
    )
    return request, sources


def _listed(form: CreateVideo, problems: list[Problem]) -> list[tuple[str, Kind, Any, str | None]]:
    """Every medium with its path and kind. OpenAI's `input_reference` is a first frame, several are references."""
    given = form.input_reference
    found = [("input_reference", Kind.IMAGE, given, "first_frame")] if given and not isinstance(given, list) else []
    several: list[Any] = cast("list[Any]", given) if isinstance(given, list) else []
    role = "reference" if len(several) > 1 else "first_frame"
    for name, kind, values, own in (
        ("input_reference", Kind.IMAGE, several, role),
        ("images", Kind.IMAGE, form.images or [], None),
        ("videos", Kind.VIDEO, form.videos or [], None),
        ("audios", Kind.AUDIO, form.audios or [], None),
    ):
        if len(values) > _MEDIA_MOST:
            message = f"`{name}` has more entries than any model takes."
            problems.append(Problem(path=name, code="too_many", message=message, allowed=f"at most {_MEDIA_MOST}"))
        found += [(f"{name}[{at}]", kind, one, own) for at, one in enumerate(values[:_MEDIA_MOST])]
    return found


def _item(
    value: Any, path: str, body: Body, problems: list[Problem]
) -> tuple[str | None, str | None, Staged | None, str | None] | None:
    if isinstance(value, Upload):
        return None, None, body.files[value.number], None
    if isinstance(value, str):
        return (None, value, None, None) if is_id("file", value) else (value, None, None, None)
    if not isinstance(value, dict):
        message = f"`{path}` must be an address, a file's id, or an object with `url` or `file_id`."
        problems.append(Problem(path=path, code="wrong_type", message=message))
        return None
    item, wrong = decode(MediaItem, cast("dict[str, Any]", value), strict=body.typed, path=path + ".")
    problems += wrong
    url = item.url or item.image_url
    if not wrong and (url is None) == (item.file_id is None):
        message = f"`{path}` needs exactly one of `url` and `file_id`."
        problems.append(Problem(path=path, code="missing", message=message))
    return None if wrong or (url is None and item.file_id is None) else (url, item.file_id, None, item.role)


def _with_lists(body: Body) -> dict[str, Any]:
    """A form sends one image as `images`, where JSON has a list of one."""
    if body.typed:
        return body.values
    return {
        name: [value] if name in ("images", "videos", "audios") and not isinstance(value, list) else value
        for name, value in body.values.items()
    }


def _stable(value: Any, files: list[Staged]) -> Any:
    """A value as it counts for a fingerprint: an upload by what is in it, a number in a form like the number."""
    if isinstance(value, Upload):
        with files[value.number].path.open("rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    if isinstance(value, dict):
        return {str(key): _stable(one, files) for key, one in cast("dict[Any, Any]", value).items() if one is not None}
    if isinstance(value, list):
        return [_stable(one, files) for one in cast("list[Any]", value)]
    return value
