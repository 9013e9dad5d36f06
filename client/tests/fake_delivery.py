"""What the fake service says about delivery."""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

RECEIPT_KEY = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
PUBLIC_KEY = base64.b64encode(RECEIPT_KEY.public_key().public_bytes_raw()).decode()
SHA256 = "9f" * 32


def content_link(service, body: dict) -> dict:
    return {
        "object": "content_link", "url": f"{service.url}/v1/content/tok", "variant": body["variant"],
        "expires_at": 1795524043 + body.get("expires_in", 900), "new": 7,
    }  # fmt: skip


def receipt(video_id: str) -> dict:
    """Signed as the documents say, with what the client does not know in it."""
    said = {
        "object": "deletion_receipt", "video_id": video_id, "complete": False, "issued_at": "2026-11-24T13:00:00Z",
        "deleted": [
            {
                "what": "video", "place": "store", "name": "généré \x1b[31m.mp4", "reason": "delivered",
                "digest": SHA256, "bytes": 512000, "deleted_at": "2026-11-24T12:59:58.25Z",
            },
        ],
        "kept": [
            {"what": "prompt", "place": "database", "name": "", "goes_at": "2026-11-25T12:00:00Z"},
            {"what": "copy", "place": "upstream", "name": "x", "goes_at": None, "new": 7},
        ],
        "new": {"b": 1, "a": 2},
    }  # fmt: skip
    return signed(said)


def signed(said: dict) -> dict:
    content = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    value = base64.b64encode(RECEIPT_KEY.sign(content)).decode()
    return said | {"signature": {"algorithm": "ed25519", "public_key": PUBLIC_KEY, "value": value}}
