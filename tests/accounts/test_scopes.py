"""What a key may be for, and where it may be used from."""

from collections.abc import Callable

import pytest

from accounts.test_authenticate import PEPPER_BYTES, with_database
from seedance_api.accounts import create, queries
from seedance_api.accounts.keys import KeyMode
from seedance_api.accounts.scopes import SCOPES, check_restrictions, is_within
from seedance_api.api.routes import ROUTES
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.web.route import operation_of, routes_of
from stage import Service

EMAIL = "one@example.org"
Start = Callable[..., Service]


def test_every_route_that_takes_a_key_says_what_it_must_be_for() -> None:
    assert [
        route.id for route in routes_of(ROUTES) if route.operation.auth == "key" and not route.operation.scope
    ] == []
    assert {operation_of(handler).scope for handler in ROUTES} - {None} == set(SCOPES)


def test_what_is_no_scope_and_no_network_is_refused_all_at_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        account = await create.create_account(db, EMAIL)
        with pytest.raises(AppError) as refused:
            await create.create_key(
                db,
                PEPPER_BYTES,
                email=EMAIL,
                mode=KeyMode.TEST,
                scopes=["videos", "files"],
                networks=["10.0.0.1/8", "x", "::1"],
            )
        assert [problem.path for problem in refused.value.problems] == ["scope", "network", "network"]
        assert await queries.keys_of_account(db, account.id) == []

    with_database(database_url, verb)


def test_restrictions_are_kept_in_order_and_once() -> None:
    scopes, networks = check_restrictions(["files", "videos:read", "files"], ["192.0.2.1", "192.0.2.1/32", "::/0"])
    assert (scopes, networks) == (("videos:read", "files"), ("192.0.2.1/32", "::/0"))
    with pytest.raises(AppError, match="invalid_request"):
        check_restrictions((), [f"192.0.2.{n}" for n in range(51)])


@pytest.mark.parametrize(
    ("address", "within"),
    [
        ("192.0.2.9", True),
        ("::ffff:192.0.2.9", True),
        ("192.0.3.9", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", False),
        (None, False),
        ("nonsense", False),
    ],
)
def test_an_address_is_within_a_network(address: str | None, within: bool) -> None:
    assert is_within(address, ("192.0.2.0/24", "2001:db8::/32")) is within


def test_a_key_does_what_it_is_for_and_nothing_else(start_service: Start) -> None:
    service = start_service()
    made = service.command("key", "create", "--account", service.account["email"], "--scope", "videos:read")
    listed = service.command("key", "list", "--account", service.account["email"])["keys"]
    assert {one["id"]: one["scopes"] for one in listed}[made["id"]] == ["videos:read"]
    video = {"prompt": "a boat", "duration": 4, "resolution": "480p"}
    with service.client() as owner, service.client(made["key"]) as client:
        mine = owner.post("/v1/videos", json=video).json()["id"]
        assert client.get(f"/v1/videos/{mine}").status_code == 200
        assert client.head(f"/v1/videos/{mine}").status_code == 200
        assert client.options("/v1/videos").status_code == 204
        for method, path in (
            ("POST", "/v1/videos"),
            ("POST", f"/v1/videos/{mine}/cancel"),
            ("DELETE", f"/v1/videos/{mine}"),
            ("POST", "/v1/files"),
            ("GET", "/v1/balance"),
            ("GET", "/v1/requests"),
        ):
            answer = client.request(method, path, json=video if method == "POST" else None)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["type"]) == (403, "missing_scope", "permission_error"), (
                path
            )
            assert "it has `videos:read`" in error["message"]
        assert client.get("/v1/nothing").status_code == 404
        assert owner.get(f"/v1/videos/{mine}").json()["status"] != "canceled"


def test_a_key_is_used_from_its_networks_only(start_service: Start) -> None:
    service = start_service()
    made = service.command("key", "create", "--account", service.account["email"], "--network", "192.0.2.0/24")
    with service.client(made["key"]) as client:
        assert client.get("/v1/models", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 200
        for address in ("192.0.3.7", "2001:db8::1", "192.0.2.7, 192.0.3.7"):
            refused = client.get("/v1/models", headers={"X-Forwarded-For": address})
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "address_not_allowed")
