"""Create: from a decoded request to a queued generation that is there for good."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.billing.books import Books
from seedance_api.billing.quote import Price, price
from seedance_api.catalog import check as catalog
from seedance_api.catalog import tokens
from seedance_api.catalog.order import Kind, Mode, Order
from seedance_api.catalog.request import Facts, Media, Request
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.idempotency import Once, claimed
from seedance_api.foundation.ids import is_id, new_id
from seedance_api.foundation.money import format_amount
from seedance_api.generations import queries
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import State
from seedance_api.generations.write import Created, NewGeneration, Writer
from seedance_api.references.admit import Admitted, References, Source
from seedance_api.references.queries import NewFile, files_of_account

_GRACE_SECONDS = 86_400


class CreateGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded request. Each source has the `path` of the medium in `request` that it brings."""

    request: Request
    sources: tuple[Source, ...] = ()
    draft_id: str | None = None
    metadata: dict[str, str] = {}
    keep_seconds: int | None = None
    max_cost: int | None = None
    """Micro-dollars of the account's currency."""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a request would be, what it would take in video tokens, and what that costs with a live key.

    `price` is None where the price book has none, which stops live keys only.
    """

    accepted: catalog.Accepted
    tokens: tokens.Tokens
    price: Price | None
    provider: str


class Creating(msgspec.Struct, frozen=True, kw_only=True):
    """What a create needs. `live_provider` is None where no upstream is configured."""

    db: Database
    writer: Writer
    books: Books
    references: References
    live_provider: str | None
    retention_seconds: int
    deadline_seconds: int


async def create(wish: CreateGeneration, *, principal: Principal, once: Once, folder: Path, parts: Creating) -> Created:
    """Check everything, store the media, hold the money, write the generation.

    Raises AppError with every problem of the request; nothing is kept then.
    """
    if any(one.file_id is None for one in wish.sources):  # looking into media takes a while
        return await _create_slowly(wish, principal, once, folder, parts)
    try:
        return await _create(wish, principal, once, folder, parts)
    except AppError:
        # the transaction knows a repeat by itself; here it is one that would be refused today
        if replay := await parts.writer.find(once):
            return replay
        raise


async def _create_slowly(
    wish: CreateGeneration, principal: Principal, once: Once, folder: Path, parts: Creating
) -> Created:
    if replay := await parts.writer.find(once):
        return replay
    async with claimed(parts.db, once) as mine:
        if mine is None:
            return await parts.writer.earlier(once)
        return await _create(wish, principal, mine, folder, parts)


async def _create(wish: CreateGeneration, principal: Principal, once: Once, folder: Path, parts: Creating) -> Created:
    provider = choose_provider(principal, parts)
    understood = await _understand(wish, principal, folder, parts)
    counted = tokens.estimate(understood.accepted.order)
    priced = await _price(wish, understood.accepted.order, counted, principal, parts)
    files = await _store_inline(understood, principal, parts)
    try:
        created = await parts.writer(
            _compose(wish, understood, files, principal, provider, counted, priced, once, parts)
        )
    except (AppError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        # certainly not written; after any other trouble it may have been, and `collect` deletes what was not
        await parts.references.discard(files.values())
        raise
    if created.replayed:  # another request with this key was quicker, and so were its files
        await parts.references.discard(files.values())
    return created


async def quote(wish: CreateGeneration, *, principal: Principal, folder: Path, parts: Creating) -> Quote:
    """The same checks and the same numbers as a create; nothing is kept."""
    provider = choose_provider(principal, parts)
    accepted = (await _understand(wish, principal, folder, parts)).accepted
    counted = tokens.estimate(accepted.order)
    return Quote(
        accepted=accepted,
        tokens=counted,
        price=await _price(wish, accepted.order, counted, principal, parts),
        provider=provider,
    )


async def _price(
    wish: CreateGeneration, order: Order, counted: tokens.Tokens, principal: Principal, parts: Creating
) -> Price | None:
    """The price with a live key; None where there is none and none is needed. Raises AppError above `max_cost`."""
    try:
        found = price(order, counted, await parts.books.latest(), principal.currency)
    except AppError:
        if principal.livemode:
            raise
        return None
    if wish.max_cost is not None and found.most > wish.max_cost:
        raise _too_dear(found, wish.max_cost)
    return found


def _too_dear(found: Price, most: int) -> AppError:
    asked, allowed = format_amount(found.most), format_amount(most)
    message = f"This video may cost up to {asked} {found.currency}; `max_cost` allows {allowed}."
    problem = Problem(path="max_cost", code="max_cost_exceeded", message=message, value=asked, allowed=allowed)
    return AppError("max_cost_exceeded", message, problems=[problem])


def choose_provider(principal: Principal, parts: Creating) -> str:
    """Test keys always use the sandbox. Raises AppError 403 when there is nothing for a live key to use."""
    if not principal.livemode:
        return "sandbox"
    if parts.live_provider is None:
        raise AppError("live_unavailable")
    return parts.live_provider


class _Understood(msgspec.Struct, frozen=True):
    """An accepted request with where each medium, by its path, comes from: a file's id, or what was just admitted."""

    accepted: catalog.Accepted
    uploaded: dict[str, str]
    admitted: dict[str, Admitted]
    draft: Seen | None


async def _understand(wish: CreateGeneration, principal: Principal, folder: Path, parts: Creating) -> _Understood:
    draft = await _find_draft(wish, principal, parts) if wish.draft_id is not None else None
    request = msgspec.structs.replace(wish.request, final_of=draft.params if draft else None)
    first = catalog.check(request)
    if not isinstance(first, catalog.Accepted):
        raise refusal(first)
    uploaded, facts = await _find_uploads(wish.sources, principal, parts)
    admitted = await parts.references.admit([one for one in wish.sources if one.file_id is None], folder)
    facts |= {path: one.inspected.facts for path, one in admitted.items()}
    if not facts:
        return _Understood(first, uploaded, admitted, draft)
    second = catalog.check(_with_facts(request, facts))
    if not isinstance(second, catalog.Accepted):
        raise refusal(second)
    return _Understood(second, uploaded, admitted, draft)


def refusal(problems: Sequence[Problem | catalog.Problem]) -> AppError:
    """One error that lists every problem."""
    shown = [one if isinstance(one, Problem) else _public(one) for one in problems]
    message = shown[0].message if len(shown) == 1 else f"{len(shown)} things are wrong with the request; see `errors`."
    return AppError("invalid_request", message, problems=shown)


def _public(problem: catalog.Problem) -> Problem:
    public = msgspec.convert(msgspec.to_builtins(problem), Problem)
    # the catalogue knows a draft by its order, the customer by its id
    return msgspec.structs.replace(public, path="draft_id") if public.path == "final_of" else public


async def _find_draft(wish: CreateGeneration, principal: Principal, parts: Creating) -> Seen:
    found: list[Seen] = []
    if is_id("vid", wish.draft_id or ""):
        found = await queries.seen_by_ids(parts.db, [wish.draft_id or ""])
    draft = found[0] if found else None
    mine = draft and draft.account_id == principal.account_id and draft.livemode == principal.livemode
    reason = None
    if draft is None or not mine:
        reason = "There is no such video in this account."
    elif draft.state is not State.COMPLETED or not draft.params.draft:
        reason = "That video is not a completed draft."
    elif draft.prompt is None:
        reason = "The inputs of that draft are deleted by now; a final take must follow within a day."
    if reason is not None or draft is None:
        raise refusal([Problem(path="draft_id", code="unsupported_value", message=reason or "")])
    return draft


async def _find_uploads(
    sources: Sequence[Source], principal: Principal, parts: Creating
) -> tuple[dict[str, str], dict[str, Facts]]:
    wanted = {one.path: one for one in sources if one.file_id is not None}
    ids = [file_id for file_id in {one.file_id or "" for one in wanted.values()} if is_id("file", file_id)]
    files = (
        {file.id: file for file in await files_of_account(parts.db, principal.account_id, principal.livemode, ids)}
        if ids
        else {}
    )
    problems: list[Problem] = []
    for path, one in wanted.items():
        file = files.get(one.file_id or "")
        if file is None:
            problems.append(
                Problem(
                    path=path,
                    code="bad_media",
                    message="There is no such file in this account, or it has expired.",
                )
            )
        elif one.kind is not None and file.kind is not one.kind:
            message = f"That file is not {_A[one.kind]} but {_A[file.kind]}."
            problems.append(Problem(path=path, code="bad_media", message=message))
    if problems:
        raise refusal(problems)
    return (
        {path: one.file_id or "" for path, one in wanted.items()},
        {path: files[one.file_id or ""].facts for path, one in wanted.items()},
    )


_A = {Kind.IMAGE: "an image", Kind.VIDEO: "a video", Kind.AUDIO: "a sound"}


def _with_facts(request: Request, facts: dict[str, Facts]) -> Request:
    def known(media: Sequence[Media]) -> list[Media]:
        return [msgspec.structs.replace(one, facts=facts.get(one.path)) for one in media]

    return msgspec.structs.replace(
        request, images=known(request.images), videos=known(request.videos), audios=known(request.audios)
    )


async def _store_inline(understood: _Understood, principal: Principal, parts: Creating) -> dict[str, NewFile]:
    keep = parts.deadline_seconds + _GRACE_SECONDS
    stored: dict[str, NewFile] = {}
    try:
        for path, one in understood.admitted.items():
            stored[path] = await parts.references.keep(
                one, principal, file_id=new_id("file"), inline=True, keep_seconds=keep
            )
    except BaseException:
        await asyncio.shield(parts.references.discard(stored.values()))
        raise
    return stored


def _compose(
    wish: CreateGeneration,
    understood: _Understood,
    files: dict[str, NewFile],
    principal: Principal,
    provider: str,
    counted: tokens.Tokens,
    priced: Price | None,
    once: Once,
    parts: Creating,
) -> NewGeneration:
    accepted, draft = understood.accepted, understood.draft
    media = tuple((one.role, understood.uploaded.get(one.path) or files[one.path].id) for one in accepted.media)
    return NewGeneration(
        id=new_id("vid"),
        account_id=principal.account_id,
        key_id=principal.key_id,
        livemode=principal.livemode,
        provider=provider,
        order=accepted.order,
        prompt=(draft.prompt or "") if draft else accepted.prompt,
        media=media,
        new_files=tuple(files.values()),
        draft_id=draft.id if draft and accepted.order.mode is Mode.FINAL else None,
        metadata=wish.metadata,
        keep_seconds=wish.keep_seconds or parts.retention_seconds,
        deadline_seconds=parts.deadline_seconds,
        quoted_tokens=counted.most,
        once=once,
        price=priced if principal.livemode else None,
    )
