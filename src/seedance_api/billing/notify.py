"""Notify: tell the operator's address of a limit that is near or reached, so that mail or chat can be hung there."""

import msgspec
import structlog

from seedance_api.billing import queries
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.foundation.outbound import Outbound, Posted

_TRIES = 10
_SECONDS = 15.0
_MOST = 200
_log = structlog.get_logger()


class Notifier(msgspec.Struct, frozen=True):
    """Where notices go; without an address they are written to the log and nowhere else."""

    db: Database
    outbound: Outbound
    url: str | None


async def notify(notice_id: str, notifier: Notifier) -> None:
    """Deliver a notice: at least once, with its id, tried for about a day and a half."""
    notice = await queries.open_notice(notifier.db, notice_id)
    if notice is None:
        return
    if notice.tries == 0:
        _log.warning(f"notice.{notice.kind}", account_id=notice.account_id, reason=notice.detail.get("period"))
    if notifier.url is None:
        await queries.close_notice(notifier.db, notice_id)
        return
    body = msgspec.json.encode(
        {
            "id": notice.id,
            "type": notice.kind,
            "account_id": notice.account_id,
            "created_at": notice.created_at,
            "data": notice.detail,
        }
    )
    answer = await notifier.outbound.post(notifier.url, body, total_seconds=_SECONDS)
    if isinstance(answer, Posted) and 200 <= answer.status < 300:
        await queries.close_notice(notifier.db, notice_id)
    elif notice.tries + 1 >= _TRIES:
        _log.error("notice.given_up", account_id=notice.account_id)
        await queries.close_notice(notifier.db, notice_id)
    else:
        await _try_again(notifier.db, notice_id, notice.tries)


async def sweep_notices(db: Database) -> None:
    """Enqueue a job for each notice whose job was lost."""
    async with db.transaction() as connection:
        lost = await queries.overdue_notices(connection, _MOST)
        await jobs.enqueue(
            connection,
            "notify",
            [notice_id for notice_id, _ in lost],
            keys=[f"notify {notice_id} {tries}" for notice_id, tries in lost],
        )


async def _try_again(db: Database, notice_id: str, tries: int) -> None:
    seconds = 30.0 * 3**tries  # 30 s, 90 s … 2.3 days at the ninth, which is cut to 12 hours
    async with db.transaction() as connection:
        if await queries.put_off_notice(connection, notice_id, tries, min(seconds, 43_200.0)):
            await jobs.enqueue(
                connection,
                "notify",
                [notice_id],
                after_seconds=min(seconds, 43_200.0),
                keys=[f"notify {notice_id} {tries + 1}"],
            )
