"""Read: generations as their owners see them, unfinished ones with what can be said of their end."""

from datetime import datetime

from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import is_id
from seedance_api.generations.estimates import Estimates
from seedance_api.generations.queries import reads
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import PUBLIC
from seedance_api.generations.write import Created


class Reader:
    """Reads generations. Those that are asked for at the same time share a query: it is what clients do most."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._estimates = Estimates(db)
        self._by_id: Batch[str, Seen | None] = Batch(self._load, max_items=500)

    async def find(self, account_id: str, livemode: bool, generation_id: str) -> Seen:
        """One of the account and mode. Raises AppError 404: another's is as if it were not there."""
        found = await self._by_id(generation_id) if is_id("vid", generation_id) else None
        if found is None or found.account_id != account_id or found.livemode != livemode:
            raise AppError("not_found", "There is no such video in this account.", param="video_id")
        return found

    async def page(
        self,
        account_id: str,
        livemode: bool,
        *,
        after: str | None,
        ascending: bool,
        limit: int,
        status: str | None,
        model: str | None,
        since: datetime | None,
        before: datetime | None,
    ) -> list[Seen]:
        """A page of an account's generations, newest first unless `ascending`, starting behind `after`."""
        found = await reads.page(
            self._db,
            account_id,
            livemode,
            after=after,
            ascending=ascending,
            limit=limit,
            states=None if status is None else [state.value for state, public in PUBLIC.items() if public == status],
            model=model,
            since=since,
            before=before,
        )
        return await self._estimates.add(found)

    async def created(self, account_id: str, livemode: bool, created: Created) -> Seen:
        """What a create has made, or an earlier one with its key. Raises AppError 422 when that is deleted."""
        if created.seen is not None:
            return created.seen
        try:
            return await self.find(account_id, livemode, created.generation_id)
        except AppError:
            message = f"This Idempotency-Key made {created.generation_id}, which is deleted."
            raise AppError("idempotency_mismatch", message, param="Idempotency-Key") from None

    async def _load(self, ids: list[str]) -> list[Seen | None | Exception]:
        rows = await self._estimates.add(await reads.seen_by_ids(self._db, list(set(ids))))
        found = {seen.id: seen for seen in rows}
        return [found.get(generation_id) for generation_id in ids]
