"""Telling a webhook from anything else."""

from __future__ import annotations

import base64
import sys
import time

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_webhooks import BODY, OLD_SECRET, SECRET, signed
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from seedance import ConfigurationError, WebhookInvalid, unwrap_webhook

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()


def also_v1a(headers):
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + BODY
    made = base64.b64encode(PRIVATE.sign(content)).decode()
    return headers | {"webhook-signature": f"{headers['webhook-signature']} v1a,{made}"}


def test_a_webhook_is_unwrapped(client):
    event = client.webhooks.unwrap(BODY, signed(), SECRET)
    assert (event.id, event.type, event.data["status"]) == ("evt_1", "video.completed", "completed")
    assert event.extra == {"new": 7}


def test_the_standards_own_library_agrees():
    headers = signed()
    assert Webhook(SECRET).verify(BODY, headers)["id"] == unwrap_webhook(BODY, headers, SECRET).id


@pytest.mark.parametrize(
    "form",
    [
        lambda headers: {name.title(): value for name, value in headers.items()},
        httpx.Headers,
        lambda headers: headers | {"webhook-signature": "v1,AAAA v2,? " + headers["webhook-signature"]},
        also_v1a,
    ],
)
def test_headers_come_in_many_forms(form):
    headers = form(signed())
    assert unwrap_webhook(BODY.decode(), headers, SECRET).id == "evt_1"
    assert unwrap_webhook(bytearray(BODY), headers, SECRET.rstrip("=")).id == "evt_1"


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_while_a_secret_rotates_either_fits(secret):
    assert unwrap_webhook(BODY, signed(BODY, SECRET, OLD_SECRET), secret).id == "evt_1"


@pytest.mark.parametrize("seconds", [-299, 0, 298])
def test_a_clock_may_be_a_little_wrong(seconds):
    assert unwrap_webhook(BODY, signed(at=time.time() + seconds), SECRET).id == "evt_1"


@pytest.mark.parametrize(("seconds", "said"), [(-302, "ago"), (302, "in the future")])
def test_what_is_too_old_or_too_new_is_refused(seconds, said):
    headers = signed(at=time.time() + seconds)
    with pytest.raises(WebhookInvalid, match=said):
        unwrap_webhook(BODY, headers, SECRET)
    assert unwrap_webhook(BODY, headers, SECRET, tolerance=600).id == "evt_1"


GOOD = signed()
V1 = GOOD["webhook-signature"]


@pytest.mark.parametrize(
    ("body", "headers", "secret", "said"),
    [
        (BODY + b" ", GOOD, SECRET, "not signed with this secret"),
        (BODY, GOOD, OLD_SECRET, "not signed with this secret"),
        (BODY, GOOD | {"webhook-id": "evt_2"}, SECRET, "not signed with this secret"),
        (BODY, GOOD | {"webhook-timestamp": str(int(time.time()) + 2)}, SECRET, "not signed with this secret"),
        (BODY, GOOD | {"webhook-signature": V1[:-4]}, SECRET, "not signed with this secret"),
        (BODY, GOOD | {"webhook-signature": "v1," + V1}, SECRET, "not signed with this secret"),
        (BODY, GOOD | {"webhook-signature": V1.replace("v1,", "v1")}, SECRET, "no signature of the kind v1"),
        (BODY, GOOD | {"webhook-signature": V1.replace("v1,", "v1a,")}, SECRET, "no signature of the kind v1"),
        (BODY, GOOD | {"webhook-signature": "v1,é\ud800"}, SECRET, "no webhook"),
        (BODY, GOOD | {"webhook-signature": ""}, SECRET, "no signature"),
        (BODY, GOOD | {"webhook-timestamp": "soon"}, SECRET, "no number"),
        (BODY, GOOD | {"webhook-timestamp": "٣" * 10}, SECRET, "no number"),
        (BODY, GOOD | {"webhook-timestamp": "9" * 5000}, SECRET, "no number"),
        (BODY, GOOD | {"webhook-timestamp": "nan"}, SECRET, "no number"),
        (BODY, GOOD | {"webhook-timestamp": 1795524043}, SECRET, "no webhook"),
        (BODY, GOOD | {"webhook-id": "\ud800"}, SECRET, "no webhook"),
        (BODY, {}, SECRET, "webhook-id"),
        (BODY, None, SECRET, "no webhook"),
        (BODY, {name: [value] for name, value in GOOD.items()}, SECRET, "no webhook"),
        ({"id": "evt_1"}, GOOD, SECRET, "no webhook"),
        (None, GOOD, SECRET, "no webhook"),
        (b"[]", signed(b"[]"), SECRET, "no event"),
        (b"{}", signed(b"{}"), SECRET, "no event"),
        (b"\xff{", signed(b"\xff{"), SECRET, "no event"),
        (b"", signed(b""), SECRET, "no event"),
        (BODY, GOOD, "", "no secret"),
        (BODY, GOOD, None, "no secret"),
        (BODY, GOOD, "whsec_", "secret is none"),
        (BODY, GOOD, "whsec_====", "secret is none"),
        (BODY, GOOD, "whsec_é", "secret is none"),
        (BODY, GOOD, "whsec_not base64", "secret is none"),
        (BODY, GOOD, PUBLIC, "no signature of the kind v1a"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(body, headers, secret, said):
    with pytest.raises(WebhookInvalid, match=said):
        unwrap_webhook(body, headers, secret, tolerance=86400)  # GOOD was signed when the tests were collected


def test_the_empty_key_signs_for_nobody():
    with pytest.raises(WebhookInvalid):
        unwrap_webhook(BODY, signed(BODY, "whsec_"), "whsec_")


def test_a_public_key_checks_v1a(monkeypatch):
    headers = also_v1a(signed())
    assert unwrap_webhook(BODY, headers, PUBLIC).id == "evt_1"
    for wrong in ("v1a,AAAA", "v1a,é", headers["webhook-signature"].replace(" v1a,", " v1a,A")):
        with pytest.raises(WebhookInvalid):
            unwrap_webhook(BODY, headers | {"webhook-signature": wrong}, PUBLIC)
    with pytest.raises(WebhookInvalid):
        unwrap_webhook(BODY + b" ", headers, PUBLIC)
    with pytest.raises(WebhookInvalid):
        unwrap_webhook(BODY, headers, "whpk_QUJD")
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ConfigurationError, match="pip install cryptography"):
        unwrap_webhook(BODY, headers, PUBLIC)
    assert unwrap_webhook(BODY, headers, SECRET).id == "evt_1"


@settings(deadline=None)
@given(
    body=st.binary() | st.text(),
    headers=st.dictionaries(
        st.sampled_from(["webhook-id", "Webhook-Timestamp", "webhook-signature", "x"]),
        st.text() | st.sampled_from([str(int(time.time())), V1, "v1,"]),
    ),
    secret=st.text() | st.just(SECRET),
)
def test_whatever_comes_there_is_one_error(body, headers, secret):
    with pytest.raises(WebhookInvalid):
        unwrap_webhook(body, headers, secret)
