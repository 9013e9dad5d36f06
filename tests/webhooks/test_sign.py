"""Signatures are those of Standard Webhooks, by its own vector and by other people's code."""

import base64
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from openai import OpenAI
from standardwebhooks.webhooks import Webhook as Standard
from svix.webhooks import Webhook as Svix

import npm
from seedance_api.webhooks.sign import hint, secrets_of, shown_public_key, shown_secret, sign

PEPPER = b"p" * 32
BODY = b'{"type":"video.completed","data":{"id":"vid_1"}}'


def test_the_specification_s_own_vector() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [("v1", secret)])
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secrets_are_as_receivers_take_them_and_differ_in_everything() -> None:
    secret = shown_secret(PEPPER, "whe_1", 1)
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:], validate=True)) == 32
    assert len(secret[6:]) % 4 == 0  # padded
    others = [shown_secret(PEPPER, "whe_2", 1), shown_secret(PEPPER, "whe_1", 2), shown_secret(b"q" * 32, "whe_1", 1)]
    assert len({secret, *others}) == 4
    assert shown_secret(PEPPER, "whe_1", 1) == secret
    assert len(hint(secret)) == 11


@pytest.mark.parametrize("previous", [False, True])
def test_other_people_s_code_verifies_also_during_a_rotation(previous: bool) -> None:
    headers = sign(
        "evt_1", int(time.time()), BODY, secrets_of(PEPPER, ["v1", "v1a"], "whe_1", 2, earlier=int(previous))
    )
    assert len(headers["webhook-signature"].split(" ")) == (4 if previous else 2)
    versions = [1, 2] if previous else [2]
    for version in versions:
        secret = shown_secret(PEPPER, "whe_1", version)
        Standard(secret).verify(BODY, headers)
        Svix(secret).verify(BODY, headers)
        with OpenAI(api_key="x", base_url="http://127.0.0.1:1") as client:
            assert client.webhooks.unwrap(BODY, headers, secret=secret).type == "video.completed"
    with pytest.raises(Exception, match="signature"):
        Standard(shown_secret(PEPPER, "whe_1", 3)).verify(BODY, headers)
    if not previous:
        with pytest.raises(Exception, match="signature"):
            Standard(shown_secret(PEPPER, "whe_1", 1)).verify(BODY, headers)
    with pytest.raises(Exception, match="signature"):
        Standard(shown_secret(PEPPER, "whe_1", 2)).verify(BODY + b" ", headers)


def test_v1a_is_checked_with_the_public_key() -> None:
    headers = sign("evt_1", 1614265330, BODY, secrets_of(PEPPER, ["v1a"], "whe_1", 1, earlier=0))
    shown = shown_public_key(PEPPER, "whe_1", 1)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown.removeprefix("whpk_")))
    scheme, signature = headers["webhook-signature"].split(",")
    assert scheme == "v1a"
    key.verify(base64.b64decode(signature), b"evt_1.1614265330." + BODY)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature), b"evt_2.1614265330." + BODY)


_VERIFY = """
import { Webhook } from "standardwebhooks";
const [secret, id, timestamp, signature, body] = process.argv.slice(1);
const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
console.log(new Webhook(secret).verify(body, headers).type);
try { new Webhook(secret).verify(body + " ", headers); console.log("taken"); } catch { console.log("refused"); }
"""


def test_npm_s_standardwebhooks_verifies_also_during_a_rotation() -> None:
    folder = npm.installed("standardwebhooks", "1.1.1")
    headers = sign("evt_1", int(time.time()), BODY, secrets_of(PEPPER, ["v1"], "whe_1", 2, earlier=1))
    for version in (1, 2):
        said = npm.run(folder, _VERIFY, shown_secret(PEPPER, "whe_1", version), *headers.values(), BODY.decode())
        assert said.split() == ["video.completed", "refused"]
