"""Receipt: what was deleted of a generation, when, from where; signed, so that it can be shown to others."""

import base64
from datetime import datetime
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seedance_api.delivery import queries, receipt_queries
from seedance_api.delivery.rows import Deletion, Kept
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.secrets import derive

_PURPOSE = "seedance deletion receipts, 1"


class Signature(msgspec.Struct, frozen=True):
    """Ed25519 over the receipt without this field, as JSON with sorted keys and no spaces. Both in standard base64."""

    algorithm: Literal["ed25519"]
    """Always `ed25519`."""
    public_key: str
    """32 bytes in base64, the installation's own."""
    value: str
    """The signature, in base64."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the content of a video: lines of what was deleted, and of what is still kept and until when.

    `digest` is SHA-256 in hexadecimal, of the bytes that were deleted.
    """

    object: Literal["deletion_receipt"] = "deletion_receipt"
    video_id: str
    """The video's id."""
    complete: bool
    """Whether nothing is kept any more."""
    deleted: list[Deletion]
    """What is gone: `what`, from which `place`, why, the SHA-256 (`digest`) and the size of what was there, and when.
    `name` is the id of an input's file, or of the attempt whose copy an upstream had."""
    kept: list[Kept]
    """What is still there, and when it goes; null where that is not known yet."""
    issued_at: datetime
    """When this was said; each request says it anew."""


class DeletionReceipt(Receipt, frozen=True, kw_only=True):
    """A receipt with its signature."""

    signature: Signature
    """Ed25519 over all the rest as JSON with sorted keys and no spaces."""


async def receipt(
    db: Database, account_id: str, livemode: bool, generation_id: str, key: Ed25519PrivateKey
) -> DeletionReceipt:
    """The receipt of a generation as it stands now, also of one that its owner has deleted. Raises AppError 404."""
    owner = await queries.owner_of(db, generation_id) if is_id("vid", generation_id) else None
    if owner != (account_id, livemode):
        raise AppError("not_found", "There is no such video in this account.", param="video_id")
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
    return Ed25519PrivateKey.from_private_bytes(derive(pepper, _PURPOSE))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
