"""What is an account's is reachable with its keys alone: every operation of the document that takes anything that can
name an object is asked for another's. The answer is that to an id which never was, to the byte, and nothing changes.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from security.attack import rows
from security.matrix import KINDS, OBJECTS, Asked, Kind, unknown, unused
from security.world import BODIES, REPEAT, World, furnished, sibling
from stage import Service, fresh_database

OF_BOTH_MODES: frozenset[Kind] = frozenset({"key", "request"})
"""What an account reads with its keys of either mode: its log of requests tells of all of them."""


@pytest.fixture(scope="module")
def world(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with fresh_database(postgres) as url:
        service = Service(url, tmp_path_factory.mktemp("service"), live_sandbox="true")
        try:
            world = furnished(service)
            yield world
            for client in world.clients.values():
                client.close()
        finally:
            service.stop()


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
        pairs: list[tuple[str, str]] = [(world.draft, sibling(world.draft)), (world.owns[kind], world.invented[kind])]
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
