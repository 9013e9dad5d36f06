"""What is an account's is reachable with its keys alone: every operation of the document that takes anything that can
name an object is asked for another's. The answer is that to an id which never was, to the byte, and nothing changes.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from security.attack import picture, rows
from security.matrix import KINDS, OBJECTS, Asked, Kind, document_of, operations_of, unknown, unused
from seedance_api.references.assets import allow
from stage import Service, finished, fresh_database, until

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
OF_BOTH_MODES: frozenset[Kind] = frozenset({"key", "request"})
"""What an account reads with its keys of either mode: its log of requests tells of all of them."""


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


def _sibling(real: str) -> str:
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


@pytest.fixture(scope="module")
def world(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with fresh_database(postgres) as url:
        service = Service(url, tmp_path_factory.mktemp("service"), live_sandbox="true")
        try:
            world = _make(service)
            yield world
            for client in world.clients.values():
                client.close()
        finally:
            service.stop()


def _make(service: Service) -> World:
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
    invented: dict[Kind, str] = {kind: _sibling(value) for kind, value in owns.items() if kind != "usage page"}
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


@pytest.fixture
def unchanged(world: World) -> Iterator[None]:
    """Whatever the test sends changes no row of the owner's."""
    before = _owners_rows(world)
    yield
    after = _owners_rows(world)
    assert {name for name in before if before[name] != after[name]} == set()


_ROWS = """SELECT (to_jsonb(t) - 'verified_at')::text AS text FROM "{}" t WHERE t::text LIKE ANY ($1)"""
"""Files are compared with their digests all the time, which is noted."""


def _owners_rows(world: World) -> dict[str, str]:
    """A digest of every row in which anything of the owner's stands, by table; the log of requests and jobs aside."""
    url = world.service.database_url
    tables = rows(url, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    needles = [f"%{one}%" for one in world.needles]
    found: dict[str, str] = {}
    for name in sorted(record["relname"] for record in tables):
        if not name.startswith(("request_", "pgqueuer")):
            texts = rows(url, _ROWS.format(name), needles)
            found[name] = hashlib.sha256("\n".join(sorted(one["text"] for one in texts)).encode()).hexdigest()
    return found


CHANGING = ("x-request-id", "server-timing", "date", "ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset")


def told(response: httpx.Response, asked: object = "") -> tuple[int, dict[str, str], str]:
    """All that an answer tells, but for what differs between any two, and for what was asked for."""
    headers = {name: value for name, value in response.headers.items() if name not in CHANGING}
    text = response.text.replace(response.headers["x-request-id"], "")
    return response.status_code, headers, text.replace(str(asked), "") if asked else text


def alike(
    world: World, what: str, real: httpx.Response, invented: httpx.Response, asked: tuple[str, str] = ("", "")
) -> None:
    """Nobody can tell from the answers which of the two is somebody's."""
    first, second = told(real, asked[0]), told(invented, asked[1])
    assert first == second, what
    assert not [needle for needle in world.needles if needle in first[2]], what


def test_what_every_parameter_and_field_names_is_known(world: World) -> None:
    assert unknown(world.operations) == [], "say in security/matrix.py what it names"
    assert unused(world.operations) == set()
    bodies = {one.id for one in world.operations if one.keyed and one.media_types} - {"uploadFile"}
    assert bodies == set(BODIES) & bodies, "say in BODIES what body it takes"
    assert {kind for kind in KINDS.values() if kind in OBJECTS} == set(world.owns)


def test_the_owner_reaches_all_of_it(world: World) -> None:
    """So that what others are refused is not refused to everybody."""
    for one in world.operations:
        if one.method == "GET" and one.keyed and one.kinds("path"):
            # the video itself would be delivered by that, and so change
            options = {"params": {"variant": "thumbnail"}} if one.id == "retrieveContent" else {}
            answer = world.asks(world.service.key, one, world.owns, **options)
            assert answer.status_code == 200, (one.id, answer.text)


def test_an_id_in_the_path_is_as_if_it_were_not_there(world: World, unchanged: None) -> None:
    count = 0
    for one in (one for one in world.operations if one.kinds("path")):
        for who, key in world.others.items():
            for options in _ways(world, one):
                real = world.asks(key, one, world.owns, **options)
                assert real.status_code == 404, (one.id, who, options, real.text)
                alike(world, f"{one.id} {who} {options}", real, world.asks(key, one, world.invented, **options))
                count += 1
    assert count >= 70


def _ways(world: World, one: Asked) -> Iterator[dict[str, Any]]:
    """Plainly, and with everything that may lead another way through the service: it answers some reads early, waits
    in others, and repeats what was done."""
    yield {}
    known: dict[str, str] = {"If-None-Match": world.etag, "Prefer": "wait=5", "Idempotency-Key": REPEAT}
    known |= {"Range": "bytes=0-1"}
    yield from ({"headers": {name: value}} for name, value in known.items())
    if one.id == "retrieveVideo":
        yield {"params": {"wait": "5"}}


def test_an_id_in_the_query_finds_nothing_of_anothers(world: World, unchanged: None) -> None:
    """A page may begin anywhere: behind another's id it has what is one's own there. A filter finds nothing."""
    count = 0
    for one in world.operations:
        for name, kind in one.kinds("query"):
            for who, key in world.others.items():
                own = world.stranger_has if who == "another account" else {}
                if who == "the other mode" and kind in OF_BOTH_MODES:
                    continue
                if one.kinds("path") and not own:
                    continue  # that mode has no endpoint; what is in a path is tried above
                real, invented = (
                    world.asks(key, one, own, params={name: values[kind]}) for values in (world.owns, world.invented)
                )
                assert real.status_code == 200, (one.id, name, who, real.text)
                alike(world, f"{one.id} {name} {who}", real, invented)
                assert name == "after" or real.json()["data"] == []
                count += 1
    assert count >= 11


def test_an_id_in_a_body_is_refused_as_one_that_never_was(world: World, unchanged: None) -> None:
    count = 0
    for one in world.operations:
        for name, kind in one.kinds("body"):
            for who, key in world.others.items():
                own: dict[Kind, str] = {"endpoint": world.stranger_hears} if who == "another account" else {}
                if one.kinds("path") and not own:
                    continue
                for asked, bodies in _bodies(world, one, name, kind):
                    real, invented = (world.asks(key, one, own, **each) for each in bodies)
                    if name == "after":  # where to go on, as in a query
                        assert real.status_code == 200, (one.id, real.text)
                    else:
                        assert 400 <= real.status_code < 500, (one.id, name, who, real.text)
                    alike(world, f"{one.id} {name} {who} {bodies[0]}", real, invented, asked)
                    count += 1
    assert count >= 30


def _bodies(world: World, one: Asked, name: str, kind: Kind) -> Iterator[tuple[tuple[str, str], list[dict[str, Any]]]]:
    """Bodies with the owner's object in this field, each beside the same with one that never existed; as JSON, and as
    a form where the operation takes forms."""
    if kind == "video":  # the one field that takes a video takes a draft
        pairs: list[tuple[str, str]] = [(world.draft, _sibling(world.draft)), (world.owns[kind], world.invented[kind])]
    elif kind == "medium":
        assets = f"asset://{world.asset}", "asset://an-asset-that-never-was-xx"
        pairs = [(world.owns[kind], world.invented[kind]), assets]
    else:
        pairs = [(world.owns[kind], world.invented[kind])]
    for pair in pairs:
        yield pair, [{"json": _body(one.id, name, each)} for each in pair]
        if "multipart/form-data" in one.media_types and name in FORMS:
            field = FORMS[name]
            yield pair, [{"data": {"prompt": "x"}, "files": {field: (None, each)}} for each in pair]


FORMS = {"draft_id": "draft_id", "images[]": "images[]", "input_reference": "input_reference"}


def _body(operation: str, name: str, value: str) -> dict[str, Any]:
    plain = BODIES[operation]
    if name in ("file_id", "url", "image_url"):
        return plain | {"images": [{name: value}]}
    if name == "draft_id":
        return {name: value}
    if name == "event_id":
        return {name: value}
    return plain | ({name[:-2]: [value]} if name.endswith("[]") else {name: value})


def test_an_idempotency_key_repeats_nothing_of_anothers(world: World, unchanged: None) -> None:
    """The owner has used it; somebody else's request with it is a first one."""
    for one in world.operations:
        if not any(place.kind == "repeat" for place in one.places) or one.kinds("path"):
            continue
        if one.id in ("createVideo", "uploadFile"):
            continue  # the other account has used it as well, for what it has
        answer = world.asks(world.others["another account"], one, {}, headers={"Idempotency-Key": REPEAT})
        assert answer.status_code in (200, 400), (one.id, answer.text)
        assert "idempotent-replayed" not in answer.headers, one.id
        assert not [needle for needle in world.needles if needle in answer.text], one.id
    assert world.stranger_has["video"] != world.owns["video"]
    assert world.stranger_has["file"] != world.owns["file"]


def test_a_link_that_was_changed_is_one_that_never_was(world: World, unchanged: None) -> None:
    """A signed link is for everybody who has it, and for what it was signed for alone."""
    forged = world.link[:-1] + ("A" if world.link[-1] != "A" else "B")
    for one in world.operations:
        if not any(place.kind == "link" for place in one.places):
            continue
        for token in (forged, world.link if "content" not in one.path else forged):
            real, invented = (
                httpx.request(one.method, world.service.url + one.at({"token": each}), trust_env=False)
                for each in (token, re.sub(r"[0-9A-Za-z]", "x", token))
            )
            assert 400 <= real.status_code < 500, one.id
            alike(world, one.id, real, invented)


def test_nothing_that_is_read_without_an_id_tells_of_another(world: World, unchanged: None) -> None:
    for one in world.operations:
        if one.method == "GET" and one.keyed and not one.kinds("path"):
            values = {"model": "seedance-2.0", "month": "2026-11"}
            for who, key in world.others.items():
                answer = world.clients[key].get(one.at(values))
                # a test key has no statements
                assert answer.status_code == 200 or one.id == "retrieveStatement", (one.id, who, answer.text)
                needles = {"listRequests": []}.get(one.id, world.needles) if who == "the other mode" else world.needles
                mine = [needle for needle in needles if needle in answer.text]
                assert mine == [], (one.id, who)
