"""The way of the money: quote, hold, charge, usage, refund; and who pays when nothing comes of it."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from faults.kit import SHORT
from security.attack import rows
from seedance import PaymentRequired, Seedance, VideoFailed
from stage import Service, fresh_database, until

CLIP: dict[str, Any] = SHORT | {"ratio": "16:9"}


@pytest.fixture(scope="module")
def live(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose live keys use the sandbox at the price book's prices."""
    with fresh_database(postgres) as url:
        running = Service(url, tmp_path_factory.mktemp("live"), live_sandbox="true")
        running.credit("1")
        yield running
        running.doctor()
        running.stop()


@pytest.fixture(scope="module", autouse=True)
def broken(live: Service) -> str:
    """A video whose file is cut off: it is fetched again and again before it is given up, so it starts first."""
    with live.client(live.new_key("live")) as client:
        return client.post("/v1/videos", json=CLIP | {"prompt": "[sandbox:broken]"}).json()["id"]


@pytest.fixture
def client(live: Service) -> Iterator[Seedance]:
    with Seedance(api_key=live.new_key("live"), base_url=live.url) as client:
        yield client


def test_quote_charge_and_usage_agree_to_the_micro_dollar(live: Service, client: Seedance) -> None:
    before = client.billing.balance()
    quote = client.videos.quote("A pond", **CLIP)
    assert quote.cost is not None
    assert quote.cost.expected is not None
    assert quote.cost.expected == quote.cost.hold == quote.cost.most == Decimal("0.023814")

    video = client.videos.create("A pond", max_cost=quote.cost.most, **CLIP)
    assert video.cost is not None
    assert (video.cost.hold, video.cost.charged) == (quote.cost.hold, None)
    video = client.videos.wait(video, timeout=60)
    assert video.cost is not None
    assert video.sandbox
    assert video.livemode
    assert video.cost.charged == quote.cost.expected
    assert video.cost.released == 0
    assert video.cost.usage is not None
    assert quote.tokens is not None
    assert (video.cost.usage.tokens, video.cost.usage.resolution) == (quote.tokens.expected, "480p")

    after = client.billing.balance()
    assert before.available - after.available == quote.cost.expected
    page = client.billing.usage(group_by=("day", "model", "key"))
    mine = [one for one in page if one.charged == quote.cost.expected]
    assert len(mine) == 1
    assert mine[0].model == "seedance-1.0-pro-fast"
    assert page.totals.charged >= quote.cost.expected
    lines = statement_of(live, client)
    assert lines[-1]["kind"] == "charge"
    assert Decimal(lines[-1]["available_after"]) == after.available


def test_a_failure_costs_nothing_and_says_what_to_do(client: Seedance) -> None:
    before = client.billing.balance()
    video = client.videos.create("[sandbox:output_moderated]", **CLIP)
    with pytest.raises(VideoFailed) as failed:
        client.videos.wait(video, timeout=60)
    error = failed.value.video.error
    assert error is not None
    assert (error.payer, error.retry) == ("nobody", False)
    assert "prompt" in (error.advice or "")
    cost = failed.value.video.cost
    assert cost is not None
    assert (cost.charged, cost.released) == (0, cost.hold)
    assert client.billing.balance().available == before.available


def test_a_finished_video_that_we_lost_is_the_operators(live: Service, broken: str, client: Seedance) -> None:
    with pytest.raises(VideoFailed) as failed:
        client.videos.wait(broken, timeout=90)
    error = failed.value.video.error
    assert error is not None
    assert (error.code, error.payer, error.retry) == ("output_invalid", "operator", True)
    moved = rows(live.database_url, "SELECT kind, amount FROM transfer WHERE generation_id = $1 ORDER BY kind", broken)
    assert [(one["kind"], one["amount"]) for one in moved] == [("hold", 23814), ("release", 23814), ("upstream", 19845)]


def test_a_cancel_gives_everything_back(client: Seedance) -> None:
    before = client.billing.balance()
    video = client.videos.create("[sandbox:stall]", **CLIP)
    assert client.billing.balance().held > before.held
    client.videos.cancel(video)
    ended = client.videos.wait(video, timeout=60, raise_on_failure=False)
    assert ended.status == "canceled"
    after = client.billing.balance()
    assert (after.available, after.held) == (before.available, before.held)


def test_a_refund_is_usage_and_statement(live: Service, client: Seedance) -> None:
    video = client.videos.wait(client.videos.create("A pond", **CLIP), timeout=60)
    before = client.billing.balance()
    live.command("account", "refund", video.id, "--reason", "it flickers", "--amount", "0.01")
    again = client.videos.retrieve(video)
    assert again.cost is not None
    assert again.cost.refunded == Decimal("0.01")
    assert client.billing.balance().available == before.available + Decimal("0.01")
    assert client.billing.usage().totals.refunded >= Decimal("0.01")
    assert statement_of(live, client)[-1]["reason"] == "it flickers"


def test_want_of_money_a_limit_and_max_cost_are_402_with_numbers(live: Service) -> None:
    poor = live.command("account", "create", "poor@example.org")
    with Seedance(api_key=live.new_key("live", poor["email"]), base_url=live.url) as client:
        with pytest.raises(PaymentRequired) as short:
            client.videos.create("A pond", **CLIP)
        assert (short.value.needed, short.value.left) == (Decimal("0.023814"), Decimal(0))
        live.credit("0.05", poor["email"])
        live.command("account", "limit", poor["email"], "--day", "0.03")
        canceled = client.videos.cancel(client.videos.create("[sandbox:stall]", **CLIP))
        client.videos.wait(canceled, timeout=30, raise_on_failure=False)  # what it held is given back to the limit
        client.videos.create("[sandbox:stall]", **CLIP)
        with pytest.raises(PaymentRequired) as limited:
            client.videos.create("A pond", **CLIP)
        assert limited.value.code == "limit_reached"
        assert "account's limit of 0.03 USD a day" in str(limited.value)
        with pytest.raises(PaymentRequired) as dear:
            client.videos.create("A pond", max_cost="0.01", **CLIP)
        assert dear.value.code == "max_cost_exceeded"
        (limit,) = client.billing.balance().limits
        assert (limit.scope, limit.period) == ("account", "day")


def test_a_test_key_costs_nothing_and_sees_no_money(live: Service) -> None:
    with Seedance(api_key=live.key, base_url=live.url) as client:
        quote = client.videos.quote("A pond", **CLIP)
        assert quote.cost is not None
        assert quote.cost.free
        assert (quote.cost.hold, quote.cost.expected) == (0, Decimal("0.023814"))
        video = client.videos.wait(client.videos.create("A pond", **CLIP), timeout=60)
        assert video.cost is not None
        assert (video.cost.hold, video.cost.charged, video.cost.price_version) == (0, 0, None)
        assert client.billing.balance().available == 0
        assert client.billing.usage().totals.videos == 1
    with live.client() as plain:
        refusal = plain.get("/v1/statements/2026-11")
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (404, "not_found")
        assert "use a live key" in refusal.json()["error"]["message"]
    with live.client(live.new_key("live")) as plain:
        assert plain.get("/v1/statements/2026-11").headers.get_list("content-type") == ["text/csv; charset=utf-8"]


def test_without_an_upstream_a_live_create_is_refused_with_the_reason(service: Service) -> None:
    with service.client(service.new_key("live")) as client:
        for path in ("/v1/videos", "/v1/videos/quote"):
            answer = client.post(path, json=CLIP | {"prompt": "x"})
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "live_unavailable"


def test_a_new_price_holds_at_once_and_an_old_order_keeps_its_own(live: Service, client: Seedance) -> None:
    old = client.videos.create("[sandbox:slow=3]", **CLIP)
    path = live.folder / "prices.toml"
    book = "[USD]\nmargin_percent = '0'\n[[USD.rows]]\nmodels = ['seedance-1.0-pro-fast']\ncost = '2'\n"
    path.write_text(book)
    loaded = live.command("prices", "load", str(path))
    assert loaded["new"]

    def quoted() -> object:
        cost = client.videos.quote("A pond", **CLIP).cost
        return cost is not None and cost.price_version == loaded["version"] and cost

    cost = until(quoted, 5)
    assert getattr(cost, "expected", None) == Decimal("0.039690")
    done = client.videos.wait(old, timeout=60)
    assert done.cost is not None
    assert (done.cost.price_version, done.cost.charged) == (1, Decimal("0.023814"))
    with live.client(live.new_key("live")) as plain:
        answer = plain.post("/v1/videos", json={"prompt": "x", "model": "seedance-2.0"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_price")


def statement_of(live: Service, client: Seedance) -> list[dict[str, str]]:
    """This month's movements."""
    path = live.folder / "statement.csv"
    client.billing.statement(datetime.now(UTC).strftime("%Y-%m"), path)
    return list(csv.DictReader(io.StringIO(path.read_text())))
