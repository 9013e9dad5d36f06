"""What the fake service says about webhooks and events."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()
TYPES = ["video.queued", "video.completed", "video.failed", "balance.low"]
BASE = "/v1/webhook_endpoints"


class FakeWebhooks:
    def __init__(self) -> None:
        self.endpoints: dict[str, dict] = {}
        self.events = [event(number) for number in range(1, 6)]
        self.deliveries = [delivery(number) for number in range(5, 0, -1)]
        self.replays = [(1000, True), (1000, True), (7, False)]

    def answer(self, method: str, path: str, query: dict, body: dict) -> dict | None:
        """The answer to a request, None for 404."""
        if path == "/v1/webhook_event_types":
            return {"object": "list", "data": TYPES}
        if path.startswith("/v1/webhook_secret"):
            until = 1795610443 if body.get("keep_old_secret_active_for_24_hours") else None
            shown = {"signing_secret": SECRET, "rotated_at": 1795524043} if path.endswith("/rotate") else {}
            return {
                "object": "webhook_secret", "signing_secret_hint": "whsec_…tzc3", "rotated_at": None,
                "previous_secret_until": until, "livemode": False, "new": 7,
            } | shown  # fmt: skip
        if path == "/v1/events":
            return paged([e for e in self.events if query.get("type") in {None, e["type"]}], "id", query)
        if path.startswith("/v1/events/"):
            return next((e for e in self.events if path.endswith(e["id"])), None)
        return self.endpoint(method, path.removeprefix(BASE).strip("/").split("/"), query, body)

    def endpoint(self, method, parts, query, body):
        if parts == [""] and method == "POST":
            made = endpoint(f"whe_{len(self.endpoints) + 1}", body)
            self.endpoints[made["id"]] = made
            return made | {"signing_secret": SECRET}
        if parts == [""]:
            return paged(list(self.endpoints.values())[::-1], "id", query)
        found = self.endpoints.get(parts[0])
        if found is None:
            return None
        if method == "DELETE":
            del self.endpoints[parts[0]]
            return {"id": parts[0], "object": "webhook_endpoint.deleted", "deleted": True}
        action = parts[1] if len(parts) > 1 else ""
        if action == "deliveries":
            of = [d for d in self.deliveries if query.get("state") in {None, d["state"]}]
            return paged(of, "event_id", query)
        return self.act(found, action, body)

    def act(self, found, action, body):
        if action == "test":
            return {
                "object": "webhook_endpoint.test", "webhook_endpoint_id": found["id"],
                "event_type": body["event_type"], "success": found["name"] != "dead",
                "status_code": None if found["name"] == "dead" else 204,
                "outcome": "unreachable" if found["name"] == "dead" else "delivered",
            }  # fmt: skip
        if action == "replay":
            count, more = (1, False) if "event_id" in body else self.replays.pop(0)
            return {
                "object": "webhook_endpoint.replay", "webhook_endpoint_id": found["id"], "count": count,
                "last_id": f"evt_{len(self.replays)}", "has_more": more,
            }  # fmt: skip
        if action == "rotate_secret":
            keep = body["keep_old_secret_active_for_24_hours"]
            found["previous_secret_until"] = 1795610443 if keep else None
            return found | {"signing_secret": SECRET}
        if "enabled" in body:
            found |= {"disabled_reason": None if body["enabled"] else "owner"}
        found |= body
        return found


def endpoint(endpoint_id: str, body: dict) -> dict:
    kinds = TYPES if body["event_types"] == ["*"] else body["event_types"]
    return {
        "id": endpoint_id, "object": "webhook_endpoint", "name": body.get("name", ""),
        "description": body.get("description", ""), "url": body["url"], "event_types": kinds,
        "signatures": body.get("signatures", ["v1"]), "signing_secret_hint": "whsec_…tzc3", "public_key": None,
        "previous_secret_until": None, "enabled": True, "disabled_reason": None, "failing_since": None,
        "livemode": False, "created_at": 1795524043, "updated_at": 1795524043, "new": 7,
    }  # fmt: skip


def event(number: int) -> dict:
    kind = TYPES[number % 2]
    return {
        "id": f"evt_{number}", "object": "event", "type": kind, "timestamp": "2026-11-24T12:40:43.218Z",
        "created_at": 1795524043, "livemode": False,
        "data": {"id": f"vid_{number}", "expires_at": 1795783243, "status": kind.removeprefix("video.")}, "new": 7,
    }  # fmt: skip


def delivery(number: int) -> dict:
    failed = number % 2 == 0
    tries = [{"at": 1795524043, "outcome": "status", "status": 500, "milliseconds": 12}] if failed else []
    last = {"at": 1795524049, "outcome": "unreachable"} if failed else {"at": 1, "outcome": "delivered", "status": 204}
    return {
        "event_id": f"evt_{number}", "object": "webhook_delivery", "type": "video.completed",
        "state": "pending" if failed else "delivered", "tries": len(tries) + 1,
        "next_attempt_at": 1795524349 if failed else None, "attempts": [*tries, last], "created_at": 1795524043,
        "ended_at": None if failed else 1795524050, "new": 7,
    }  # fmt: skip


def paged(items: list[dict], key: str, query: dict) -> dict:
    ids = [one[key] for one in items]
    start = ids.index(query["after"]) + 1 if "after" in query else 0
    page = items[start : start + int(query.get("limit", 20))]
    return {
        "object": "list", "data": page, "first_id": page[0][key] if page else None,
        "last_id": page[-1][key] if page else None, "has_more": start + len(page) < len(items),
    }  # fmt: skip


BODY = json.dumps(event(1)).encode()


def signed(body: bytes = BODY, *secrets: str, at: float | None = None, event_id: str = "evt_1") -> dict[str, str]:
    """The headers of a webhook, made as Standard Webhooks 1.0.0 says and not as the client does."""
    timestamp = str(int(time.time() if at is None else at))
    made = []
    for secret in secrets or (SECRET,):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mac = hmac.new(key, event_id.encode() + b"." + timestamp.encode() + b"." + body, hashlib.sha256)
        made.append("v1," + base64.b64encode(mac.digest()).decode())
    return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(made)}
