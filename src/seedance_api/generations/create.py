"""Create: from a decoded request to a queued generation that is there for good."""

import asyncpg
import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.catalog.order import Mode
from seedance_api.foundation.claim_key import claimed
from seedance_api.foundation.db import CONTENDED
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.intake import Folder
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.price import PricedOrder, price_order
from seedance_api.generations.queries.inserts import NewGeneration, NewMedium
from seedance_api.generations.write import Created
from seedance_api.references.queries import NewFile, ObjectGoneError
from seedance_api.traffic.metrics import GENERATIONS_CREATED

_INLINE_SECONDS = 86_400
"""What came inside a request stays this long behind its end."""


async def create(
    command: CreateGeneration, *, principal: Principal, once: Once, folder: Folder, parts: Creating
) -> Created:
    """Check everything, store the media, hold the money, write the generation.

    Raises AppError with every problem of the request; nothing is kept then.
    """
    if any(source.arrives for source in command.sources):  # looking into media takes a while
        return await _create_slowly(command, principal, once, folder, parts)
    try:
        return await _create(command, principal, once, folder, parts)
    except AppError:
        # the transaction knows a repeat by itself; here it is one that would be refused today
        if replay := await parts.writer.find(once):
            return replay
        raise


async def _create_slowly(
    command: CreateGeneration, principal: Principal, once: Once, folder: Folder, parts: Creating
) -> Created:
    if replay := await parts.writer.find(once):
        return replay
    async with claimed(parts.db, once) as mine:
        if mine is None:
            return await parts.writer.earlier(once)
        return await _create(command, principal, mine, folder, parts)


async def _create(
    command: CreateGeneration, principal: Principal, once: Once, folder: Folder, parts: Creating
) -> Created:
    priced = await price_order(command, principal=principal, folder=folder, parts=parts)
    keep_seconds = parts.deadline_seconds + _INLINE_SECONDS
    files = await parts.references.put(priced.inspected, principal, inline=True, keep_seconds=keep_seconds)
    new = _compose(command, priced, files, principal, once, parts)
    try:
        created = await _write(new, parts)
    except ObjectGoneError:
        files = await parts.references.unshare(files, priced.inspected)
        created = await _write(msgspec.structs.replace(new, new_files=tuple(files.values())), parts)
    await parts.references.repair(files.values())
    return created


def _compose(
    command: CreateGeneration,
    priced: PricedOrder,
    files: dict[str, NewFile],
    principal: Principal,
    once: Once,
    parts: Creating,
) -> NewGeneration:
    order, draft = priced.accepted.order, priced.draft
    sources = {source.path: source for source in command.sources}
    media = tuple(
        NewMedium(role=medium.role, asset=asset, kind=medium.kind)
        if (asset := sources[medium.path].asset)
        else NewMedium(role=medium.role, file_id=sources[medium.path].file_id or files[medium.path].id)
        for medium in priced.accepted.media
    )
    sizes = [medium.facts.bytes if medium.facts else None for medium in priced.accepted.media]
    return NewGeneration(
        id=new_id("vid", at=parts.db.clock()),
        account_id=principal.account_id,
        key_id=principal.key_id,
        livemode=principal.livemode,
        provider=priced.provider,
        order=order,
        prompt=(draft.prompt or "") if draft else priced.accepted.prompt,
        media=media,
        new_files=tuple(files.values()),
        draft_id=draft.id if draft and order.mode is Mode.FINAL else None,
        metadata=command.metadata,
        keep_seconds=command.keep_seconds or principal.keep_seconds or parts.retention_seconds,
        grace_seconds=parts.grace_seconds if principal.grace_seconds is None else principal.grace_seconds,
        deadline_seconds=parts.deadline_seconds,
        quoted_tokens=priced.tokens.most,
        once=once,
        price=priced.price if principal.livemode else None,
        webhook_url=command.webhook_url,
        max_pending=parts.max_pending if principal.livemode else parts.max_pending_test,
        input_bytes=None if None in sizes else sum(filter(None, sizes)),
    )


async def _write(new: NewGeneration, parts: Creating) -> Created:
    try:
        created = await parts.writer(new)
    except (AppError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, *CONTENDED):
        # certainly not written; after any other trouble it may have been, and `collect` deletes what was not
        await parts.references.discard(new.new_files)
        raise
    if created.replayed:  # another request with this key was quicker, and so were its files
        await parts.references.discard(new.new_files)
    else:
        GENERATIONS_CREATED.add(new.provider, new.order.model)
    return created
