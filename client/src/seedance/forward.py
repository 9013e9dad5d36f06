"""Sends events on to an address of the developer's own, signed as the service signs its webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import msgspec

from seedance.unreached import reason_of
from seedance.unwrap import key_of
from seedance.webhook_objects import Event

TIMEOUT_SECONDS = 15
# Pauses between the tries of an event that the receiver answers with anything but 2xx; then it is given up.
REFUSED_PAUSES_SECONDS = (1, 2, 4)
LONGEST_PAUSE_SECONDS = 10


def new_secret() -> str:
    """A signing secret in the form that receivers' libraries take."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(event_id: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0.0 for one try. Raises WebhookInvalid when the secret is none."""
    content = f"{event_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode()
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one try went: the receiver's `status`, or the `reason` for none; `again` is the pause that follows."""

    status: int | None
    reason: str
    milliseconds: int
    again: float | None

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Forwarder:
    """Posts events to one address, one after another."""

    def __init__(self, url: str, secret: str, *, sleep: Callable[[float], object] = time.sleep) -> None:
        key_of(secret)
        self._url = url
        self._secret = secret
        self._sleep = sleep
        # A receiver of one's own is not behind a proxy, and a redirect is a failure, as it is for the service.
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False)

    def close(self) -> None:
        self._http.close()

    def forward(self, event: Event) -> Iterator[Attempt]:
        """Send it until it is delivered, or refused too often; while nobody answers, for ever."""
        # As it came: the service signs these very bytes.
        body = msgspec.json.encode(event.raw)
        refused = unanswered = 0
        while True:
            headers = sign(event.id, int(time.time()), body, self._secret)
            started = time.monotonic()
            status, reason = self._post(headers, body)
            milliseconds = round(1000 * (time.monotonic() - started))
            again: float | None = None
            if status is None:
                again = min(LONGEST_PAUSE_SECONDS, 2**unanswered)
                unanswered += 1
            elif not 200 <= status < 300 and refused < len(REFUSED_PAUSES_SECONDS):
                again = REFUSED_PAUSES_SECONDS[refused]
                refused += 1
            yield Attempt(status, reason, milliseconds, again)
            if again is None:
                return
            self._sleep(again)

    def _post(self, headers: dict[str, str], body: bytes) -> tuple[int | None, str]:
        try:
            with self._http.stream("POST", self._url, headers=headers, content=body) as answer:
                return answer.status_code, ""
        except httpx.RequestError as error:
            return None, reason_of(error)
