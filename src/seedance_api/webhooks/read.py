"""Read: an account's events in the order in which they became visible, so that none is ever passed over; and what
became of them."""

from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import is_id
from seedance_api.webhooks import event_queries, replay_queries
from seedance_api.webhooks.rows import Delivery, Endpoint, Event


async def find_event(db: Database, account_id: str, livemode: bool, event_id: str) -> Event:
    """An event of the account and mode. Raises AppError 404."""
    event = await event_queries.event(db, account_id, livemode, event_id) if is_id("evt", event_id) else None
    if event is None:
        raise AppError("not_found", "There is no such event in this account.", param="event_id")
    return event


async def deliveries_of(
    db: Database, endpoint: Endpoint, *, after: str | None, state: str | None, limit: int
) -> list[Delivery]:
    """What was sent to an endpoint and is to be, newest first, in one state or in all."""
    return await replay_queries.deliveries_page(db, endpoint, after=after, state=state, limit=limit)


async def events_after(
    db: Database, account_id: str, livemode: bool, *, after: str | None, kind: str | None, limit: int
) -> list[Event]:
    """The oldest events behind one, of one kind or of all.

    Events have the moment at which they were written, not that of their commit. One with an older moment can become
    visible only while its transaction runs, and that began before it wrote it: so what is younger than the oldest
    transaction that has written anything waits until that has ended. Asked first, for the second statement must see
    what ended between the two.
    """
    horizon = await event_queries.horizon(db)
    return await event_queries.events_until(db, account_id, livemode, horizon, after=after, kind=kind, limit=limit)
