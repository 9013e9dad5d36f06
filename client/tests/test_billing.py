"""Money, for both clients."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest
from fake_answers import error
from fake_money import KEY_IDS, STATEMENT
from fake_service import Fault

from seedance import APIError, Conflict, DownloadFailed, NotFound, PaymentRequired, UnexpectedAnswer


def refusal(code, *, path="balance", message="not covered", value="0.381150", allowed="0.100000", status=402):
    problem = {"path": path, "code": code, "message": message, "value": value, "allowed": allowed}
    return Fault(status=status, body=error(status, "Too dear", code=code, type="billing_error", errors=[problem]))


def test_a_video_tells_its_cost_in_decimals(client, service):
    service.livemode = True
    video = client.videos.create("x")
    assert (video.cost.quoted, video.cost.hold) == (Decimal("0.381150"), Decimal("0.400000"))
    assert (video.cost.charged, video.cost.released, video.cost.usage) == (None, None, None)
    cost = client.videos.wait(video).cost
    assert (cost.charged, cost.released) == (Decimal("0.381150"), Decimal("0.018850"))
    assert (cost.price_version, cost.price_per_million_tokens) == (3, Decimal("3.5"))
    assert (cost.usage.tokens, cost.usage.resolution, cost.usage.seconds) == (108900, "720p", "5")
    assert isinstance(cost.charged, Decimal)


def test_a_service_without_money_is_understood(client, service):
    video = service.create({}) | {"cost": None, "error": {"code": "x", "message": "y"}}
    service.fail("GET", "/v1/videos/.*", Fault(status=200, body=video))
    found = client.videos.retrieve(video["id"])
    assert (found.cost, found.error.payer, found.error.retry, found.error.advice) == (None, None, None, None)


def test_a_failure_tells_who_pays_and_what_to_do(client, service):
    service.timeline = [("queued", 0), ("failed", 0)]
    service.failure |= {"payer": "operator", "retry": True, "advice": "Make it again."}
    failed = client.videos.wait(client.videos.create("x"), raise_on_failure=False)
    assert (failed.error.payer, failed.error.retry, failed.error.advice) == ("operator", True, "Make it again.")


@pytest.mark.parametrize(("live", "hold"), [(True, "0.4"), (False, "0")])
def test_a_quote_tells_the_cost(client, service, live, hold):
    service.livemode = live
    quote = client.videos.quote("x")
    assert (quote.mode, quote.size, quote.seconds, quote.livemode) == ("t2v", "1280x720", "5", live)
    assert (quote.cost.expected, quote.cost.hold, quote.cost.free) == (Decimal("0.38115"), Decimal(hold), not live)
    assert quote.extra == {"new": 7}


def test_the_balance_and_its_limits(client):
    balance = client.billing.balance()
    assert (balance.available, balance.held, balance.granted) == (Decimal("1012.5"), Decimal("0.7623"), Decimal(5))
    day, month, total = balance.limits
    assert (day.scope, day.key_id, day.period, day.resets_at) == ("account", None, "day", 1764028800)
    assert month.left == Decimal("12.5")
    assert (total.key_id, total.left, total.resets_at) == (KEY_IDS[0], Decimal("-0.38115"), None)
    assert balance.extra == {"new": 7}


def test_usage_goes_over_pages(client, service):
    page = client.billing.usage(date(2026, 11, 1), "2026-11-24", group_by=("day", "model", "key"), limit=3)
    assert [row.day.day for row in page.data] == [24, 23, 22]
    assert [row.day.day for row in page] == [24, 23, 22, 21, 20, 19, 18]
    assert (page.totals.videos, page.totals.seconds, page.totals.charged) == (21, Decimal("105.5"), Decimal("8.00415"))
    assert (page.currency, page.start, page.end) == ("USD", date(2026, 11, 1), date(2026, 11, 24))
    row = page.data[0]
    assert (row.model, row.key_id, row.tokens) == ("seedance-2.0-mini", KEY_IDS[0], 326700)
    assert row.charged == Decimal("1.14345")
    asked = {"from": "2026-11-01", "to": "2026-11-24", "group_by": "day,model,key", "limit": "3"}
    assert [r.query for r in service.seen("GET", "/v1/usage")] == [
        asked,
        asked | {"after": "3"},
        asked | {"after": "6"},
    ]
    assert [row.day.day for row in page.next_page().data] == [21, 20, 19]
    assert client.billing.usage().next_page() is None


def test_usage_is_by_day_and_of_this_month_unless_asked_otherwise(client, service):
    assert client.billing.usage().data[0].model is None
    assert service.requests[0].query == {"group_by": "day"}
    assert client.billing.usage(group_by="model").data[0].day is None
    assert service.requests[1].query == {"group_by": "model"}


def test_all_pages_are_of_the_range_of_the_first(client, service):
    """At midnight the default range becomes another."""
    list(client.billing.usage(limit=5))
    assert service.requests[1].query == {
        "group_by": "day",
        "limit": "5",
        "after": "5",
        "from": "2026-11-01",
        "to": "2026-11-30",
    }


def test_usage_that_does_not_advance_ends(client, service):
    totals = {"videos": 0, "seconds": "0", "tokens": 0, "charged": "0.000000", "refunded": "0.000000"}
    same = {"object": "list", "data": [], "totals": totals, "currency": "USD", "has_more": True, "next": "a"}
    service.fail("GET", "/v1/usage", *[Fault(status=200, body=same)] * 5)
    with pytest.raises(UnexpectedAnswer, match="advance"):
        list(client.billing.usage())


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"data": [], "totals": 1, "currency": "USD"}', b'{"data": [1]}'])
def test_usage_of_something_else_is_named(client, service, body):
    service.fail("GET", "/v1/usage", Fault(status=200, body=body))
    with pytest.raises(UnexpectedAnswer):
        client.billing.usage()


def test_a_balance_that_is_no_number_is_named(client, service):
    wrong = {"object": "balance", "currency": "USD", "available": "a lot", "held": "0.000000"}
    service.fail("GET", "/v1/balance", Fault(status=200, body=wrong))
    with pytest.raises(UnexpectedAnswer, match="decimal"):
        client.billing.balance()


@pytest.mark.parametrize("month", ["2026-11", date(2026, 11, 24)])
def test_a_statement_goes_to_a_path_whole(client, service, tmp_path, month):
    target = tmp_path / "statement.csv"
    target.write_bytes(b"an older one")
    saved = client.billing.statement(month, target)
    assert target.read_bytes() == STATEMENT
    assert (saved.path, saved.bytes) == (str(target), len(STATEMENT))
    assert [r.path for r in service.requests] == ["/v1/statements/2026-11"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_statement_goes_to_an_open_file(client):
    file = io.BytesIO()
    assert client.billing.statement("2026-11", file).path is None
    assert file.getvalue() == STATEMENT


def test_a_statement_that_was_cut_is_fetched_anew(client, service, tmp_path):
    service.fail("GET", "/v1/statements/.*", Fault(cut_after=2), Fault(drop="before"))
    client.billing.statement("2026-11", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == STATEMENT
    assert all("Range" not in r.headers for r in service.requests)


def test_a_statement_that_never_comes_whole_leaves_no_file(client, service, tmp_path):
    service.fail("GET", "/v1/statements/.*", *[Fault(cut_after=2)] * 9)
    with pytest.raises(DownloadFailed, match=r"broke off at \d+ bytes"):
        client.billing.statement("2026-11", tmp_path / "a.csv")
    service.faults.clear()
    service.fail("GET", "/v1/statements/.*", Fault(status=404))
    with pytest.raises(NotFound):
        client.billing.statement("2026-11", tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("0.50", "0.50"),
        (Decimal("0.50"), "0.50"),
        (Decimal("1E-6"), "0.000001"),
        (Decimal("1E+3"), "1000"),
        (2, "2.000000"),
        (0.1 + 0.2, "0.300000"),
        (1e-5, "0.000010"),
    ],
)
def test_max_cost_is_sent_as_a_plain_decimal(client, service, given, sent):
    client.videos.create("x", max_cost=given)
    client.videos.quote("x", max_cost=given)
    assert [r.json["max_cost"] for r in service.requests] == [sent, sent]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), Decimal("NaN"), True])
def test_a_max_cost_that_is_no_amount_costs_no_request(client, service, wrong):
    with pytest.raises(ValueError, match="not an amount"):
        client.videos.create("x", max_cost=wrong)
    assert service.requests == []


@pytest.mark.parametrize(
    ("code", "path", "note"),
    [
        ("insufficient_balance", "balance", "balance: not covered (needed 0.381150; left 0.100000)"),
        ("limit_reached", "limits.key.day", "limits.key.day: not covered (needed 0.381150; left 0.100000)"),
        ("max_cost_exceeded", "max_cost", "max_cost: not covered (needed 0.381150; allowed 0.100000)"),
    ],
)
def test_what_is_not_covered_is_refused_once_and_with_numbers(client, service, code, path, note):
    service.fail("POST", "/v1/videos", refusal(code, path=path))
    with pytest.raises(PaymentRequired) as caught:
        client.videos.create("x")
    refused = caught.value
    assert (refused.status, refused.code, refused.type) == (402, code, "billing_error")
    assert (refused.needed, refused.left) == (Decimal("0.38115"), Decimal("0.1"))
    assert str(refused).splitlines()[1] == f"  - {note}"
    assert len(service.requests) == 1


def test_what_the_message_says_is_not_said_again(client, service):
    service.fail("POST", "/v1/videos", refusal("insufficient_balance", message="Too dear"))
    with pytest.raises(PaymentRequired) as caught:
        client.videos.create("x")
    assert str(caught.value).splitlines()[1:] == ["  - balance: needed 0.381150; left 0.100000"]
    problem = {"path": "seed", "code": "wrong_type", "message": "`seed` must be a number."}
    service.fail("POST", "/v1/videos", Fault(status=400, body=error(400, problem["message"], errors=[problem])))
    with pytest.raises(APIError) as caught:
        client.videos.create("x")
    assert str(caught.value) == "`seed` must be a number. (400 code_400, request req_2)"


def test_a_refusal_without_numbers_has_none(client, service):
    service.fail("POST", "/v1/videos", refusal("insufficient_balance", value=None, allowed="a lot"))
    with pytest.raises(PaymentRequired) as caught:
        client.videos.create("x")
    assert (caught.value.needed, caught.value.left) == (None, None)
    service.fail("POST", "/v1/videos", refusal("no_price", status=403))
    with pytest.raises(APIError) as caught:
        client.videos.create("x")
    assert caught.value.code == "no_price"


def in_progress(**headers):
    return Fault(status=409, body=error(409, code="idempotency_in_progress"), headers=headers)


def test_a_create_that_is_being_worked_on_is_asked_for_again(client, service):
    service.fail("POST", "/v1/videos", Fault(drop="after"), *[in_progress(**{"Retry-After": "0"})] * 2)
    video = client.videos.create("x")
    assert list(service.videos) == [video.id]
    requests = service.seen("POST", "/v1/videos")
    assert len(requests) == 4
    assert len({(r.headers["Idempotency-Key"], r.body) for r in requests}) == 1


def test_a_create_that_is_worked_on_for_too_long_is_told(client, service):
    service.fail("POST", "/v1/videos", *[in_progress(**{"Retry-After": "0"})] * 9)
    with pytest.raises(Conflict) as caught:
        client.videos.create("x")
    assert caught.value.code == "idempotency_in_progress"
    assert len(service.requests) == 4
