"""What the command says about money."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_answers import error
from fake_money import KEY_IDS, STATEMENT, usage
from fake_service import Fault
from terminal import on_terminal
from test_billing import refusal


def test_generate_tells_what_was_charged(run, service):
    service.livemode = True
    result = run("generate", "x", "-o", "out.mp4", "--max-cost", "0.50")
    assert result.stdout.splitlines()[1] == "  cost     0.38115 USD charged of 0.40 held, 0.01885 released"
    assert service.seen("POST", "/v1/videos")[0].json == {"prompt": "x", "max_cost": "0.50"}


def test_status_tells_the_cost(run, service):
    service.livemode = True
    video_id = service.create({})["id"]
    assert "cost       0.38115 USD expected, 0.40 held\n" in run("status", video_id).stdout
    while service.advance(video_id):
        pass
    service.videos[video_id]["cost"] |= {"waived": "0.020000", "refunded": "0.381150", "reason": "a courtesy"}
    lines = run("status", video_id).stdout.splitlines()
    assert "cost       0.38115 USD charged of 0.40 held, 0.01885 released" in lines
    assert "price      3.50 USD for a million tokens (price version 3)" in lines
    assert "refunded   0.38115 USD" in lines
    assert "waived     0.02 USD, paid by the operator" in lines
    assert "reason     a courtesy" in lines


def test_quote_tells_the_cost(run, service):
    service.livemode = True
    assert run("quote", "x").stdout.splitlines() == [
        "model      seedance-2.0-mini",
        "video      1280x720, 5 s, 720p, 16:9, t2v",
        "tokens     108,900 (at most 114,286)",
        "expected   0.381150 USD",
        "held       0.400000 USD  until it is finished; what is not charged is released",
        "most       0.400001 USD",
        "price      3.50 USD for a million tokens (price version 3)",
        "new        7",
    ]
    assert json.loads(run("quote", "x", "--json").stdout)["cost"]["hold"] == "0.400000"
    service.livemode = False
    lines = run("quote", "x").stdout.splitlines()
    assert "cost       free with a test key; a live key would pay 0.38115 USD" in lines
    assert not any(line.startswith("held") for line in lines)
    service.fail("POST", "/v1/videos/quote", Fault(status=200, body={"model": "m", "livemode": False, "cost": None}))
    assert "free with a test key; there is no price for a live key" in run("quote", "x").stdout


def test_a_service_without_money_is_no_trouble(run, service):
    plain = {"object": "quote", "model": "m", "tokens": {"expected": 1, "most": 2}}
    service.fail("POST", "/v1/videos/quote", Fault(status=200, body=plain))
    assert run("quote", "x").stdout.splitlines() == ["model      m", "tokens     1 (at most 2)"]
    video = service.create({}) | {"cost": None}
    service.fail("GET", "/v1/videos/.*", Fault(status=200, body=video))
    result = run("status", video["id"])
    assert (result.exit_code, "cost" in result.stdout) == (0, False)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ({"payer": "nobody", "retry": True, "advice": "Make it again in a minute."}, "Make it again in a minute."),
        ({"payer": "operator", "retry": True, "advice": ""}, "Making it again may help."),
        ({"payer": "nobody", "retry": False, "advice": None}, "Making it again will not help."),
    ],
)
def test_a_failed_video_tells_what_it_means_for_money(run, service, failure, said):
    service.livemode = True
    service.timeline = [("queued", 0), ("failed", 0)]
    service.failure |= failure
    result = run("generate", "x")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2:] == ["Nothing was charged. The 0.40 USD held for it is yours again.", said]
    service.advance("vid_0001")
    shown = run("status", "vid_0001").stdout
    assert f"           {said}\n" in shown
    assert "cost       0.00 USD charged of 0.40 held, 0.40 released\n" in shown


def test_a_failed_video_without_a_cost_goes_by_who_pays(run, service):
    failed = service.create({}) | {"status": "failed", "cost": None}
    failed["error"] = service.failure | {"payer": "nobody", "retry": False, "advice": "Change the prompt."}
    service.fail("GET", "/v1/videos/.*", *[Fault(status=200, body=failed)] * 2)
    assert run("download", failed["id"]).stderr.splitlines()[1:] == ["Nothing was charged.", "Change the prompt."]
    assert "cost       Nothing was charged.\n" in run("status", failed["id"]).stdout


def test_a_canceled_video_tells_what_it_cost(run, service):
    service.livemode = True
    video_id = service.create({})["id"]
    assert run("cancel", video_id).stdout.splitlines() == [
        f"Canceled {video_id}",
        "Nothing was charged. The 0.40 USD held for it is yours again.",
    ]
    charged = service.videos[video_id] | {"error": {"code": "canceled", "message": "canceled"}}
    charged["cost"] |= {"charged": "0.381150", "released": "0.018850", "refunded": "0.100000"}
    service.fail("GET", "/v1/videos/.*", Fault(status=200, body=charged))
    said = run("download", video_id).stderr.splitlines()
    assert said[1:] == ["0.38115 USD was charged, 0.10 of it refunded."]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("insufficient_balance", "What there is: seedance balance"),
        ("limit_reached", "All limits: seedance balance"),
        ("max_cost_exceeded", "Raise --max-cost"),
    ],
)
def test_what_is_not_covered_is_1_with_numbers_and_advice(run, service, code, advice):
    service.fail("POST", "/v1/videos", refusal(code), refusal(code))
    result = run("generate", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: Too dear (402" in result.stderr
    assert "needed 0.381150" in result.stderr
    assert advice in result.stderr
    assert "Nothing was made or charged" in result.stderr
    said = json.loads(run("generate", "x", "--json").stdout)["error"]
    assert (said["code"], said["errors"][0]["value"], said["errors"][0]["allowed"]) == (code, "0.381150", "0.100000")


def test_a_model_without_a_price_is_told(run, service):
    service.fail("POST", "/v1/videos", Fault(status=403, body=error(403, "No price", code="no_price")))
    assert "Take another model or --resolution" in run("generate", "x").stderr


def test_balance(run, service):
    service.livemode = True
    result = run("balance")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "available  1,012.5000 USD",
        "held           0.7623 USD  for videos being made",
        "granted        5.0000 USD  of these are promotional, and spent first",
    ]
    cells = [line.split("\t") for line in lines[3:]]
    assert [row[:6] for row in cells] == [
        ["account", "-", "day", "1.000000", "10.000000", "9.000000"],
        ["account", "-", "month", "87.500000", "100.000000", "12.500000"],
        ["key", KEY_IDS[0], "total", "5.381150", "5.000000", "-0.381150"],
    ]
    assert cells[0][6].startswith("2025-11-2")
    assert cells[2][6] == "-"
    whole = json.loads(run("balance", "--json").stdout)
    assert (whole["available"], whole["new"], len(whole["limits"])) == ("1012.500000", 7, 3)


def test_usage_prints_rows_for_programs_and_the_total_beside_them(run, service):
    result = run("usage", "--from", "2026-11-01", "--to", "2026-11-24", "--by", "key,day")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert len(rows) == 7
    assert rows[0] == ["2026-11-24", KEY_IDS[0], "3", "15", "326700", "1.143450", "0.000000"]
    assert result.stderr == "total: 21 videos, 105.5 s, 2,286,900 tokens, 8.00415 USD charged, 0.00 refunded\n"
    [request] = service.requests
    assert request.query == {"from": "2026-11-01", "to": "2026-11-24", "group_by": "day,key", "limit": "100"}


@pytest.mark.parametrize(("month", "last"), [("2026-11", "2026-11-30"), ("2028-02", "2028-02-29")])
def test_usage_of_a_month(run, service, month, last):
    assert run("usage", "--month", month).exit_code == 0
    assert service.requests[0].query == {"from": f"{month}-01", "to": last, "group_by": "day", "limit": "100"}


def test_usage_json_is_one_list_of_all_pages(run, service):
    page = {"limit": "3", "group_by": "model"}
    first, second = (usage(service, page | more) for more in ({}, {"after": "3", "limit": "9"}))
    service.fail("GET", "/v1/usage", Fault(status=200, body=first), Fault(status=200, body=second))
    whole = json.loads(run("usage", "--by", "model", "--json").stdout)
    assert (len(whole["data"]), whole["has_more"], whole["next"]) == (7, False, None)
    assert whole["totals"]["charged"] == "8.004150"
    assert whole["data"][0]["model"] == "seedance-2.0-mini"


def test_on_a_terminal_there_are_tables(environment, service, tmp_path):
    service.livemode = True
    narrow = environment | {"COLUMNS": "80"}
    output = on_terminal(["balance"], narrow, tmp_path)
    assert "━" in output
    assert "88 %" in output
    assert "key_…0c1d2e" in output
    output = on_terminal(["usage", "--by", "day,model,key"], narrow, tmp_path)
    assert "2026-11-01 to 2026-11-30, UTC, in USD, live keys" in output
    row = next(line for line in output.splitlines() if line.startswith("2026-11-23"))
    assert row.split() == ["2026-11-23", "seedance-1.5-pro", "key_…0c1d2f", "3", "15", "326,700", "1.14345"]
    assert "total" in output.splitlines()[-1]
    assert "8.00415" in output.splitlines()[-1]


def test_a_table_shows_refunds_if_there_are_any(environment, service, tmp_path):
    page = usage(service, {})
    page["data"][0]["refunded"] = "0.500000"
    service.fail("GET", "/v1/usage", Fault(status=200, body=page))
    assert "refunded" in on_terminal(["usage"], environment, tmp_path)
    assert "refunded" not in on_terminal(["usage"], environment, tmp_path)


@pytest.mark.parametrize("arguments", [["balance"], ["statement", "2026-11"]])
@pytest.mark.parametrize("refusing", [False, True], ids=["with zeros", "with a refusal"])
def test_a_test_key_has_no_money_and_does_not_look_like_an_empty_account(run, service, arguments, refusing):
    refusal = Fault(status=403, body=error(403, "This is a test key, which has no money.", code="live_key_needed"))
    if refusing:
        service.fail("GET", "/v1/(balance|statements/.*)", refusal, refusal)
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "test key" in result.stderr
    assert refusing or "Use a live key, sda_live_…" in result.stderr
    said = json.loads(run(*arguments, "--json").stdout)["error"]
    assert said["code"] == "live_key_needed"
    assert list(Path().glob("*.csv")) == []


def test_statement(run, service):
    service.livemode = True
    assert run("statement", "2026-11").stdout == "✓ statement-2026-11.csv  (0.2 kB)\n"
    assert Path("statement-2026-11.csv").read_bytes() == STATEMENT
    said = json.loads(run("statement", "2026-11", "-o", "a.csv", "--json").stdout)
    assert said == {"object": "statement", "month": "2026-11", "path": "a.csv", "bytes": len(STATEMENT)}
    assert Path("a.csv").read_bytes() == STATEMENT
    assert run("statement", "2026-11", "-o", "-").stdout_bytes == STATEMENT
    assert {r.path for r in service.requests} == {"/v1/balance", "/v1/statements/2026-11"}


def test_a_statement_that_is_refused_leaves_no_file(run, service):
    service.livemode = True
    service.fail("GET", "/v1/statements/.*", Fault(status=404))
    assert run("statement", "2026-11").exit_code == 1
    assert list(Path().glob("*.csv")) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "x", "--max-cost", "a lot"],
        ["generate", "x", "--max-cost", "1e3"],
        ["generate", "x", "--max-cost", "-1"],
        ["usage", "--from", "yesterday"],
        ["usage", "--to", "2026-11-31"],
        ["usage", "--month", "2026-13"],
        ["usage", "--month", "2026-11", "--from", "2026-11-02"],
        ["usage", "--by", "colour"],
        ["usage", "--by", ""],
        ["statement"],
        ["statement", "November"],
        ["statement", "2026-11", "-o", "no/such/folder/a.csv"],
        ["statement", "2026-11", "-o", "-", "--json"],
    ],
)
def test_a_usage_error_is_2_and_costs_no_request(run, service, arguments):
    assert run(*arguments).exit_code == 2
    assert service.requests == []
