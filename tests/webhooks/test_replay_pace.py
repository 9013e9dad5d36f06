"""A replay goes out at a pace, and so many events may wait for it: nobody is flooded at a customer's word."""

import pytest

from generations.kit import owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.webhooks import replay as module
from seedance_api.webhooks.endpoints import Owner, find_endpoint
from seedance_api.webhooks.replay import replay
from seedance_api.webhooks.replay_queries import A_SECOND, AT_ONCE
from seedance_api.webhooks.rows import Range
from webhooks.kit import endpoint, happen

ALL = Range(event_id=None, since=None, until=None, after=None, only_failed=False)
_DUE = """
SELECT count(*) FILTER (WHERE due_at <= now()) AS now, extract(epoch FROM max(due_at) - now())::float8 AS last
FROM delivery WHERE state = 'pending'
"""


def test_twenty_go_at_once_and_the_rest_twenty_a_second_behind_what_waits(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        made = await endpoint(db, me, "https://example.org/hook")
        await happen(db, me, 100)
        await db.execute("UPDATE delivery SET state = 'delivered', ended_at = now()")
        found = await find_endpoint(db, Owner(me.account_id, True), made)
        answer, _ = await replay(db, found, ALL, None)
        assert answer.count == 100
        due = await db.fetchrow(_DUE)
        assert due is not None
        assert AT_ONCE <= due["now"] < 100
        assert 0 < due["last"] <= (100 - AT_ONCE) / A_SECOND
        await happen(db, me, 10)
        await db.execute("UPDATE delivery SET state = 'delivered', ended_at = now() WHERE due_at <= now()")
        await replay(db, found, ALL, None)
        behind = await db.fetchrow(_DUE)
        assert behind is not None
        assert behind["now"] < AT_ONCE
        assert behind["last"] > due["last"]

    with_database(database_url, verb)


def test_no_more_is_taken_while_as_many_wait_as_may(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 30)

    async def verb(db: Database) -> None:
        me = await owner(db)
        made = await endpoint(db, me, "https://example.org/hook")
        await happen(db, me, 200)
        await db.execute("UPDATE delivery SET state = 'delivered', ended_at = now()")
        found = await find_endpoint(db, Owner(me.account_id, True), made)
        await replay(db, found, ALL, None)
        with pytest.raises(AppError) as refused:
            await replay(db, found, ALL, None)
        assert (refused.value.code, refused.value.status) == ("too_many_replays", 429)
        assert int(refused.value.headers["Retry-After"]) > 1
        await db.execute("UPDATE delivery SET due_at = now()")  # their time has come
        await replay(db, found, ALL, None)

    with_database(database_url, verb)
