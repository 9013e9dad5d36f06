"""Watch: of a key that is used otherwise than before, its owner and the operator are told, once a day for each kind.

The owner's letter names the networks that the key was used from; the operator's notice has numbers only.
"""

from datetime import datetime

import structlog

from seedance_api.accounts.keys import shown_key
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.money import MICRO
from seedance_api.notifications.outbox import put
from seedance_api.notifications.rows import Message
from seedance_api.traffic import key_queries
from seedance_api.traffic.judge_key import MIN_DENIED, MIN_FAILED, MIN_MODERATED, Change, judge_hour, judge_networks
from seedance_api.traffic.key_queries import HOUR, UsedKey

_log = structlog.get_logger()


async def watch_keys(db: Database, spending_floor: int) -> None:
    """Look at what keys did within the last hour. `spending_floor` is in whole units of an account's currency.

    What is noted and what is told of it are written together: a run that is broken off is made up for by the next.
    """
    async with db.transaction() as connection:
        look = await key_queries.begin_look(connection)
        new, now = await key_queries.note_networks(connection, look.since), look.now
        if look.is_first:
            new = {}
        hours = await key_queries.conspicuous_hours(
            connection,
            now,
            failed=min(MIN_FAILED, MIN_DENIED),
            moderated=MIN_MODERATED,
            spent=spending_floor * MICRO,
        )
        for key in await key_queries.used_keys(connection, [*(new.keys() | hours.keys())]):
            changes: list[Change] = []
            if key.id in new and (change := judge_networks(new[key.id])) is not None:
                changes.append(change)
            if key.id in hours:
                usual = await key_queries.usual_of(connection, key, now)
                changes += judge_hour(hours[key.id], usual, currency=key.currency, floor=spending_floor * MICRO)
            if changes:
                await _tell(connection, key, changes, now)
    await key_queries.forget_networks(db)


async def _tell(connection: Connection, key: UsedKey, changes: list[Change], now: datetime) -> None:
    networks = await key_queries.networks_of(connection, key.id, now - HOUR)
    letter = {
        "key": shown_key(key.mode, key.handle, key.name),
        "key_id": key.id,
        "at": f"{now:%Y-%m-%d %H:%M}",
        "networks": ", ".join(networks) or "none that is known",
    }
    await put(
        connection,
        [
            Message(
                kind=change.kind,
                account_id=key.account_id,
                detail={"key_id": key.id} | change.detail,
                letter=letter | {"says": change.says},
                dedupe_key=f"{change.kind} {key.id} {now:%Y-%m-%d}",
            )
            for change in changes
        ],
    )
    for change in changes:
        _log.info("key.changed", key_id=key.id, account_id=key.account_id, reason=change.kind)
