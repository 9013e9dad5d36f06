"""What the operator's commands say of money and upstreams."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.test_init import run
from fakes.ark.serve import upstreams
from seedance_api.foundation.money import format_price
from stage import PEPPER, fresh_database


@pytest.fixture
def installation(postgres: str, place: Path) -> Iterator[str]:
    """The database of an installation of its own."""
    with fresh_database(postgres) as url:
        (made,) = run(place, ["init"], database_url=url, pepper=PEPPER)
        assert made.code == 0, made
        yield url


@pytest.mark.parametrize(
    ("micro", "said"),
    [
        (12_500_000, "12.50 USD"),
        (0, "0.00 USD"),
        (457_380, "0.45738 USD"),
        (-500_000, "-0.50 USD"),
        (1_234_567_000_000, "1,234,567.00 USD"),
    ],
)
def test_one_form_of_an_amount(micro: int, said: str) -> None:
    assert format_price(micro, "USD") == said


def test_the_commands_use_it(installation: str, place: Path) -> None:
    who = "amounts@example.org"
    made, credited, limited, balance, refused = run(
        place,
        ["account", "create", who],
        ["account", "credit", who, "12.5", "--reason", "x"],
        ["account", "limit", who, "--day", "5"],
        ["account", "balance", who],
        ["account", "create", "other@example.org", "--currency", "XYZ"],
        database_url=installation, pepper=PEPPER,
    )  # fmt: skip
    assert made.code == 0, made
    assert credited.out == "12.50 USD credited; 12.50 USD available now.\n"
    assert limited.out == "account: 5.00 USD a day, 0.00 USD spent, 5.00 USD left\n"
    assert balance.out.startswith("12.50 USD available  0.00 USD held  0.00 USD granted\n")
    assert (refused.code, refused.out) == (2, "")
    assert "--currency XYZ is not in the price book: it has USD" in refused.errors
    (listed,) = run(place, ["account", "list"], database_url=installation, pepper=PEPPER)
    assert "other@example.org" not in listed.out


def test_the_fake_is_seen_by_upstream_list(
    installation: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From another terminal, which knows nothing of the fake's key."""
    monkeypatch.setenv("SEEDANCE_DATA_DIR", str(place / "data"))
    with upstreams("http://127.0.0.1:1") as file:
        assert file == place / "data/upstreams.toml"
        (seen,) = run(place, ["upstream", "list"], database_url=installation, pepper=PEPPER)
        assert (seen.code, seen.out.startswith("fake-ark ")) == (0, True), seen
    (gone,) = run(place, ["upstream", "list"], database_url=installation, pepper=PEPPER)
    assert "There is no upstream" in gone.out
    file.write_text("# mine\n")
    with upstreams("http://127.0.0.1:1") as other:
        assert other != file
    assert file.read_text() == "# mine\n"


def test_an_address_that_is_none_or_unknown_is_quoted(installation: str, place: Path) -> None:
    made, shown = run(
        place, ["account", "create", "foo"], ["account", "balance", "foo@example.org"],
        database_url=installation, pepper=PEPPER,
    )  # fmt: skip
    assert (made.code, "'foo' is not an e-mail address, such as you@example.org" in made.errors) == (1, True), made
    assert (shown.code, "no account with the address 'foo@example.org'" in shown.errors) == (1, True), shown
