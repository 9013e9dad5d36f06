"""Notify: tell of a limit that is near or reached, of a webhook endpoint that fails, of an outage of the installation.

The operator's address is told of everything, so that chat can be hung there; the account's owner is mailed what he must
mend himself.
"""

from typing import Any

import msgspec
import structlog

from seedance_api.billing import notice_queries
from seedance_api.billing.rows import Channel, Notice
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.mail import Mailbox, send
from seedance_api.foundation.outbound import Outbound, Posted

_TRIES = 10
_SECONDS = 15.0
_MOST = 200
_HOURS = 24
"""For how long what lasts is not told again."""
_log = structlog.get_logger()


class Notifier(msgspec.Struct, frozen=True):
    """Where notices go; without an address and a mail server they are written to the log and nowhere else."""

    db: Database
    outbound: Outbound
    url: str | None
    mailbox: Mailbox | None = None


async def give_notice(connection: Connection, account_id: str | None, kind: str, detail: dict[str, Any]) -> None:
    """Write a notice, about an account or about the installation, and have it told."""
    notice_id = new_id("ntc")
    await notice_queries.insert_notices(connection, [(notice_id, account_id, kind, detail)])
    await jobs.enqueue(connection, "notify", [notice_id])


async def give_notice_of_installation(connection: Connection, kind: str, detail: dict[str, Any]) -> None:
    """Write a notice that is about no account, once a day at most for each kind, and have it told."""
    if not await notice_queries.was_noticed(connection, kind, _HOURS):
        await give_notice(connection, None, kind, detail)


async def notify(notice_id: str, notifier: Notifier) -> None:
    """Tell of a notice: at least once in each way, with its id, tried for about a day and a half."""
    notice = await notice_queries.open_notice(notifier.db, notice_id)
    if notice is None:
        return
    if notice.tries == 0:
        _log.warning(f"notice.{notice.kind}", account_id=notice.account_id, reason=notice.detail.get("period"))
    told: list[bool] = []
    for channel in _channels(notice, notifier):
        told.append(await _tell(notice, channel, notifier))
        if told[-1]:
            await notice_queries.note_told(notifier.db, notice_id, channel)
    if all(told):
        await notice_queries.close_notice(notifier.db, notice_id)
    elif notice.tries + 1 >= _TRIES:
        _log.error("notice.given_up", account_id=notice.account_id)
        await notice_queries.close_notice(notifier.db, notice_id)
    else:
        await _try_again(notifier.db, notice_id, notice.tries)


def _channels(notice: Notice, notifier: Notifier) -> list[Channel]:
    """The ways that are left."""
    found: list[Channel] = []
    if notifier.url is not None:
        found.append("url")
    if notifier.mailbox is not None and notice.email is not None and notice.kind in _LETTERS:
        found.append("mail")
    return [one for one in found if one not in notice.told]


async def _tell(notice: Notice, channel: Channel, notifier: Notifier) -> bool:
    if channel == "mail":
        assert notifier.mailbox is not None, "there is a way to mail it"
        assert notice.email is not None, "there is somebody to mail it to"
        subject, text = _LETTERS[notice.kind]
        host, endpoint = notice.detail.get("host", ""), notice.detail.get("endpoint_id", "")
        return await send(
            notifier.mailbox,
            to=notice.email,
            subject=subject,
            text=text.format(host=host, endpoint=endpoint),
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


_FAILING = """\
Hello,

for a day nothing that we sent to your webhook endpoint {endpoint} at {host} has arrived.
We go on trying. After five days of nothing but failures it is disabled.

GET /v1/webhook_endpoints/{endpoint}/deliveries shows what came back at each try.
"""
_DISABLED = """\
Hello,

your webhook endpoint {endpoint} at {host} is disabled: it answered 410, or nothing has arrived there for five days.
Nothing is sent to it any more. GET /v1/events has everything that happened.

To enable it again:            POST /v1/webhook_endpoints/{endpoint}  {{"enabled": true}}
To have sent what was missed:  POST /v1/webhook_endpoints/{endpoint}/replay
"""
_LETTERS = {
    "endpoint_failing": ("Your webhook endpoint has been failing for a day", _FAILING),
    "endpoint_disabled": ("Your webhook endpoint is disabled", _DISABLED),
}
"""Subject and text of what is mailed, by kind."""


async def sweep_notices(db: Database) -> None:
    """Enqueue a job for each notice whose job was lost."""
    async with db.transaction() as connection:
        lost = await notice_queries.overdue_notices(connection, _MOST)
        await jobs.enqueue(
            connection,
            "notify",
            [notice_id for notice_id, _ in lost],
            keys=[f"notify {notice_id} {tries}" for notice_id, tries in lost],
        )


async def _try_again(db: Database, notice_id: str, tries: int) -> None:
    seconds = 30.0 * 3**tries  # 30 s, 90 s … 2.3 days at the ninth, which is cut to 12 hours
    async with db.transaction() as connection:
        if await notice_queries.put_off_notice(connection, notice_id, tries, min(seconds, 43_200.0)):
            await jobs.enqueue(
                connection,
                "notify",
                [notice_id],
                after_seconds=min(seconds, 43_200.0),
                keys=[f"notify {notice_id} {tries + 1}"],
            )
