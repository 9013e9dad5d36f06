"""What users of other services lost money or videos by, as their public complaints tell it, tried on ours."""

import csv
import io
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from faults.kit import do
from faults.outcome import paid
from faults.upstream import MAIN, ORDER, Live
from security.attack import address, rows
from seedance_api.catalog.models import MODELS
from stage import until


def view(live: Live, video: str) -> dict[str, Any]:
    """The video as its owner sees it."""
    with live.service.client() as client:
        return client.get(f"/v1/videos/{video}").json()


def test_one_that_nobody_asks_about_is_settled_all_the_same(live: Live) -> None:
    """Without a poll, a stream or a webhook: the money does not wait for somebody to look."""
    prompt = live.fault("create", {"seconds": 20})
    (found,) = live.ends(live.create(prompt))
    paid(found)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_socket_that_is_dropped_at_the_last_byte_is_counted_by_its_bytes(live: Live, missing: int) -> None:
    """One who has all of it and drops the socket has it; one who lacks a byte has not. Both are charged, once."""
    prompt = live.fault("create", {"seconds": 20})
    video = live.create(prompt)
    live.completed(video, prompt)  # which fetches it whole, by another way
    sql = "SELECT state FROM content WHERE generation_id = $1"
    until(lambda: rows(live.url, sql, video)[0]["state"] == "delivered", 60)  # what follows is not noted before this
    do(
        live.url,
        "UPDATE content SET state = 'stored', delivered_at = NULL, delivered_by = NULL WHERE generation_id = $1",
        video,
    )
    do(live.url, "UPDATE asset SET served = '{}' WHERE generation_id = $1", video)
    (asset,) = rows(live.url, "SELECT bytes FROM asset WHERE generation_id = $1 AND variant = 'video'", video)
    end = asset["bytes"] - 1 - missing
    head = f"GET /v1/videos/{video}/content HTTP/1.1\r\nHost: x\r\nRange: bytes=0-{end}\r\n"
    with socket.create_connection(address(live.service)) as connection:
        connection.sendall(f"{head}Authorization: Bearer {live.service.key}\r\n\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < end + 1:
            got += connection.recv(1 << 16)
    served_sql = "SELECT upper(r) AS upto FROM asset, unnest(served) r WHERE generation_id = $1 AND variant = 'video'"
    (served,) = until(lambda: rows(live.url, served_sql, video), 60)
    assert served["upto"] == end + 1
    if missing:
        assert rows(live.url, sql, video)[0]["state"] == "stored"
    else:  # the file is compared with its digest first
        until(lambda: rows(live.url, sql, video)[0]["state"] == "delivered", 60)
    (found,) = live.ends(video)
    paid(found)


def books(live: Live, client: httpx.Client) -> dict[str, Decimal]:
    """What the videos, the statement, the usage and the balance say was charged, and what is left."""
    month = datetime.now(UTC).strftime("%Y-%m")
    lines = list(csv.DictReader(io.StringIO(client.get(f"/v1/statements/{month}").text)))
    charges = -sum(Decimal(one["held_change"]) for one in lines if one["kind"] == "charge")
    refunds = sum(Decimal(one["available_change"]) for one in lines if one["kind"] == "refund")
    videos = [one["cost"] for one in client.get("/v1/videos", params={"limit": 100}).json()["data"]]
    total = client.get("/v1/usage").json()["totals"]
    balance = client.get("/v1/balance").json()
    assert Decimal(lines[-1]["available_after"]) == Decimal(balance["available"])
    assert Decimal(lines[-1]["held_after"]) == Decimal(balance["held"])
    charged = sum((Decimal(one["charged"] or 0) for one in videos), Decimal(0))
    assert charges == charged == Decimal(total["charged"])
    assert refunds == Decimal(total["refunded"]) == sum(Decimal(one.get("refunded") or 0) for one in videos)
    open_ones = (one for one in videos if one["charged"] is None and one["released"] is None)
    held = sum((Decimal(one["hold"]) for one in open_ones), Decimal(0))
    assert held == Decimal(balance["held"])
    return {"charged": charged, "available": Decimal(balance["available"]), "held": held}


def test_video_statement_usage_and_balance_agree_after_every_event(live: Live) -> None:
    account = live.service.new_account()
    email = account["email"]
    live.service.credit("5", email)
    with live.service.client(live.service.new_key("live", email)) as client:
        said = [books(live, client)]

        def order(prompt: str) -> str:
            made = client.post("/v1/videos", json=ORDER | {"prompt": prompt})
            assert made.status_code == 200, made.text
            said.append(books(live, client))
            return made.json()["id"]

        def over(video: str, state: str) -> None:
            until(lambda: client.get(f"/v1/videos/{video}").json()["status"] == state, 60)
            said.append(books(live, client))

        done = order(live.fault("create", {"seconds": 20}))
        over(done, "completed")
        bad = order(live.fault("create", {"fail": "OutputVideoSensitiveContentDetected"}))
        over(bad, "failed")
        stuck = order(live.fault("create", {"stuck": True}))
        live.reaches(stuck, "running")
        live.expire(stuck)
        over(stuck, "failed")
        live.service.command("account", "refund", done, "--reason", "sorry", "--amount", "0.01")
        said.append(books(live, client))
        live.service.command("account", "grant", email, "1", "--reason", "welcome")
        said.append(books(live, client))
        client.delete(f"/v1/videos/{bad}")
    spent = said[2]["charged"]
    assert spent > 0
    assert [one["charged"] for one in said[2:]] == [spent] * len(said[2:])
    assert said[-1]["available"] == 5 - spent + Decimal("0.01") + 1
    assert said[-1]["held"] == 0


def test_a_callback_after_everything_is_deleted_settles_nothing_again(live: Live) -> None:
    prompt = live.fault("create", {"seconds": 20})
    video = live.create(prompt)
    before = live.completed(video, prompt)
    (call,) = live.creates(prompt)
    with live.service.client() as client:
        assert client.delete(f"/v1/videos/{video}").status_code == 200
    until(lambda: rows(live.url, "SELECT 1 FROM content WHERE generation_id = $1 AND state = 'purged'", video), 30)
    do(live.url, "DELETE FROM idempotency WHERE subject = $1", video)
    do(live.url, "DELETE FROM pgqueuer WHERE payload = convert_to($1, 'UTF8')", video)
    for _ in range(3):
        assert live.post(call["body"]["callback_url"], {"id": call["task_id"], "status": "succeeded"}) == 200
    live.look(video)
    live.watch("main")
    (after,) = live.ends(video)
    assert (after.hold, after.transfers, after.states) == (before.hold, before.transfers, before.states)
    assert rows(live.url, "SELECT 1 FROM content WHERE generation_id = $1 AND state <> 'purged'", video) == []
    (used,) = rows(live.url, "SELECT sum(videos)::int AS n FROM usage WHERE key_id = $1", after.row["key_id"])
    (settled,) = rows(
        live.url, "SELECT count(*)::int AS n FROM hold WHERE key_id = $1 AND state = 'settled'", after.row["key_id"]
    )
    assert used["n"] == settled["n"]


@pytest.mark.parametrize("error", [{"unset": ["error"]}, {"set": {"error": {}}}, {"set": {"error": {"code": ""}}}])
def test_a_failure_without_a_reason_has_a_code_a_payer_and_advice(live: Live, error: dict[str, Any]) -> None:
    prompt = live.fault("create", {"fail": "InternalServiceError"} | error)
    video = live.create(prompt)
    live.failed(video, prompt, "provider_failed")
    told = view(live, video)["error"]
    assert told["code"] == "provider_failed"
    assert told["payer"] in ("nobody", "operator")
    assert told["message"]
    assert told["advice"]
    assert view(live, video)["cost"]["charged"] in (None, "0.000000")


def test_of_twenty_one_is_moderated_and_nineteen_are_delivered(live: Live) -> None:
    bad = live.fault("create", {"fail": "OutputVideoSensitiveContentDetected"})
    prompts = [live.fault("create", {"seconds": 20}) for _ in range(19)] + [bad]
    videos = [live.create(prompt) for prompt in prompts]
    found = live.ends(*videos)
    for one in found[:-1]:
        paid(one)
    with live.service.client() as client:
        for video in videos[:-1]:
            assert client.get(f"/v1/videos/{video}/content").status_code == 200
        answers = [client.get(f"/v1/videos/{videos[-1]}").json() for _ in range(2)]
    assert [one["error"]["code"] for one in answers] == ["output_moderated"] * 2
    assert len(live.creates(bad)) == 1, "it is not tried again: it would be refused again, and may be billed"


PRICED = {model.name: model for model in MODELS if model.name in (MAIN, "seedance-2.0-fast", "seedance-1.0-pro")}


@pytest.mark.parametrize("model", PRICED)
def test_what_a_request_leaves_out_is_quoted_and_sent_as_the_model_has_it(live: Live, model: str) -> None:
    """Nothing that the price depends on is left to a default of somebody else's."""
    prompt = live.fault("create", {"stuck": True})
    with live.service.client() as client:
        body = {"model": model, "prompt": prompt}
        quote = client.post("/v1/videos/quote", json=body).json()
        made = client.post("/v1/videos", json=body).json()
    live.reaches(made["id"], "running")
    (call,) = live.creates(prompt)
    sent = call["body"]
    takes = PRICED[model].capabilities
    assert made["cost"]["hold"] == quote["cost"]["hold"]
    assert sent["resolution"] == made["resolution"]
    assert sent["ratio"] == made["ratio"]
    assert str(sent["duration"]) == str(int(float(made["seconds"])))
    assert ("generate_audio" in sent) == takes.audio
    assert ("service_tier" in sent) == (len(takes.service_tiers) > 1)
    live.expire(made["id"])


@pytest.fixture
def pricey(live: Live) -> Iterator[None]:
    """Puts the price book back."""
    yield
    (first,) = rows(live.url, "SELECT text FROM price_book ORDER BY version LIMIT 1")
    file = live.service.folder / "prices.toml"
    file.write_text(first["text"])
    live.service.command("prices", "load", str(file))


def test_a_price_that_changes_between_quote_create_and_settlement(live: Live, pricey: None) -> None:
    """A create that names what the quote said is refused when it costs more by now; one accepted keeps its price."""
    del pricey
    old = live.fault("create", {"stuck": True})
    with live.service.client() as client:
        quote = client.post("/v1/videos/quote", json=ORDER | {"prompt": old}).json()["cost"]
        video = client.post("/v1/videos", json=ORDER | {"prompt": old, "max_cost": quote["most"]}).json()
        live.reaches(video["id"], "running")
        (first,) = rows(live.url, "SELECT text FROM price_book ORDER BY version LIMIT 1")
        file = live.service.folder / "prices.toml"
        file.write_text(first["text"].replace('margin_percent = "20"', 'margin_percent = "900"'))
        assert live.service.command("prices", "load", str(file))["new"]
        until(lambda: client.post("/v1/videos/quote", json=ORDER | {"prompt": old}).json()["cost"] != quote, 10)
        dear = client.post("/v1/videos", json=ORDER | {"prompt": "x", "max_cost": quote["most"]})
        assert (dear.status_code, dear.json()["error"]["code"]) == (402, "max_cost_exceeded")
        live.fakes[0].alter(live.task(old), stuck=False)
        until(lambda: live.look(video["id"]) or view(live, video["id"])["status"] == "completed", 60)
        cost = view(live, video["id"])["cost"]
    assert (cost["charged"], cost["price_version"]) == (quote["expected"], quote["price_version"])
