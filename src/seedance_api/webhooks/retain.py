"""Retain: days are made and dropped, and the endpoints of forgotten requests are deleted."""

import structlog

from seedance_api.foundation.db import Database
from seedance_api.foundation.partitions import keep_partitions
from seedance_api.webhooks.delivery_queries import PARTITIONED
from seedance_api.webhooks.endpoints import forget_hidden

_log = structlog.get_logger()


async def retain(db: Database, keep_days: int) -> None:
    """Keep events and deliveries for so many days, and what is needed for them."""
    await keep_partitions(db, PARTITIONED, keep_days)
    gone = await forget_hidden(db, keep_days)
    if gone:
        _log.info("webhooks.forgotten", count=gone)
