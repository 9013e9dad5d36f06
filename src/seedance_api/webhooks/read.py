"""Read: an account's events in the order in which they became visible, so that none is ever passed over."""

from seedance_api.foundation.db import Database
from seedance_api.webhooks import event_queries
from seedance_api.webhooks.rows import Event


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
