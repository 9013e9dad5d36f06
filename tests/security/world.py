"""Two accounts, each with one of everything that has an id, on a service of their own; and what never existed."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx

from security.attack import picture, rows
from security.matrix import Asked, Kind, document_of, operations_of
from seedance_api.references.assets import allow
from stage import Service, finished, until

CANARY = "canary-of-the-owner"
CLIP = {"model": "seedance-1.0-pro-fast", "duration": 2, "resolution": "480p"}
DRAFT = {"model": "seedance-2.5", "prompt": CANARY, "duration": 4, "resolution": "480p", "draft": True}
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
REPEAT = "the-owners-idempotency-key"
BODIES: dict[str, dict[str, Any]] = {
    "createVideo": {"prompt": "x", "duration": 4, "resolution": "480p"},
    "quoteVideo": {"prompt": "x", "duration": 4, "resolution": "480p"},
    "createLink": {},
    "createWebhookEndpoint": {"url": "https://example.com/events", "event_types": ["*"]},
    "updateWebhookEndpoint": {"name": "mine"},
    "rotateWebhookSecret": {},
    "rotateAccountWebhookSecret": {},
    "testWebhookEndpoint": {"event_type": "video.completed"},
    "replayWebhooks": {"since": 1},
    "setBalance": {"low_balance": None},
}
"""A body that each operation takes; with an object of somebody's in it, or in the path, it would act."""


class World(NamedTuple):
    """A service; what its owner has, with a test key, and what never existed; and who else may ask."""

    service: Service
    operations: list[Asked]
    owner: str
    owns: dict[Kind, str]
    invented: dict[Kind, str]
    draft: str
    asset: str
    others: dict[str, str]
    """Keys: of another account, and the owner's own of the other mode."""
    stranger_has: dict[Kind, str]
    stranger_hears: str
    """An endpoint of the other account that is enabled, and hears of nothing by itself."""
    etag: str
    link: str
    clients: dict[str, httpx.Client]

    def asks(self, key: str, one: Asked, values: dict[Kind, str], **options: Any) -> httpx.Response:
        """Ask for an operation, with these objects in its path."""
        at = {name.name: values[name.kind] for name in one.places if name.where == "path" and name.kind in values}
        if one.id == "uploadFile":
            options |= {"files": {"file": ("a.png", picture())}}
        elif one.media_types and not {"json", "data"} & set(options):
            options |= {"json": BODIES[one.id]}
        return self.clients[key].request(one.method, one.at(at), **options)

    @property
    def needles(self) -> list[str]:
        """What no answer to somebody else may have in it."""
        return [*self.owns.values(), self.draft, CANARY, self.owner]


def sibling(real: str) -> str:
    """An id that nobody has, and that nothing is between it and this one: a page that begins there is the same."""
    return real[:-1] + ("y" if real[-1] == "z" else _ALPHABET[_ALPHABET.index(real[-1]) + 1])


def _make_video(service: Service, key: str, wish: dict[str, Any]) -> str:
    repeat = {"Idempotency-Key": f"{REPEAT}-draft" if "draft" in wish else REPEAT}
    with service.client(key) as client:
        answer = client.post("/v1/videos", json=wish, headers=repeat)
        assert answer.status_code == 200, answer.text
        return finished(client, answer.json()["id"])["id"]


def _furnish(service: Service, key: str, prompt: str) -> dict[Kind, str]:
    """Give an account one of everything that has an id."""
    with service.client(key) as client:
        hook = client.post("/v1/webhook_endpoints", json=BODIES["createWebhookEndpoint"]).json()["id"]
        file = client.post("/v1/files", files={"file": ("a.png", picture())}, headers={"Idempotency-Key": REPEAT})
        video = _make_video(service, key, CLIP | {"prompt": prompt})
        event = until(lambda: client.get("/v1/events", params={"type": "video.completed"}).json()["last_id"])
        # nothing is to change any more by itself
        client.post(f"/v1/webhook_endpoints/{hook}", json={"enabled": False})
        request = client.get("/v1/models").headers["x-request-id"]
        until(lambda: rows(service.database_url, "SELECT id FROM request_log WHERE id = $1", request))
        return {"video": video, "file": file.json()["id"], "endpoint": hook, "event": event, "request": request}


def furnished(service: Service) -> World:
    stranger = service.new_account()
    theirs = service.new_key(email=stranger["email"])
    service.credit("50.00")
    with ThreadPoolExecutor(3) as pool:
        making = [pool.submit(_furnish, service, *each) for each in ((service.key, CANARY), (theirs, "mine"))]
        drafting = pool.submit(_make_video, service, service.key, DRAFT)
        owns, stranger_has, draft = making[0].result(), making[1].result(), drafting.result()
    key_id = rows(service.database_url, "SELECT id FROM api_key WHERE account_id = $1", service.account["id"])[0]["id"]
    service._do(lambda db: allow(db, service.account["id"], "an-asset-that-an-owner-has", "test"))
    with service.client() as owner:
        etag = owner.get(f"/v1/videos/{owns['video']}").headers["etag"]
        link = owner.post(f"/v1/videos/{owns['video']}/links", json={}).json()["url"].rpartition("/")[2]
        page = owner.get("/v1/usage", params={"group_by": "day,model,key", "limit": 1}).json()
    group = page["data"][0] if page["data"] else {"day": "2026-01-01", "model": "seedance-2.0", "key_id": key_id}
    more: dict[Kind, str] = {"key": key_id, "medium": owns["file"], "usage page": _page(group, key_id)}
    owns |= more
    invented: dict[Kind, str] = {kind: sibling(value) for kind, value in owns.items() if kind != "usage page"}
    invented["usage page"] = _page(group, invented["key"])
    with service.client(theirs) as client:
        wish = {"url": "https://example.com/others", "event_types": ["video.canceled"]}
        hears = client.post("/v1/webhook_endpoints", json=wish).json()["id"]
    operations = operations_of(document_of(service))
    others = {"another account": theirs, "the other mode": service.new_key("live")}
    return World(
        service, operations, service.account["id"], owns, invented, draft, "an-asset-that-an-owner-has", others,
        stranger_has, hears, etag, link, {key: service.client(key) for key in (service.key, *others.values())},
    )  # fmt: skip


def _page(group: dict[str, Any], key_id: str) -> str:
    """Where a page of usage begins, behind this group, as the service writes it."""
    position = json.dumps({"day": group["day"], "model": group["model"], "key_id": key_id}, separators=(",", ":"))
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")
