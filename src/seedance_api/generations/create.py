"""Create: from a decoded request to a queued generation that is there for good."""

import asyncpg
import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.billing.books import Books
from seedance_api.billing.quote import Price, price
from seedance_api.catalog import check as catalog
from seedance_api.catalog import models, tokens
from seedance_api.catalog.order import Mode, Order
from seedance_api.catalog.request import Request
from seedance_api.foundation.db import CONTENDED, Database
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.idempotency import Once, claimed
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.intake import Folder
from seedance_api.foundation.money import format_amount, format_price
from seedance_api.generations.accept import Understood, accept
from seedance_api.generations.rows import Seen
from seedance_api.generations.write import Created, NewGeneration, NewMedium, Writer
from seedance_api.references.admit import References, Source
from seedance_api.references.queries import NewFile, ObjectGoneError
from seedance_api.routing.router import Router

_INLINE_SECONDS = 86_400
"""What came inside a request stays this long behind its end."""


class CreateGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded request. Each source has the `path` of the medium in `request` that it brings."""

    request: Request
    sources: tuple[Source, ...] = ()
    draft_id: str | None = None
    metadata: dict[str, str] = {}
    keep_seconds: int | None = None
    max_cost: int | None = None
    """Micro-dollars of the account's currency."""
    webhook_url: str | None = None
    """What is told how it ended; judged already."""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a request would be, what it would take in video tokens, and what that costs with a live key.

    `price` is None where the price book has none, which stops live keys only.
    """

    accepted: catalog.Accepted
    tokens: tokens.Tokens
    price: Price | None
    provider: str


class Creating(msgspec.Struct, frozen=True, kw_only=True):
    """What a create needs. `router` knows the providers of live keys; it is empty where no upstream is configured."""

    db: Database
    writer: Writer
    books: Books
    references: References
    router: Router
    retention_seconds: int
    grace_seconds: int
    deadline_seconds: int


async def create(
    wish: CreateGeneration, *, principal: Principal, once: Once, folder: Folder, parts: Creating
) -> Created:
    """Check everything, store the media, hold the money, write the generation.

    Raises AppError with every problem of the request; nothing is kept then.
    """
    if any(one.arrives for one in wish.sources):  # looking into media takes a while
        return await _create_slowly(wish, principal, once, folder, parts)
    try:
        return await _create(wish, principal, once, folder, parts)
    except AppError:
        # the transaction knows a repeat by itself; here it is one that would be refused today
        if replay := await parts.writer.find(once):
            return replay
        raise


async def _create_slowly(
    wish: CreateGeneration, principal: Principal, once: Once, folder: Folder, parts: Creating
) -> Created:
    if replay := await parts.writer.find(once):
        return replay
    async with claimed(parts.db, once) as mine:
        if mine is None:
            return await parts.writer.earlier(once)
        return await _create(wish, principal, mine, folder, parts)


async def _create(wish: CreateGeneration, principal: Principal, once: Once, folder: Folder, parts: Creating) -> Created:
    _refuse_without_upstream(principal, parts)
    understood = await _understand(wish, principal, folder, parts)
    provider = choose_provider(understood.accepted.order, understood.draft, principal, parts)
    counted = tokens.estimate(understood.accepted.order)
    priced = await _price(wish, understood.accepted.order, counted, principal, parts)

    files = await parts.references.put(
        understood.admitted, principal, inline=True, keep_seconds=parts.deadline_seconds + _INLINE_SECONDS
    )
    new = _compose(wish, understood, files, principal, provider, counted, priced, once, parts)
    try:
        created = await _write(new, parts)
    except ObjectGoneError:
        files = await parts.references.unshare(files, understood.admitted)
        created = await _write(msgspec.structs.replace(new, new_files=tuple(files.values())), parts)
    await parts.references.repair(files.values())
    return created


async def _write(new: NewGeneration, parts: Creating) -> Created:
    try:
        created = await parts.writer(new)
    except (AppError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, *CONTENDED):
        # certainly not written; after any other trouble it may have been, and `collect` deletes what was not
        await parts.references.discard(new.new_files)
        raise
    if created.replayed:  # another request with this key was quicker, and so were its files
        await parts.references.discard(new.new_files)
    return created


async def quote(wish: CreateGeneration, *, principal: Principal, folder: Folder, parts: Creating) -> Quote:
    """The same checks and the same numbers as a create; nothing is kept."""
    _refuse_without_upstream(principal, parts)
    understood = await _understand(wish, principal, folder, parts)
    accepted = understood.accepted
    provider = choose_provider(accepted.order, understood.draft, principal, parts)
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
    may = f"This video may cost up to {format_price(found.most, found.currency)}"
    message = f"{may}; `max_cost` allows {format_price(most, found.currency)}."
    problem = Problem(path="max_cost", code="max_cost_exceeded", message=message, value=asked, allowed=allowed)
    return AppError("max_cost_exceeded", message, problems=[problem])


def _refuse_without_upstream(principal: Principal, parts: Creating) -> None:
    """Before anything is fetched. Raises AppError 403 when there is nothing for a live key to use."""
    if principal.livemode and not parts.router.offers:
        raise AppError("live_unavailable")


def choose_provider(order: Order, draft: Seen | None, principal: Principal, parts: Creating) -> str:
    """Test keys always use the sandbox, live ones the first upstream that serves the model where the data may go.

    A final take is made where its draft was made, for no other provider knows it. Raises AppError 403 when there is
    none.
    """
    if not principal.livemode:
        return "sandbox"
    able = parts.router.able(order, principal.regions)
    if order.mode is Mode.FINAL and draft is not None:
        able = [name for name in able if name == draft.provider]
    if able:
        return able[0]
    raise _unavailable(order, principal, parts)


def _unavailable(order: Order, principal: Principal, parts: Creating) -> AppError:
    model = models.find(order.model)
    served = [known.name for known in models.MODELS if parts.router.sells(known.name)]
    if parts.router.sells(order.model):
        where = ", ".join(principal.regions or ())
        message = f"No upstream serves {order.model} in the regions where this account's data may go ({where})."
        if order.mode is Mode.FINAL:
            message = "The upstream that made the draft does not serve its model any more."
    else:
        message = f"No upstream of this installation serves {order.model}."
        if model is not None and model.replacement in served:
            message += f" Its successor is {model.replacement}."
    problem = Problem(
        path="model", code="model_unavailable", message=message, value=order.model, allowed=", ".join(served)
    )
    return AppError("model_unavailable", message, param="model", problems=[problem])


async def _understand(wish: CreateGeneration, principal: Principal, folder: Folder, parts: Creating) -> Understood:
    return await accept(
        wish.request,
        wish.sources,
        wish.draft_id,
        principal=principal,
        folder=folder,
        db=parts.db,
        references=parts.references,
        takes_assets=principal.livemode and any(offer.assets for offer in parts.router.offers.values()),
    )


def _compose(
    wish: CreateGeneration,
    understood: Understood,
    files: dict[str, NewFile],
    principal: Principal,
    provider: str,
    counted: tokens.Tokens,
    priced: Price | None,
    once: Once,
    parts: Creating,
) -> NewGeneration:
    accepted, draft = understood.accepted, understood.draft
    assets = {one.path: one.asset for one in wish.sources if one.asset is not None}
    media = tuple(
        NewMedium(role=one.role, asset=assets[one.path], kind=one.kind)
        if one.path in assets
        else NewMedium(role=one.role, file_id=understood.uploaded.get(one.path) or files[one.path].id)
        for one in accepted.media
    )
    return NewGeneration(
        id=new_id("vid", at=parts.db.clock()),
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
        keep_seconds=wish.keep_seconds or principal.keep_seconds or parts.retention_seconds,
        grace_seconds=parts.grace_seconds if principal.grace_seconds is None else principal.grace_seconds,
        deadline_seconds=parts.deadline_seconds,
        quoted_tokens=counted.most,
        once=once,
        price=priced if principal.livemode else None,
        webhook_url=wish.webhook_url,
    )
