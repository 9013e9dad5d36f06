"""Announce: tell an account's owner of its money, by the events that webhooks deliver."""

from collections.abc import Sequence

from seedance_api.billing.news import News
from seedance_api.foundation.db import Connection
from seedance_api.webhooks import announce


async def announce_news(connection: Connection, news: Sequence[News]) -> None:
    """Write the events, and have them delivered. Only after the statement that made the news true."""
    told = [announce.News(kind=one.kind, account_id=one.account_id, data=one.data) for one in news]
    await announce.announce_to_accounts(connection, told)
