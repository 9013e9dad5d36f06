"""Mail: one text message to one address, through the operator's own mail server.

`smtp://` encrypts where the server offers it, and insists on it before it shows a password to another machine;
`smtps://` is encrypted from its first byte.
"""

import asyncio
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import msgspec

SECONDS = 20.0
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"smtp": 587, "smtps": 465}


class Mailbox(msgspec.Struct, frozen=True, kw_only=True):
    """A mail server, and who we are there."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None
    sender: str

    def __repr__(self) -> str:
        return "Mailbox(…)"  # it may hold a password


def open_mailbox(url: str | None, sender: str | None) -> Mailbox | None:
    """The mail server of the settings; None where none is set. Raises ValueError for an address that is none."""
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("must be smtp://[user:password@]host[:port], or smtps://…")
    return Mailbox(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        sender=sender or f"seedance@{parts.hostname}",
    )


def is_address(text: str) -> bool:
    """Whether a text is an e-mail address by its form. Nothing is looked up; one of an own network is fine."""
    import email_validator  # noqa: PLC0415 slow to load, and wanted by few

    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()  # `localhost`, `.local`, `.test`
    try:
        email_validator.validate_email(text, strict=True, check_deliverability=False, globally_deliverable=False)
    except email_validator.EmailNotValidError:
        return False
    return True


async def send(mailbox: Mailbox, *, to: str, subject: str, text: str, message_id: str) -> bool:
    """Hand a message over; False when the server does not take it now. A repeat has the same id."""
    import aiosmtplib  # noqa: PLC0415 an installation without a mail server never loads it

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mailbox.sender, to, subject
    message["Message-ID"] = f"<{message_id}@{mailbox.sender.rsplit('@', 1)[-1].strip('<> ')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    insists = mailbox.password is not None and mailbox.host not in _LOCAL
    try:
        async with asyncio.timeout(SECONDS):  # the library's own is for each word of the conversation
            await aiosmtplib.send(
                message,
                hostname=mailbox.host,
                port=mailbox.port,
                username=mailbox.user,
                password=mailbox.password,
                use_tls=mailbox.tls,
                start_tls=None if mailbox.tls or not insists else True,
                timeout=SECONDS,
            )
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError):
        return False
    return True
