"""Receipts: what was deleted of a video and what is still kept, signed by the service."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from seedance.answer import Answer, from_dict
from seedance.ed25519 import is_signed
from seedance.errors import ReceiptInvalid


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was deleted; `digest` is the SHA-256 of what was there, in hexadecimal."""

    what: str
    place: str = ""
    name: str = ""
    reason: str | None = None
    digest: str | None = None
    bytes: int | None = None
    deleted_at: datetime | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is still there, and when it goes; None where that is not known yet."""

    what: str
    place: str = ""
    name: str = ""
    goes_at: datetime | None = None


class ReceiptSignature(msgspec.Struct, frozen=True, kw_only=True):
    """Ed25519 over the rest of the receipt; key and value in base64."""

    algorithm: str
    public_key: str
    value: str


class Receipt(Answer, frozen=True, kw_only=True):
    """What became of the content of a video. `complete` is true once nothing is kept."""

    video_id: str
    complete: bool
    signature: ReceiptSignature
    object: str = "deletion_receipt"
    deleted: tuple[Deletion, ...] = ()
    kept: tuple[Kept, ...] = ()
    issued_at: datetime | None = None


def verify_receipt(receipt: Receipt | Mapping[str, Any], public_key: str | None = None) -> Receipt:
    """The receipt, if it is signed and unchanged; raises ReceiptInvalid. Needs the package `cryptography`.

    A receipt that somebody else shows says by itself only that it is unchanged; `public_key`, in base64 and known
    from elsewhere, says whose it is.
    """
    said = dict(receipt.raw if isinstance(receipt, Receipt) else receipt)
    try:
        read = from_dict(said, Receipt)
        given = read.signature
        key, value = (base64.b64decode(text, validate=True) for text in (given.public_key, given.value))
        content = msgspec.json.encode({name: said[name] for name in said if name != "signature"}, order="sorted")
        known = key if public_key is None else base64.b64decode(public_key, validate=True)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise ReceiptInvalid(f"this is no signed receipt: {error}") from None
    if given.algorithm != "ed25519":
        raise ReceiptInvalid(f"the receipt is signed with {given.algorithm}, which this client does not know")
    if key != known:
        raise ReceiptInvalid("the receipt is signed with another key")
    if not is_signed(content, value, key):
        raise ReceiptInvalid("the receipt is not as it was signed")
    return read
