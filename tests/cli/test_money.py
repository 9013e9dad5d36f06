"""The operator's commands about money, used as a person uses them, and used wrongly."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import forkserver
from stage import Service, fresh_database

EMAIL = "money@example.org"


@pytest.fixture(scope="module")
def service(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """No server is needed, but its settings are."""
    with fresh_database(postgres) as url:
        found = Service(url, tmp_path_factory.mktemp("operators"), started=False)
        found.command("init")
        found.command("account", "create", EMAIL)
        yield found


def run(service: Service, *arguments: str) -> tuple[int, str]:
    done = forkserver.run([*arguments], service.environment)
    return done.returncode, (done.stdout + done.stderr).decode()


def balance(service: Service) -> dict[str, Any]:
    return service.command("account", "balance", EMAIL)


def test_what_is_no_amount_is_refused_and_moves_nothing(service: Service) -> None:
    """A few of the table in `foundation/test_money.py`: a command takes a second."""
    before = balance(service)
    for command, amount in (("credit", "-1"), ("credit", "1e400"), ("grant", "nan"), ("adjust", "0.0000001")):
        code, said = run(service, "account", command, EMAIL, "--reason", "x", "--", amount)
        assert code == 2, said
        assert "AMOUNT must be" in said
        assert f"(got {amount})" in said
    assert balance(service) == before


def test_credit_grant_adjust_and_limits(service: Service) -> None:
    moved = service.command("account", "credit", EMAIL, "10", "--reason", "bank", "--reference", "tx-1")
    assert (moved["available"], moved["repeated"]) == ("10.000000", False)
    again = service.command("account", "credit", EMAIL, "10", "--reason", "bank", "--reference", "tx-1")
    assert (again["available"], again["repeated"]) == ("10.000000", True)
    service.command("account", "grant", EMAIL, "2.5", "--days", "3", "--reason", "welcome")
    service.command("account", "adjust", EMAIL, "1", "--reason", "counted twice", "--author", "anna")
    found = balance(service)
    assert (found["available"], found["granted"], found["held"]) == ("11.500000", "2.500000", "0.000000")
    code, said = run(service, "account", "adjust", EMAIL, "9.000001", "--reason", "grants stay")
    assert (code, "9.00 USD of paid money" in said) == (1, True)
    code, said = run(service, "account", "credit", EMAIL, "0", "--reason", "x")
    assert (code, "more than 0" in said) == (1, True)
    code, said = run(service, "account", "credit", EMAIL, "1", "--reason", " ")
    assert (code, "reason" in said) == (1, True)
    code, said = run(service, "account", "credit", "nobody@example.org", "1", "--reason", "x")
    assert (code, "no account" in said) == (1, True)
    code, said = run(service, "account", "refund", "vid_nothing", "--reason", "x")
    assert (code, "no such video" in said) == (1, True)
    code, said = run(service, "account", "credit", EMAIL, "11", "--reason", "bank", "--reference", "tx-1")
    assert (code, "stands for 10.00 USD already" in said) == (1, True)
    code, said = run(service, "account", "statement", EMAIL)
    assert code == 0
    assert [line.split(",")[2] for line in said.splitlines()[2:]] == ["credit", "grant", "adjustment"]
    assert run(service, "account", "statement", EMAIL, "--month", "2026-13")[0] == 2
    assert json.loads(run(service, "doctor", "--invariants", "--json")[1])["violations"] == 0


def test_limits_are_set_shown_and_lifted_and_only_for_ones_own_keys(service: Service) -> None:
    key = service.command("key", "create", "--account", EMAIL, "--mode", "live")["id"]
    service.command("account", "limit", EMAIL, "--day", "5", "--month", "50")
    found = service.command("account", "limit", EMAIL, "--key", key, "--total", "7")
    assert [(one["key_id"], one["period"], one["left"]) for one in found["limits"]] == [
        (None, "day", "5.000000"), (None, "month", "50.000000"), (key, "total", "7.000000"),
    ]  # fmt: skip
    other = service.command("account", "create", "else@example.org")["email"]
    code, said = run(service, "account", "limit", other, "--key", key, "--day", "1")
    assert (code, "no such key" in said) == (1, True)
    assert run(service, "account", "limit", EMAIL, "--day", "-1")[0] == 2
    found = service.command("account", "limit", EMAIL, "--day", "none", "--month", "none", "--total", "none")
    assert [one["key_id"] for one in found["limits"]] == [key]


def test_a_price_book_is_shown_edited_loaded_and_refused_with_every_fault(service: Service) -> None:
    code, text = run(service, "prices", "show")
    assert code == 0
    book = service.folder / "prices.toml"
    book.write_text(text)
    assert service.command("prices", "load", str(book)) == {"version": 1, "new": False}
    book.write_text(text.replace('margin_percent = "20"', 'margin_percent = "35"'))
    assert service.command("prices", "load", str(book), "--author", "anna") == {"version": 2, "new": True}
    listed = service.command("prices", "list")
    assert [one["author"] for one in listed["versions"]] == ["system", "anna"]
    assert {one["price"] for one in listed["rates"] if one["model"] == "seedance-2.0-fast"} == {"7.560000", "4.455000"}
    assert run(service, "prices", "show", "--version", "1") == (0, text)
    book.write_text('[USD]\nmargin_percent = "-1"\n[[USD.rows]]\nmodels = ["seedance-9"]\ncost = "x"\n')
    code, said = run(service, "prices", "load", str(book))
    assert code == 1
    assert all(place in said for place in ("margin_percent", "rows[0].cost", "rows[0].models", "seedance-9"))
    assert run(service, "prices", "load", str(service.folder / "no.toml"))[0] == 1
    assert run(service, "prices", "show", "--version", "9")[0] == 1


def test_another_currency_has_its_own_accounts_and_prices(service: Service) -> None:
    for unknown in ("EUR", "eur"):
        code, said = run(service, "account", "create", "euro@example.org", "--currency", unknown)
        assert (code, f"--currency {unknown} is not in the price book: it has USD" in said) == (2, True)
    code, text = run(service, "prices", "show")
    assert code == 0
    book = service.folder / "prices.toml"
    book.write_text(text + text[text.index("[USD]") :].replace("USD", "EUR"))
    service.command("prices", "load", str(book))
    made = service.command("account", "create", "euro@example.org", "--currency", "EUR")
    assert made["currency"] == "EUR"
    assert service.command("account", "credit", "euro@example.org", "3", "--reason", "x")["currency"] == "EUR"
