"""Delivery, links and receipts, for both clients."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import pytest
from fake_delivery import PUBLIC_KEY, SHA256, receipt, signed
from fake_service import Fault

from seedance import ConfigurationError, Gone, ReceiptInvalid, verify_receipt


def test_a_video_is_said_to_be_delivered(client, service):
    video = client.videos.create("x")
    assert video.delivered_at is None
    delivered = client.videos.delivered(video)
    assert (delivered.delivered_at, delivered.expires_at) == (1795524043, 1795527643)
    [request] = service.seen("POST", f"/v1/videos/{video.id}/delivered")
    assert (request.body, bool(request.headers["Idempotency-Key"])) == (b"", True)


def test_a_link(client, service):
    video = client.videos.create("x")
    link = client.videos.link(video)
    assert (link.url, link.variant, link.expires_at) == (f"{service.url}/v1/content/tok", "video", 1795524943)
    assert link.extra == {"new": 7}
    assert client.videos.link(video.id, variant="last_frame", expires_in=60).expires_at == 1795524103
    first, second = service.seen("POST", ".*/links")
    assert (first.json, second.json) == ({"variant": "video"}, {"variant": "last_frame", "expires_in": 60})
    service.fail("POST", ".*/links", Fault(status=410))
    with pytest.raises(Gone):
        client.videos.link(video)


def test_a_receipt_is_read_and_verified(client, service):
    found = client.videos.receipt(client.videos.create("x"))
    assert (found.video_id, found.complete, found.issued_at) == (
        "vid_0001",
        False,
        datetime(2026, 11, 24, 13, tzinfo=UTC),
    )
    [gone] = found.deleted
    assert (gone.what, gone.place, gone.reason, gone.digest, gone.bytes) == (
        "video", "store", "delivered", SHA256, 512000,
    )  # fmt: skip
    assert [(one.what, one.goes_at) for one in found.kept] == [
        ("prompt", datetime(2026, 11, 25, 12, tzinfo=UTC)),
        ("copy", None),
    ]
    assert found.extra == {"new": {"a": 2, "b": 1}}
    assert verify_receipt(found) == found
    assert verify_receipt(found, PUBLIC_KEY) == found


def test_a_receipt_that_was_saved_is_verified():
    assert verify_receipt(json.loads(json.dumps(receipt("vid_1"))), PUBLIC_KEY).video_id == "vid_1"


OTHER = "A" * 43 + "="
GOOD = receipt("vid_1")


@pytest.mark.parametrize(
    ("shown", "key"),
    [
        (GOOD | {"complete": True}, None),
        (GOOD | {"added": 1}, None),
        ({name: value for name, value in GOOD.items() if name != "new"}, None),
        (GOOD, OTHER),
        (GOOD, "no key"),
        (GOOD, "é"),
        (GOOD | {"signature": GOOD["signature"] | {"public_key": OTHER}}, None),
        (GOOD | {"signature": GOOD["signature"] | {"public_key": "QUJD"}}, None),
        (GOOD | {"signature": GOOD["signature"] | {"value": "QUJD"}}, None),
        (GOOD | {"signature": GOOD["signature"] | {"value": "é"}}, None),
        (GOOD | {"signature": GOOD["signature"] | {"algorithm": "none"}}, None),
        (GOOD | {"signature": None}, None),
        (signed({"video_id": "vid_1"}), None),
        ({}, None),
        ({1: 2}, None),
        ({"x": object()}, None),
    ],
)
def test_a_receipt_that_is_not_as_it_was_signed_is_refused(shown, key):
    with pytest.raises(ReceiptInvalid):
        verify_receipt(shown, key)


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ConfigurationError, match="pip install cryptography"):
        verify_receipt(GOOD)
