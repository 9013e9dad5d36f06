"""What counts as a sudden change of a key's use, case by case."""

from typing import Any

import pytest

from seedance_api.traffic.judge_key import Hour, NewNetworks, Usual, judge_hour, judge_networks

M = 1_000_000
FLOOR = 50 * M


@pytest.mark.parametrize(
    ("used_before", "known", "told"),
    [
        (True, 1, True),
        (True, 0, True),  # it had not been used for a month
        (True, 20, True),
        (True, 21, False),  # it is used everywhere
        (False, 0, False),  # it is new
        (False, 3, False),
    ],
)
def test_a_new_network_is_news_of_a_key_that_has_its_networks(used_before: bool, known: int, told: bool) -> None:
    new = NewNetworks(networks=("192.0.0.0/16",), count=1, known=known, used_before=used_before)
    change = judge_networks(new)
    assert (change is not None) == told
    if change is not None:
        assert change.kind == "key_network"
        assert "192.0.0.0/16" in change.says
        assert "192.0" not in str(change.detail), "the operator is told of no network"


def test_of_many_new_networks_some_are_named() -> None:
    networks = tuple(f"10.{number}.0.0/16" for number in range(5))
    change = judge_networks(NewNetworks(networks=networks, count=9, known=1, used_before=True))
    assert change is not None
    assert change.says.endswith("10.4.0.0/16 and others.")
    assert change.detail == {"networks": 9, "known_networks": 1}


def kinds(hour: Hour, usual: Usual) -> list[str]:
    return [change.kind for change in judge_hour(hour, usual, currency="USD", floor=FLOOR)]


@pytest.mark.parametrize(
    ("spent", "usual", "told"),
    [
        (FLOOR, {}, False),
        (FLOOR + 1, {}, True),  # nothing is usual yet: the floor alone
        (FLOOR + 1, {"spent": 50 * M, "hours": 10}, True),  # 5 an hour
        (100 * M, {"spent": 100 * M, "hours": 10}, False),  # ten times 10 an hour
        (100 * M + 10, {"spent": 100 * M, "hours": 10}, True),
        (100 * M, {"spent": 8 * M, "hours": 4, "account_spent": 100 * M, "account_hours": 10}, False),  # the account's
        (101 * M, {"spent": 8 * M, "hours": 4, "account_spent": 100 * M, "account_hours": 10}, True),
        (90 * M, {"spent": 5 * M, "hours": 5, "account_spent": 900 * M, "account_hours": 10}, True),  # the key's own
    ],
)
def test_spending_is_news_above_ten_usual_hours_and_the_floor(spent: int, usual: dict[str, Any], told: bool) -> None:
    assert kinds(Hour(spent=spent), Usual(**usual)) == (["key_spending"] if told else [])


@pytest.mark.parametrize(
    ("requests", "failed", "usual_requests", "usual_failed", "told"),
    [
        (40, 20, 100, 0, True),
        (40, 19, 100, 0, False),  # few
        (41, 20, 100, 0, False),  # less than half
        (40, 20, 99, 0, False),  # a first program
        (40, 20, 1000, 100, False),  # five times a tenth is half
        (40, 21, 1000, 100, True),
        (100, 100, 1000, 200, False),  # a fifth always fails
    ],
)
def test_failures_are_news_where_their_share_leaps(
    requests: int, failed: int, usual_requests: int, usual_failed: int, told: bool
) -> None:
    hour, usual = Hour(requests=requests, failed=failed), Usual(requests=usual_requests, failed=usual_failed)
    assert kinds(hour, usual) == (["key_failing"] if told else [])


@pytest.mark.parametrize(
    ("requests", "denied", "usual", "told"),
    [
        (200, 20, {}, True),
        (199, 19, {}, False),
        (201, 20, {}, False),
        (200, 20, {"requests": 1000, "failed": 20}, False),  # five times as many failed before, at most
        (200, 21, {"requests": 1000, "failed": 20}, True),
    ],
)
def test_refusals_of_what_a_key_is_not_for_are_news(
    requests: int, denied: int, usual: dict[str, int], told: bool
) -> None:
    hour = Hour(requests=requests, failed=denied, denied=denied)
    assert kinds(hour, Usual(**usual)) == (["key_denied"] if told else [])


@pytest.mark.parametrize(
    ("videos", "moderated", "usual", "told"),
    [
        (30, 10, {}, True),
        (30, 9, {}, False),
        (34, 10, {}, False),
        (20, 10, {"videos": 100, "moderated": 10}, False),
        (19, 10, {"videos": 100, "moderated": 10}, True),
    ],
)
def test_refusals_by_moderation_are_news(videos: int, moderated: int, usual: dict[str, int], told: bool) -> None:
    assert kinds(Hour(videos=videos, moderated=moderated), Usual(**usual)) == (["key_moderated"] if told else [])


def test_several_changes_are_told_each() -> None:
    hour = Hour(requests=100, failed=90, denied=80, videos=20, moderated=20, spent=FLOOR * 2)
    usual = Usual(requests=1000)
    assert kinds(hour, usual) == ["key_spending", "key_failing", "key_denied", "key_moderated"]
    says = judge_hour(hour, usual, currency="EUR", floor=FLOOR)[0].says
    assert "up to 100.00 EUR" in says
    assert "in which your account orders any, they usually cost 0.00 EUR" in says
