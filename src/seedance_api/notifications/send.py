"""Send: what is in the outbox is told, in each way that there is for it, until it is told or given up.

The operator's address is told of everything, so that chat can be hung there, and the account's owner is mailed what he
must mend himself. What has a recipient is mailed to him alone.
"""

import msgspec
import structlog

from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.foundation.mail import Mailbox, send
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.outcome import Posted
from seedance_api.foundation.rate_slots import RateSlots
from seedance_api.notifications import queries
from seedance_api.notifications.letters import LETTERS
from seedance_api.notifications.rows import Channel, Notice

_TRIES = 10
_SECONDS = 15.0
_MAX_SWEPT = 200
_PER_SECOND = 20.0
"""Messages that leave in one way, of the whole installation: neither a mail server nor a chat is flooded."""
_log = structlog.get_logger()


class Notifier(msgspec.Struct, frozen=True):
    """Where notices go; without an address and a mail server they are written to the log and nowhere else."""

    db: Database
    outbound: Outbound
    url: str | None
    mailbox: Mailbox | None = None


async def notify(notice_id: str, notifier: Notifier) -> None:
    """Tell of a notice: at least once in each way, with its id, tried for about a day and a half."""
    notice = await queries.open_notice(notifier.db, notice_id)
    if notice is None:
        return
    if notice.tries == 0:
        _log.warning(f"notice.{notice.kind}", account_id=notice.account_id, reason=notice.detail.get("period"))
    told: list[bool] = []
    for channel in _channels(notice, notifier):
        async with RateSlots(notifier.db, f"notify {channel}", 1 / _PER_SECOND).slot():
            told.append(await _tell(notice, channel, notifier))
        if told[-1]:
            await queries.note_told(notifier.db, notice_id, channel)
    if all(told):
        await queries.close_notice(notifier.db, notice_id)
    elif notice.tries + 1 >= _TRIES:
        _log.error("notice.given_up", account_id=notice.account_id)
        await queries.close_notice(notifier.db, notice_id, given_up=True)
    else:
        await _try_again(notifier.db, notice_id, notice.tries)


def _channels(notice: Notice, notifier: Notifier) -> list[Channel]:
    """The ways that are left."""
    found: list[Channel] = []
    if notifier.url is not None and notice.recipient is None:
        found.append("url")
    if notifier.mailbox is not None and notice.email is not None and notice.kind in LETTERS:
        found.append("mail")
    return [one for one in found if one not in notice.told]


async def _tell(notice: Notice, channel: Channel, notifier: Notifier) -> bool:
    if channel == "mail":
        assert notifier.mailbox is not None, "there is a way to mail it"
        assert notice.email is not None, "there is somebody to mail it to"
        subject, text = LETTERS[notice.kind]
        said = {"host": notice.detail.get("host", ""), "endpoint": notice.detail.get("endpoint_id", "")} | notice.letter
        return await send(
            notifier.mailbox,
            to=notice.email,
            subject=notice.subject or subject,
            text=text.format(**said),
            message_id=notice.id,
        )
    assert notifier.url is not None, "there is an address to tell"
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
    reason = f"status {answer.status}" if isinstance(answer, Posted) else answer.message
    if isinstance(answer, Posted) and 200 <= answer.status < 300:
        return True
    _log.warning("notice.not_told", kind=notice.kind, tries=notice.tries + 1, reason=reason)
    return False


async def sweep_notices(db: Database) -> None:
    """Enqueue a job for each notice whose job was lost."""
    async with db.transaction() as connection:
        lost = await queries.overdue_notices(connection, _MAX_SWEPT)
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
