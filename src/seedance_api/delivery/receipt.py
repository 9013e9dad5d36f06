"""Receipt: what was deleted of a generation, when, from where; signed, so that it can be shown to others."""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seedance_api.delivery import receipt_queries
from seedance_api.delivery.rows import Deletion, Kept
from seedance_api.foundation.db import Database

_PURPOSE = b"seedance deletion receipts, 1"


class Signature(msgspec.Struct, frozen=True):
    """Ed25519 over the receipt without this field, as JSON with sorted keys and no spaces. Both in standard base64."""

    algorithm: Literal["ed25519"]
    public_key: str
    value: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the content of a video: lines of what was deleted, and of what is still kept and until when.

    `digest` is SHA-256 in hexadecimal, of the bytes that were deleted.
    """

    object: Literal["deletion_receipt"] = "deletion_receipt"
    video_id: str
    complete: bool
    deleted: list[Deletion]
    kept: list[Kept]
    issued_at: datetime


class DeletionReceipt(Receipt, frozen=True, kw_only=True):
    """A receipt with its signature."""

    signature: Signature


async def receipt(db: Database, generation_id: str, key: Ed25519PrivateKey) -> DeletionReceipt:
    """The receipt of a generation as it stands now."""
    kept = await receipt_queries.kept_of(db, generation_id)
    plain = Receipt(
        video_id=generation_id,
        complete=not kept,
        deleted=await receipt_queries.deletions_of(db, generation_id),
        kept=kept,
        issued_at=await db.fetchval("SELECT date_trunc('second', now())"),
    )
    value = key.sign(msgspec.json.encode(msgspec.to_builtins(plain), order="sorted"))
    signature = Signature("ed25519", _base64(key.public_key().public_bytes_raw()), _base64(value))
    return DeletionReceipt(**msgspec.structs.asdict(plain), signature=signature)


def receipt_key(pepper: bytes) -> Ed25519PrivateKey:
    """The key that receipts are signed with: of the installation's pepper, and for this purpose only."""
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(pepper, _PURPOSE, hashlib.sha256))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
