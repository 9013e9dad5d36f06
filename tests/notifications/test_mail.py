"""Of an endpoint that fails for a day, or is disabled, its owner is mailed, tried until a real mail server takes it."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from email import message_from_bytes
from email.message import Message
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller

from generations.kit import owner, with_database
from notifications.test_notices import Receiver, notifier, receiver  # noqa: F401 the fixture
from seedance_api.foundation import mail
from seedance_api.foundation.db import Database
from seedance_api.foundation.mail import open_mailbox, send
from seedance_api.foundation.outbound import Outbound
from seedance_api.notifications import rows
from seedance_api.notifications.letters import LETTERS
from seedance_api.notifications.outbox import put
from seedance_api.notifications.send import Notifier, notify
from stage import free_port


class Letters:
    """What a mail server took."""

    def __init__(self) -> None:
        self.came: list[Message] = []
        self.to: list[str] = []
        self.refuses = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd's name
        if self.refuses:
            return "451 not now"
        self.came.append(message_from_bytes(envelope.content))
        self.to += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
def letters() -> Iterator[tuple[Letters, int]]:
    found, port = Letters(), free_port("127.0.0.1")
    server = Controller(found, hostname="127.0.0.1", port=port)
    server.start()
    yield found, port
    server.stop()


def message(kind: str, account_id: str, detail: dict[str, Any]) -> rows.Message:
    return rows.Message(kind=kind, account_id=account_id, detail=detail)


def test_what_is_mailed_names_the_endpoint_and_its_host_and_no_more(
    database_url: str, letters: tuple[Letters, int]
) -> None:
    async def verb(db: Database) -> None:
        taken, port = letters
        me = await owner(db, "owner@example.org")
        mailbox = open_mailbox(f"smtp://127.0.0.1:{port}", "Seedance <hello@seedance.example>")
        outbound = Outbound()
        told = Notifier(db=db, outbound=outbound, url=None, mailbox=mailbox)
        async with db.transaction() as connection:
            detail = {"endpoint_id": "whe_1", "host": "hook.example", "outcome": "timeout", "status": None}
            await put(connection, [message("endpoint_failing", me.account_id, detail)])
            await put(connection, [message("endpoint_disabled", me.account_id, detail)])
            await put(
                connection, [rows.Message(kind="limit_near", account_id=me.account_id, detail={"period": "day"})]
            )  # for the operator only
        ids = [one["id"] for one in await db.fetch("SELECT id FROM notice ORDER BY id")]
        taken.refuses = True  # tried again
        for notice_id in ids:
            await notify(notice_id, told)
        assert taken.came == []
        assert await db.fetchval("SELECT count(*) FROM notice WHERE tries = 1 AND closed_at IS NULL") == 2
        taken.refuses = False
        for notice_id in ids * 2:
            await notify(notice_id, told)
        assert [one["Subject"] for one in taken.came] == [
            "Your webhook endpoint has been failing for a day",
            "Your webhook endpoint is disabled",
        ]
        assert taken.to == ["owner@example.org"] * 2
        text = str(taken.came[1].get_payload(decode=True), "ascii")  # pyright: ignore[reportArgumentType]
        assert "whe_1 at hook.example" in text
        assert '{"enabled": true}' in text
        assert taken.came[0]["Message-ID"] == f"<{ids[0]}@seedance.example>"
        assert await db.fetchval("SELECT count(*) FROM notice WHERE closed_at IS NULL") == 0
        await outbound.aclose()

    with_database(database_url, verb)


@pytest.mark.parametrize("kind", [kind for kind in LETTERS if kind.startswith("key_")])
def test_what_only_the_letter_says_is_told_to_the_owner_alone_and_then_forgotten(
    database_url: str,
    letters: tuple[Letters, int],
    receiver: Receiver,  # noqa: F811 the fixture
    kind: str,
) -> None:
    async def verb(db: Database) -> None:
        taken, port = letters
        me = await owner(db, "owner@example.org")
        mailbox = open_mailbox(f"smtp://127.0.0.1:{port}", "hello@seedance.example")
        told = msgspec.structs.replace(notifier(db, receiver), mailbox=mailbox)
        letter = {"key": "sda_live_AbCdEfGh… (mine)", "key_id": "key_1", "at": "2026-11-30 09:00", "count": "20"}
        letter |= {"says": "It says so.", "networks": "198.51.0.0/16"}
        async with db.transaction() as connection:
            wanted = message(kind, me.account_id, {"key_id": "key_1"})
            await put(connection, [msgspec.structs.replace(wanted, letter=letter)])
        notice_id = await db.fetchval("SELECT id FROM notice")
        taken.refuses = True
        await notify(notice_id, told)
        assert await db.fetchval("SELECT letter FROM notice") == letter, "it is still to be said"
        taken.refuses = False
        await notify(notice_id, told)
        assert taken.to == ["owner@example.org"]
        text = str(taken.came[0].get_payload(decode=True), "utf-8")  # pyright: ignore[reportArgumentType]
        assert "sda_live_AbCdEfGh… (mine)" in text
        assert "{" not in text.replace('{"key": "sda_…"}', "")
        assert ("seedance-api key revoke key_1" in text) == (kind != "key_leaked"), "that one is revoked already"
        (heard,) = receiver.came
        assert (heard["type"], heard["account_id"], heard["data"]) == (kind, me.account_id, {"key_id": "key_1"})
        assert "198.51" not in str(heard)
        assert await db.fetchval("SELECT letter FROM notice") == {}
        await told.outbound.aclose()

    with_database(database_url, verb)


def test_a_mail_server_that_is_down_is_tried_again(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        mailbox = open_mailbox(f"smtp://127.0.0.1:{free_port('127.0.0.1')}", None)
        outbound = Outbound()
        async with db.transaction() as connection:
            await put(
                connection,
                [
                    rows.Message(
                        kind="endpoint_disabled", account_id=me.account_id, detail={"endpoint_id": "w", "host": "h"}
                    )
                ],
            )
        notice_id = await db.fetchval("SELECT id FROM notice")
        await notify(notice_id, Notifier(db=db, outbound=outbound, url=None, mailbox=mailbox))
        seen = await db.fetchrow("SELECT tries, due_at > now() AS later, closed_at FROM notice")
        assert seen is not None
        assert tuple(seen) == (1, True, None)
        await outbound.aclose()

    with_database(database_url, verb)


@pytest.mark.parametrize(("pause", "sent"), [(0.0, True), (0.2, False)])
def test_a_mail_server_with_a_pause_before_each_word_is_given_up(
    monkeypatch: pytest.MonkeyPatch, pause: float, sent: bool
) -> None:
    monkeypatch.setattr(mail, "SECONDS", 0.5)  # the library gives each word of its conversation as long

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = b"220 here"
        with closing(writer.transport), suppress(ConnectionError):
            while reply:
                await asyncio.sleep(pause)
                writer.write(reply + b"\r\n")
                line = await reader.readline()
                if line == b"DATA\r\n":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                reply = b"250 OK" if line else b""

    async def verb() -> bool:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        mailbox = open_mailbox(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", None)
        assert mailbox is not None
        async with server, asyncio.timeout(10):
            sent = await send(mailbox, to="a@example.org", subject="s", text="t", message_id="m")
            await asyncio.sleep(0.3)  # until the server has seen that nobody listens
            return sent

    assert asyncio.run(verb()) is sent


@pytest.mark.parametrize("url", ["http://h", "smtp://", "smtp://h/x", "smtps://h?x=1", "smtp:h"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be smtp"):
        open_mailbox(url, None)


def test_addresses_of_mail_servers() -> None:
    assert open_mailbox(None, None) is None
    found = open_mailbox("smtps://me%40x:p%3Aw@mail.example", None)
    assert found is not None
    assert (found.host, found.port, found.tls, found.user, found.password) == ("mail.example", 465, True, "me@x", "p:w")
    assert "p:w" not in repr(found)


def test_a_password_is_not_shown_to_another_machine_without_encryption(letters: tuple[Letters, int]) -> None:
    taken, port = letters
    mailbox = open_mailbox(f"smtp://me:pw@127.0.0.1.nip.invalid:{port}", None)
    assert mailbox is not None
    from msgspec.structs import replace

    elsewhere = replace(mailbox, host="0.0.0.0")  # reaches this machine, and is not its name
    sent = asyncio.run(send(elsewhere, to="a@example.org", subject="s", text="t", message_id="m"))
    assert (sent, taken.came) == (False, [])


def test_what_has_a_recipient_is_mailed_there_alone_and_once_for_its_key(
    database_url: str, letters: tuple[Letters, int]
) -> None:
    async def verb(db: Database) -> None:
        taken, port = letters
        outbound = Outbound()
        mailbox = open_mailbox(f"smtp://127.0.0.1:{port}", "hello@seedance.example")
        told = Notifier(db=db, outbound=outbound, url="https://operator.example/", mailbox=mailbox)
        wanted = rows.Message(
            kind="endpoint_disabled",
            detail={"endpoint_id": "w", "host": "h"},
            recipient="somebody@example.org",
            subject="Another subject",
            dedupe_key="w disabled",
        )
        for _ in range(2):  # the second finds its key taken, in one transaction with others or in another
            async with db.transaction() as connection:
                await put(connection, [wanted, wanted])
        (notice_id,) = [one["id"] for one in await db.fetch("SELECT id FROM notice")]
        assert await db.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'notify'") == 1
        assert await db.fetchval("SELECT state FROM notice") == "pending"
        await notify(notice_id, told)
        await notify(notice_id, told)
        assert await db.fetchval("SELECT state FROM notice") == "sent"
        assert (taken.to, [one["Subject"] for one in taken.came]) == (["somebody@example.org"], ["Another subject"])
        taken.refuses = True
        async with db.transaction() as connection:
            await put(connection, [rows.Message(kind="endpoint_failing", recipient="other@example.org")])
        await db.execute("UPDATE notice SET tries = 9 WHERE closed_at IS NULL")
        await notify(await db.fetchval("SELECT id FROM notice WHERE closed_at IS NULL"), told)
        assert await db.fetchval("SELECT state FROM notice WHERE recipient = 'other@example.org'") == "failed"
        await outbound.aclose()

    with_database(database_url, verb)
