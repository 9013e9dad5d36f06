"""An owner says of what balance on he wants to hear, and hears of it once for each time that it falls below."""

import json

from security.attack import refused, rows
from stage import Service

BODY = {"prompt": "A pond", "duration": 4, "resolution": "480p"}


def told(service: Service, account: str) -> list[str]:
    sql = "SELECT data FROM event WHERE type = 'balance.low' AND account_id = $1 ORDER BY id"
    return [row["data"] for row in rows(service.database_url, sql, account)]


def test_a_balance_that_falls_below_is_told_once(start_service: object) -> None:
    service: Service = start_service(live_sandbox="true")  # type: ignore[operator]
    service.credit("1")
    with service.client(service.new_key("live")) as client:
        assert client.get("/v1/balance").json()["low_balance"] is None
        said = client.post("/v1/balance", json={"low_balance": "0.80"}, headers={"Idempotency-Key": "a"})
        assert said.json()["low_balance"] == "0.800000"
        again = client.post("/v1/balance", json={"low_balance": "0.80"}, headers={"Idempotency-Key": "a"})
        assert again.headers["idempotent-replayed"] == "true"
        refused(client.post("/v1/balance", json={"low_balance": 1}, headers={"Idempotency-Key": "a"}), 422)
        for _ in range(3):
            assert client.post("/v1/videos", json=BODY).status_code == 200
        (one,) = map(json.loads, told(service, service.account["id"]))
        assert (one["threshold"], one["currency"]) == ("0.800000", "USD")
        assert client.post("/v1/balance", json={"low_balance": None}).json()["low_balance"] is None


def test_what_is_no_amount_is_refused(service: Service) -> None:
    service.credit("1")
    with service.client(service.new_key("live")) as client, service.client() as test:
        for body in ({"low_balance": "-1"}, {"low_balance": "x"}, {"low_balance": 1e9}, {"low_balance": []}, {}):
            error = refused(client.post("/v1/balance", json=body), 400, code="invalid_request")
            assert {one["path"] for one in error["errors"]} == {"low_balance"}
        refused(test.post("/v1/balance", json={"low_balance": "1"}), 400, code="invalid_request")
