"""The provider: takes a commission to the vendor and answers for it from any process. It keeps no state of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from obstore.store import ObjectStore

from seedance_api.catalog.models import find as find_model
from seedance_api.catalog.order import Mode, Order
from seedance_api.foundation import call
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.outbound import Outbound
from seedance_api.providers.ark import find as finding
from seedance_api.providers.ark.errors import read_original, wait_of, why_not_started
from seedance_api.providers.ark.fetch import Fetcher
from seedance_api.providers.ark.look import Looker
from seedance_api.providers.ark.media import Link, Media
from seedance_api.providers.ark.note import SETTLE_SECONDS, read_note, write_note
from seedance_api.providers.ark.read import as_check, read_id
from seedance_api.providers.ark.scan import Scans, scan_all
from seedance_api.providers.ark.wire import GETS_A_SECOND, Gone, Seen, Trouble, Wire, now_of
from seedance_api.providers.ark.write import Item, draft_item, nonce_of, tier_of, write_body
from seedance_api.providers.provider import (
    Busy,
    Capabilities,
    Capacity,
    Check,
    Commission,
    FetchOutcome,
    FindOutcome,
    Known,
    Listing,
    NotSent,
    Operation,
    Readiness,
    Refused,
    Search,
    Started,
    StartOutcome,
    Unclear,
    Unfetched,
)
from seedance_api.providers.upstream import Served

CHECK_SECONDS = 3.0
_CLOSED = Busy("the model is not offered through this provider", model_only=True, operator=True)
_NO_ASSET = "The provider does not know an asset that the request names, or does not let it be used here."
_NO_DRAFT = Refused("input_unreadable", "The draft is no longer known to the provider.")


class Ark:
    """One account of Volcengine Ark or BytePlus ModelArk.

    `models` are those it serves, by our names. `link` makes a link to an input in `store` that the vendor can fetch;
    `media` says whether images and sound go as links too or inside the body. `results` fetches the finished files,
    from `result_hosts` only if any are named. Without `callbacks` no address of ours is given away. `list_a_second`
    and `gets_a_second` are the account's limits; `settle_seconds` is how long a new task may take to show. The first
    call binds it to its event loop; `close` it.
    """

    def __init__(
        self,
        *,
        name: str,
        caller: call.Caller,
        models: Mapping[str, Served],
        store: ObjectStore,
        results: Outbound,
        link: Link | None = None,
        media: Literal["link", "data"] = "link",
        callbacks: bool = True,
        region: str | None = None,
        result_hosts: Sequence[str] = (),
        list_a_second: float = 1.0,
        gets_a_second: float = GETS_A_SECOND,
        check_seconds: float = CHECK_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
        slot: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            models={
                model: Capacity(concurrency=served.concurrency, per_minute=served.per_minute)
                for model, served in models.items()
            },
            checks=500,
            check_seconds=max(check_seconds, 1 / list_a_second),
            region=region,
            lists=True,
            keeps=True,
        )
        self._models, self._callbacks = dict(models), callbacks
        self._media = Media(store=store, link=link, prefer=media)
        self._wire = Wire(caller, list_a_second=list_a_second, gets_a_second=gets_a_second, slot=slot)
        self._settle_seconds = settle_seconds
        self._scans = Scans(self._wire)
        self._looker = Looker(self._wire, settle_seconds)
        self._fetcher = Fetcher(self._wire, results, result_hosts)

    async def start(self, commission: Commission) -> StartOutcome:
        """Hand the work over, once."""
        order = commission.order
        model, served = find_model(order.model), self._models.get(order.model)
        if model is None or served is None:
            return _CLOSED
        media = await self._items(commission)
        if not isinstance(media, list):
            return media
        vendor_id = served.vendor_id(order.mode)
        if not self._callbacks:
            commission = msgspec.structs.replace(commission, callback_url=None)
        body = write_body(commission, media, model, vendor_id)
        encoded = await asyncio.to_thread(msgspec.json.encode, body)
        answer = await self._wire.create(encoded, commission.attempt_id)
        outcome = _started(answer, order, vendor_id)
        named = any(one.asset is not None for one in commission.inputs)
        if named and isinstance(outcome, Busy) and outcome.original and outcome.original.status in (403, 404):
            return Refused("input_unreadable", _NO_ASSET, outcome.original)  # else one customer could shut it for all
        return outcome

    async def find(self, search: Search) -> FindOutcome:
        """Say whether the work of an attempt was taken that never got a clear answer."""
        order, served = search.order, self._models.get(search.order.model)
        model = find_model(order.model)
        # a model that has ended meanwhile may still have work under way, under whichever of its ids
        return await finding.find(
            search,
            vendor_id=served.vendor_id(order.mode) if served else None,
            vendor_ids=served.ids if served else model.aliases if model else (),
            wire=self._wire,
            scans=self._scans,
            settle_seconds=self._settle_seconds,
        )

    async def check_many(self, operations: Sequence[Operation]) -> list[Check]:
        """Say how each stands: one call for all, and by id for those that the list lacks."""
        return await self._looker.look(operations)

    async def cancel(self, operation: Operation) -> bool:
        """Cancel a task that still waits; one that runs cannot be stopped (82379/1521720).

        The same call deletes the record of a finished task, so it is made for a waiting one only.
        """
        note = read_note(operation)
        if note is None:
            return True
        seen = await self._wire.get(note.id)
        if not isinstance(seen, Seen):
            return isinstance(seen, Gone) and not note.may_appear(seen.now, self._settle_seconds)
        if seen.task.status != "queued":
            return seen.task.status == "cancelled"
        return await self._wire.delete(note.id) == 200

    async def fetch(self, operation: Operation, variant: str, to: Path) -> FetchOutcome:
        """Write the finished file to `to`, streaming."""
        note = read_note(operation)
        if note is None:
            return Unfetched("not a task of this provider", gone=True)
        return await self._fetcher.fetch(note.id, variant, to)

    async def forget(self, operation: Operation) -> bool:
        """Delete the vendor's record and with it its copy, if it can be reached and the task is over or waits."""
        note = read_note(operation)
        return note is None or await self._wire.delete(note.id) in (200, 404)

    async def known_since(self, moment: datetime) -> Listing | None:
        """Every task of this account made since a moment, of both tiers; None when it cannot be told now.

        Of more than can be read, the newest: `since` is then the moment from which on it is everything.
        """
        found = await scan_all(
            self._wire,
            vendor_ids=[one for served in self._models.values() for one in served.ids],
            since=moment.timestamp(),
        )
        if isinstance(found, Trouble):
            return None
        tasks, since = found
        return Listing(
            tasks=[
                Known(
                    operation=write_note(task.id, tier=tier, model=task.model, at=task.created_at),
                    check=as_check(task),
                    customer=task.customer,
                    nonce=None if task.expires_after is None else nonce_of(task.expires_after),
                    created_at=datetime.fromtimestamp(task.created_at, UTC),
                )
                for tier, task in tasks
                if task.created_at is not None and task.created_at >= since
            ],
            since=max(moment, datetime.fromtimestamp(since, UTC)),
        )

    async def probe(self, model: str) -> Readiness:
        """Whether a model can be called with this key: a create without content makes nothing and costs nothing."""
        served = self._models[model]
        answer = await self._wire.create(msgspec.json.encode({"model": served.ids[-1]}), new_id("att"))
        if not isinstance(answer, call.Answer):
            return Readiness(status="unreachable", message=answer.reason)
        original = read_original(answer)
        if answer.status == 400 and (original.code or "").startswith("MissingParameter"):
            return Readiness(status="ready")
        said = f"status {answer.status} {original.code or ''} {original.message or ''}".strip()
        return Readiness(status="refused", message=said[:300])

    async def close(self) -> None:
        """Close the connections: those of `caller` and of `results`."""
        await self._scans.close()
        await self._wire.aclose()
        await self._fetcher.aclose()

    async def _items(self, commission: Commission) -> list[Item] | Refused | NotSent:
        if commission.order.mode is not Mode.FINAL:
            return await self._media.items(commission.inputs)
        note = read_note(commission.draft or {})
        return _NO_DRAFT if note is None else [draft_item(note.id)]


def _started(answer: call.Outcome, order: Order, vendor_id: str) -> StartOutcome:
    match answer:
        case call.NotSent(reason):
            return NotSent(reason)
        case call.NoAnswer(reason):
            return Unclear(reason)
        case call.Answer(status, body):
            task_id = read_id(body) if 200 <= status < 300 else None
            if task_id is None:
                return why_not_started(
                    read_original(answer), wait_seconds=wait_of(answer), final=order.mode is Mode.FINAL
                )
            return Started(write_note(task_id, tier=tier_of(order), model=vendor_id, at=now_of(answer)))
