"""Who may what, for every operation of the document: without a key, with one that is not right, without its scope, and
from elsewhere; and each of these refusals stands in the document, at the operation that makes it."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple, get_args

import httpx
import pytest

from security.matrix import Asked, document_of, operations_of
from seedance_api.accounts import create
from seedance_api.accounts.keys import KeyMode, mint
from seedance_api.accounts.scopes import SCOPES
from seedance_api.api.routes import ROUTES
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.traffic.rate_limits import RateClass
from seedance_api.web.route import routes_of
from stage import PEPPER, Service

INVENTED = {
    "video_id": new_id("vid"), "file_id": new_id("file"), "endpoint_id": new_id("whe"), "event_id": new_id("evt"),
    "model": "seedance-2.0", "month": "2026-11", "token": "x",
}  # fmt: skip
ADDRESS_ALONE = {
    "retrieveLinkedContent", "inspectLinkedContent", "retrieveMedia", "inspectMedia", "listCertificates",
    "healthz", "healthzHead", "readyz", "readyzHead",
}  # fmt: skip
"""What asks for no key and costs no more than a read of one row counts against the limit of its address alone; probes
against none."""


class Keys(NamedTuple):
    """Keys of one account."""

    revoked: str
    elsewhere: str
    without: dict[str, str]
    """By scope, a key that has every other one."""
    only: dict[str, str]


@pytest.fixture(scope="module")
def operations(service: Service) -> list[Asked]:
    return operations_of(document_of(service))


@pytest.fixture(scope="module")
def keys(service: Service) -> Keys:
    email = service.new_account()["email"]

    def make(**restrictions: Any) -> Callable[[Database], Awaitable[create.NewKey]]:
        pepper = bytes.fromhex(PEPPER)
        return lambda db: create.create_key(db, pepper, email=email, mode=KeyMode.TEST, **restrictions)

    def key(**restrictions: Any) -> str:
        return service._do(make(**restrictions)).key

    revoked = service._do(make())
    service._do(lambda db: create.revoke_key(db, revoked.id))
    return Keys(
        revoked.key,
        key(networks=["192.0.2.0/24"]),
        {scope: key(scopes=[one for one in SCOPES if one != scope]) for scope in SCOPES},
        {scope: key(scopes=[scope]) for scope in SCOPES},
    )


@pytest.fixture(scope="module")
def plain(service: Service) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        yield client


def ask(client: httpx.Client, one: Asked, key: str | None) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return client.request(one.method, one.at(INVENTED), headers=headers)


def refused(one: Asked, answer: httpx.Response, status: int, code: str) -> None:
    """It is this refusal, and the document says at this operation that it may be."""
    assert answer.status_code == status, (one.id, answer.text)
    if one.method != "HEAD":
        assert answer.json()["error"]["code"] == code, one.id
    assert f"`{code}`" in one.responses[str(status)]["description"], (one.id, code)


def test_every_route_declares_its_scope_and_its_rate_class() -> None:
    for route in routes_of(ROUTES):
        operation = route.operation
        if operation.auth == "key":
            assert operation.scope in SCOPES, f"{route.id} says not what a key must be for"
            assert operation.rate in get_args(RateClass), f"{route.id} says not which limit it counts against"
        else:
            assert operation.scope is None, f"{route.id} takes no key"
            is_page = operation.tag is None  # the document and its page
            assert operation.rate in get_args(RateClass) or route.id in ADDRESS_ALONE or is_page, (
                f"{route.id} asks for no key: which limit does it count against?"
            )


def test_every_operation_refuses_who_may_not(plain: httpx.Client, operations: list[Asked], keys: Keys) -> None:
    for one in operations:
        if not one.keyed:
            continue
        refused(one, ask(plain, one, None), 401, "missing_key")
        refused(one, ask(plain, one, mint(KeyMode.TEST).text), 401, "invalid_key")
        refused(one, ask(plain, one, mint(KeyMode.TEST).text[:-1]), 401, "invalid_key")
        refused(one, ask(plain, one, keys.revoked), 401, "invalid_key")
        refused(one, ask(plain, one, keys.elsewhere), 403, "address_not_allowed")
        assert one.scope in SCOPES, one.id
        refused(one, ask(plain, one, keys.without[one.scope]), 403, "missing_scope")


def test_the_scope_that_it_declares_is_enough(plain: httpx.Client, operations: list[Asked], keys: Keys) -> None:
    """With a key that has it alone, an operation goes on: to a body that is missing, or an id that never was."""
    for one in operations:
        if one.scope is not None and one.id != "rotateAccountWebhookSecret":
            answer = ask(plain, one, keys.only[one.scope])
            assert answer.status_code not in (401, 403), (one.id, answer.text)


def test_what_asks_for_no_key_minds_none(plain: httpx.Client, operations: list[Asked], keys: Keys) -> None:
    for one in operations:
        if not one.keyed:
            without, keyed = (ask(plain, one, key) for key in (None, keys.revoked))
            assert without.status_code == keyed.status_code, one.id


def test_what_every_address_may_answer_is_documented(operations: list[Asked]) -> None:
    """Whoever asks too often from one address is refused everywhere but by what load balancers ask."""
    for one in operations:
        if one.path not in ("/healthz", "/readyz"):
            assert "`rate_limited`" in one.responses.get("429", {}).get("description", ""), one.id
        assert "`invalid_host`" in one.responses["400"]["description"], one.id
