"""Rows of the outbox."""

from datetime import datetime
from typing import Any, Literal

import msgspec

Channel = Literal["url", "mail"]
"""A way to tell of a message: the operator's address, or mail."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be told. One about the installation has no account.

    The operator's address is told of it, and the account's owner is mailed where there is a letter of its kind; with a
    `recipient` it goes to that e-mail address and nowhere else. Of one `dedupe_key` there is one message ever.
    """

    kind: str
    account_id: str | None = None
    detail: dict[str, Any] = {}
    letter: dict[str, str] = {}
    """What the letter to the owner says beside that, such as where his key was used. The operator's address is not told
    of it, and it is forgotten once the letter has left."""
    recipient: str | None = None
    subject: str | None = None
    """The subject of the mail, where it is not that of its kind."""
    dedupe_key: str | None = None


class Notice(Message, frozen=True, kw_only=True):
    """A row of `notice`, the outbox. `email` is the recipient, or else the account's owner."""

    id: str
    tries: int
    told: tuple[Channel, ...]
    email: str | None
    created_at: datetime
