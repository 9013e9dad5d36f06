"""Decisions about money are pure, so they are compared with the plainest account of what they should be."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from money.kit import NOON, TODAY, hold, wanted
from seedance_api.billing.decide import (
    NewHold,
    Shortfall,
    Verdict,
    Warned,
    expire_grants,
    grant_holds,
    settle,
    spend_grants,
)
from seedance_api.billing.rows import Grant, Limit, Period, Wallet
from seedance_api.billing.windows import in_window, next_window, window_of

DAY, MONTH, TOTAL = Period.DAY, Period.MONTH, Period.TOTAL
ALWAYS = date(2000, 1, 1)


def wallet(available: int, account: str = "acc_1") -> Wallet:
    return Wallet(account_id=account, currency="USD", available=available, held=0, granted=0, grants_expired=False)


def wallets(**available: int) -> dict[str, Wallet]:
    return {account: wallet(amount, account) for account, amount in available.items()}


def limit(
    most: int,
    spent: int = 0,
    *,
    subject: str = "acc_1",
    period: Period = DAY,
    account: str = "acc_1",
    since: date | None = None,
    warned: int = 0,
    refused: bool = False,
) -> Limit:
    return Limit(
        subject=subject, period=period, account_id=account, most=most, since=since or window_of(period, TODAY),
        spent=spent, warned=warned, refused=refused,
    )  # fmt: skip


def ask(
    available: int, amounts: Sequence[int], *limits: Limit, today: date = TODAY, key: str = "key_1"
) -> tuple[list[bool], Verdict]:
    """Whether each hold of one account was granted."""
    news = [wanted(amount, name=f"vid_{at}", key=key) for at, amount in enumerate(amounts)]
    verdict = grant_holds(news, {"acc_1": wallet(available)}, limits, today)
    granted = {one.generation_id for one in verdict.granted}
    assert granted.isdisjoint(verdict.refused)
    assert granted | set(verdict.refused) == {one.generation_id for one in news}
    return [one.generation_id in granted for one in news], verdict


# Balances


@pytest.mark.parametrize(
    ("available", "amounts", "granted"),
    [
        (10, [10], [True]),
        (10, [11], [False]),
        (9, [10], [False]),
        (0, [1], [False]),
        (10, [4, 4, 4], [True, True, False]),
        (10, [4, 4, 2], [True, True, True]),
        (10, [6, 6, 4], [True, False, True]),  # the refused one takes nothing from the one behind it
        (10, [11, 10], [False, True]),
        (10, [11, 12, 13, 10, 1], [False, False, False, True, False]),
        (10, [10, 1, 0], [True, False, True]),
        (0, [0, 0], [True, True]),
        (3, [1] * 5, [True, True, True, False, False]),
    ],
)
def test_first_come_first_served_and_all_that_fit_are_granted(
    available: int, amounts: list[int], granted: list[bool]
) -> None:
    answers, verdict = ask(available, amounts)
    assert answers == granted
    spent = sum(amount for amount, is_granted in zip(amounts, granted, strict=True) if is_granted)
    assert verdict.moved.get("acc_1", 0) == spent <= available
    assert [one.generation_id for one in verdict.granted] == [
        f"vid_{at}" for at, is_granted in enumerate(granted) if is_granted
    ]
    assert verdict.limits == verdict.warned == []


def test_a_refusal_has_the_numbers_of_its_own_moment() -> None:
    _, verdict = ask(10, [4, 7, 6, 1])
    assert verdict.refused == {
        "vid_1": [Shortfall(needed=7, left=6, currency="USD")],
        "vid_3": [Shortfall(needed=1, left=0, currency="USD")],
    }


def test_accounts_do_not_take_from_each_other() -> None:
    news = [
        wanted(6, account="acc_1", name="a"),
        wanted(6, account="acc_2", name="b", key="key_2"),
        wanted(6, account="acc_1", name="c"),
        wanted(4, account="acc_2", name="d", key="key_2"),
        wanted(1, account="acc_3", name="e", key="key_3"),
    ]
    verdict = grant_holds(news, wallets(acc_1=10, acc_2=10), [], TODAY)
    assert [one.generation_id for one in verdict.granted] == ["a", "b", "d"]
    assert verdict.moved == {"acc_1": 6, "acc_2": 10}
    assert verdict.refused["c"] == [Shortfall(needed=6, left=4, currency="USD")]
    assert verdict.refused["e"] == [Shortfall(needed=1, left=0, currency="USD")]  # it never had a wallet


def test_nothing_asked_is_nothing_done() -> None:
    assert grant_holds([], {}, [limit(1, 1)], TODAY) == Verdict([], {}, {}, [], [], {})


# Limits


@pytest.mark.parametrize("period", list(Period))
@pytest.mark.parametrize("subject", ["acc_1", "key_1"])
def test_every_limit_of_the_account_and_of_the_key_holds(subject: str, period: Period) -> None:
    mine = limit(10, 3, subject=subject, period=period)
    answers, verdict = ask(100, [5, 3, 2, 1], mine)
    assert answers == [True, False, True, False]
    assert verdict.moved == {"acc_1": 7}
    (after,) = verdict.limits
    assert after == msgspec.structs.replace(mine, spent=10, warned=100, refused=True)
    at_its_moment = msgspec.structs.replace(mine, spent=8, warned=80)
    assert verdict.refused["vid_1"] == [Shortfall(needed=3, left=2, currency="USD", limit=at_its_moment)]


def test_limits_of_other_keys_and_accounts_are_left_alone() -> None:
    others = [limit(0, subject="key_2"), limit(0, subject="acc_2", account="acc_2"), limit(0, subject="key_1x")]
    answers, verdict = ask(10, [10], *others)
    assert answers == [True]
    assert verdict.limits == []


def test_everything_in_the_way_is_told_the_balance_first() -> None:
    limits = [
        limit(10, 8, subject="key_1", period=TOTAL),
        limit(10, 8, subject="acc_1", period=DAY),
        limit(10, 8, subject="key_1", period=MONTH),
        limit(10, 5, subject="acc_1", period=MONTH),
        limit(4, 9, subject="key_1", period=DAY),
    ]
    _, verdict = ask(2, [3], *limits)
    told = [(one.limit and (one.limit.subject, one.limit.period), one.left) for one in verdict.refused["vid_0"]]
    assert told == [
        (None, 2),
        (("acc_1", DAY), 2),
        (("key_1", DAY), 0),  # it was lowered below what is spent
        (("key_1", MONTH), 2),
        (("key_1", TOTAL), 2),
    ]
    assert all(one.needed == 3 for one in verdict.refused["vid_0"])
    assert verdict.moved == {}
    assert verdict.granted == []


def test_a_refusal_by_one_limit_counts_on_no_other() -> None:
    tight, wide = limit(5, subject="key_1"), limit(10, subject="acc_1")
    answers, verdict = ask(100, [6, 5], tight, wide)
    assert answers == [False, True]
    assert {one.subject: one.spent for one in verdict.limits} == {"key_1": 5, "acc_1": 5}


def test_keys_share_the_limit_of_their_account_and_not_their_own() -> None:
    news = [wanted(4, key=f"key_{at % 2}", name=f"vid_{at}") for at in range(5)]
    limits = [limit(4, subject="key_0"), limit(99, subject="key_1"), limit(10, subject="acc_1", period=MONTH)]
    verdict = grant_holds(news, {"acc_1": wallet(100)}, limits, TODAY)
    assert [one.generation_id for one in verdict.granted] == ["vid_0", "vid_1"]
    assert {(one.subject, one.period): one.spent for one in verdict.limits} == {
        ("key_0", DAY): 4,
        ("key_1", DAY): 4,
        ("acc_1", MONTH): 8,
    }
    why = {name: [one.limit.subject for one in short if one.limit] for name, short in verdict.refused.items()}
    assert why == {"vid_2": ["key_0", "acc_1"], "vid_3": ["acc_1"], "vid_4": ["key_0", "acc_1"]}


@pytest.mark.parametrize(
    "limits", [[], [limit(0)], [limit(5, 5)], [limit(5, 9, warned=100)], [limit(0, subject="key_1", period=TOTAL)]]
)
def test_what_costs_nothing_always_passes(limits: list[Limit]) -> None:
    answers, verdict = ask(0, [0, 0], *limits)
    assert answers == [True, True]
    assert verdict.warned == []
    assert not any(verdict.moved.values())
    assert all(after == before for before, after in zip(limits, verdict.limits, strict=True))
    # nor does it need a wallet
    assert grant_holds([wanted(0)], {}, limits, TODAY).granted == [wanted(0)]


# Warnings


def percents(verdict: Verdict) -> list[int]:
    return [100 if one.reached else 80 for one in verdict.warned]


@pytest.mark.parametrize(
    ("most", "spent", "amounts", "warned"),
    [
        (100, 0, [79], []),
        (100, 0, [80], [80]),
        (100, 0, [99], [80]),
        (100, 0, [100], [100]),
        (100, 0, [79, 1, 1, 18, 1], [80, 100]),
        (100, 79, [1], [80]),
        (100, 0, [101], [100]),  # refused: the customer hits the limit now
        (100, 0, [101, 101, 80, 20], [100, 80, 100]),  # a refusal does not mute what comes after it
        (100, 85, [1, 14], [80, 100]),
        (1, 0, [1], [100]),
        (3, 0, [1, 1, 1], [100]),  # 2 of 3 are 66 %
        (4, 0, [3, 1], [100]),
        (5, 0, [4, 1], [80, 100]),
        (0, 0, [1], [100]),
        (10, 20, [1], [100]),
    ],
)
def test_a_limit_warns_once_for_each_threshold(most: int, spent: int, amounts: list[int], warned: list[int]) -> None:
    _, verdict = ask(10_000, amounts, limit(most, spent))
    assert percents(verdict) == warned
    if verdict.limits:
        (after,) = verdict.limits
        assert max(after.warned, 100 * after.refused) == max(warned, default=0)


@pytest.mark.parametrize(("before", "amounts", "warned"), [(80, [5], []), (80, [5, 20], [100]), (100, [20, 20], [])])
def test_what_was_warned_of_in_this_window_is_not_warned_of_again(
    before: int, amounts: list[int], warned: list[int]
) -> None:
    _, verdict = ask(1000, amounts, limit(100, 80, warned=before))
    assert percents(verdict) == warned


def test_a_new_window_warns_anew() -> None:
    yesterday = limit(100, 100, since=TODAY - timedelta(days=1), warned=100)
    _, verdict = ask(1000, [80, 20, 1], yesterday)
    assert percents(verdict) == [80, 100]
    assert [one.limit.spent for one in verdict.warned] == [80, 100]
    assert all(one.limit.since == TODAY for one in verdict.warned)


def test_a_refusal_for_want_of_money_warns_of_no_limit() -> None:
    _, verdict = ask(5, [6], limit(100, 79))
    assert verdict.warned == verdict.limits == []


def test_each_limit_warns_for_itself() -> None:
    _, verdict = ask(1000, [90], limit(100), limit(90, subject="key_1", period=MONTH), limit(1000, period=TOTAL))
    assert sorted((one.limit.subject, one.reached) for one in verdict.warned) == [("acc_1", False), ("key_1", True)]


# Windows


@pytest.mark.parametrize(
    ("period", "since", "today", "anew"),
    [
        (DAY, date(2026, 11, 23), date(2026, 11, 23), False),
        (DAY, date(2026, 11, 22), date(2026, 11, 23), True),
        (DAY, date(2026, 11, 30), date(2026, 12, 1), True),
        (DAY, date(2026, 12, 31), date(2027, 1, 1), True),
        (DAY, date(2028, 2, 28), date(2028, 2, 29), True),
        (DAY, date(2028, 2, 29), date(2028, 3, 1), True),
        (DAY, date(2026, 11, 24), date(2026, 11, 23), False),  # a clock that was set back
        (MONTH, date(2026, 11, 1), date(2026, 11, 1), False),
        (MONTH, date(2026, 11, 1), date(2026, 11, 30), False),
        (MONTH, date(2026, 11, 1), date(2026, 12, 1), True),
        (MONTH, date(2026, 11, 1), date(2027, 11, 1), True),
        (MONTH, date(2026, 12, 1), date(2027, 1, 31), True),
        (MONTH, date(2028, 2, 1), date(2028, 2, 29), False),
        (MONTH, date(2028, 2, 1), date(2028, 3, 1), True),
        (MONTH, date(2026, 12, 1), date(2026, 11, 30), False),
        (TOTAL, ALWAYS, date(2026, 11, 23), False),
        (TOTAL, ALWAYS, date(2999, 1, 1), False),
    ],
)
def test_a_new_window_begins_with_nothing_spent(period: Period, since: date, today: date, anew: bool) -> None:
    before = limit(10, 9, period=period, since=since, warned=80)
    after = in_window(before, today)
    if anew:
        assert after == msgspec.structs.replace(before, since=window_of(period, today), spent=0, warned=0)
    else:
        assert after == before
    answers, verdict = ask(100, [5], before, today=today)
    assert answers == [anew]
    assert verdict.limits[0].spent == (5 if anew else 9)


@pytest.mark.parametrize(
    ("period", "day", "first", "following"),
    [
        (DAY, date(2026, 11, 23), date(2026, 11, 23), date(2026, 11, 24)),
        (DAY, date(2026, 2, 28), date(2026, 2, 28), date(2026, 3, 1)),
        (DAY, date(2028, 2, 28), date(2028, 2, 28), date(2028, 2, 29)),
        (DAY, date(2028, 2, 29), date(2028, 2, 29), date(2028, 3, 1)),
        (DAY, date(2100, 2, 28), date(2100, 2, 28), date(2100, 3, 1)),
        (DAY, date(2026, 12, 31), date(2026, 12, 31), date(2027, 1, 1)),
        (MONTH, date(2026, 11, 1), date(2026, 11, 1), date(2026, 12, 1)),
        (MONTH, date(2026, 11, 30), date(2026, 11, 1), date(2026, 12, 1)),
        (MONTH, date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        (MONTH, date(2026, 1, 31), date(2026, 1, 1), date(2026, 2, 1)),
        (MONTH, date(2028, 2, 29), date(2028, 2, 1), date(2028, 3, 1)),
        (TOTAL, date(2026, 11, 23), ALWAYS, None),
    ],
)
def test_windows(period: Period, day: date, first: date, following: date | None) -> None:
    assert window_of(period, day) == first
    assert next_window(period, first) == following


@given(st.dates(date(2000, 1, 1), date(2999, 12, 31)), st.sampled_from([DAY, MONTH]))
def test_every_day_lies_in_one_window_and_windows_follow_each_other(day: date, period: Period) -> None:
    first = window_of(period, day)
    following = next_window(period, first)
    assert following is not None
    assert first <= day < following
    assert window_of(period, following) == following
    assert window_of(period, following - timedelta(days=1)) == first


# Any holds, against the plainest account: what the ones granted before have taken is summed up anew for each.

ACCOUNTS = {"acc_1": ("key_1", "key_2"), "acc_2": ("key_3",), "acc_3": ("key_4",)}
KEYS = [(account, key) for account, keys in ACCOUNTS.items() for key in keys]
SUBJECTS = [(account, account) for account in ACCOUNTS] + KEYS
SINCES = [TODAY + timedelta(days=days) for days in (-400, -40, -1, 0, 1)]


@st.composite
def any_limits(draw: st.DrawFn) -> list[Limit]:
    places = draw(st.sets(st.sampled_from([(*one, period) for one in SUBJECTS for period in Period]), max_size=9))
    return [
        limit(
            draw(st.integers(0, 30)),
            draw(st.integers(0, 30)),
            subject=subject,
            account=account,
            period=period,
            since=window_of(period, draw(st.sampled_from(SINCES))),
            warned=draw(st.sampled_from([0, 80, 100])),
            refused=draw(st.booleans()),
        )
        for account, subject, period in sorted(places)
    ]


ANY_HOLDS = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 12)), max_size=12).map(
    lambda some: [
        wanted(amount, account=account, key=key, name=f"vid_{at}") for at, ((account, key), amount) in enumerate(some)
    ]
)


def taken(granted: Iterable[NewHold], subject: str) -> int:
    return sum(one.amount for one in granted if subject in (one.account_id, one.key_id))


def day_of(account: str, limits: Iterable[Limit]) -> date:
    """Today, or the later day on which a window of the account has begun: its clock was set back."""
    return max([TODAY, *(one.since for one in limits if one.account_id == account and one.period is not TOTAL)])


def is_over(one: Limit, limits: Iterable[Limit]) -> bool:
    return one.since < window_of(one.period, day_of(one.account_id, limits))


@given(ANY_HOLDS, st.fixed_dictionaries({}, optional=dict.fromkeys(ACCOUNTS, st.integers(0, 40))), any_limits())
def test_any_holds_are_granted_as_if_they_came_alone_one_after_the_other(
    news: list[NewHold], available: dict[str, int], limits: list[Limit]
) -> None:
    verdict = grant_holds(news, wallets(**available), limits, TODAY)
    granted: list[NewHold] = []
    over = {(one.subject, one.period) for one in limits if is_over(one, limits)}

    def spent_before(here: Limit) -> int:
        return 0 if (here.subject, here.period) in over else here.spent

    # what a listener hears of each limit: 80 and 100 once each as it fills, 100 also for the first that it refuses
    level = {(one.subject, one.period): 0 if (one.subject, one.period) in over else one.warned for one in limits}
    refusing = {(one.subject, one.period): one.refused and (one.subject, one.period) not in over for one in limits}
    heard: dict[tuple[str, Period], list[int]] = {}
    for one in news:
        mine = [here for here in limits if here.subject in (one.account_id, one.key_id)]
        left = available.get(one.account_id, 0) - taken(granted, one.account_id)
        full = [here for here in mine if spent_before(here) + taken(granted, here.subject) + one.amount > here.most]
        refused = one.amount > 0 and (one.amount > left or full != [])
        assert (one.generation_id in verdict.refused) is refused
        if refused:
            short = verdict.refused[one.generation_id]
            assert [here.left for here in short if here.limit is None] == ([left] if one.amount > left else [])
            assert {(here.limit.subject, here.limit.period) for here in short if here.limit} == {
                (here.subject, here.period) for here in full
            }
            for here in full:
                place = (here.subject, here.period)
                if not refusing[place] and level[place] < 100:
                    heard.setdefault(place, []).append(100)
                refusing[place] = True
            continue
        granted.append(one)
        for here in mine if one.amount else []:
            place = (here.subject, here.period)
            share = spent_before(here) + taken(granted, here.subject)
            reached = 100 if share >= here.most else 80 if share / here.most >= 0.8 else 0
            if reached > level[place]:
                heard.setdefault(place, []).append(reached)
                level[place] = reached
    assert verdict.granted == granted
    event(f"{len(granted)} of {len(news)}")

    assert verdict.moved == {account: taken(granted, account) for account in {one.account_id for one in granted}}
    assert all(amount <= available.get(account, 0) for account, amount in verdict.moved.items())
    said: dict[tuple[str, Period], list[int]] = {}
    for warned in verdict.warned:
        said.setdefault((warned.limit.subject, warned.limit.period), []).append(100 if warned.reached else 80)
    after = {(one.subject, one.period): one for one in verdict.limits}
    assert len(after) == len(verdict.limits)
    for one in limits:
        place = (one.subject, one.period)
        assert said.get(place, []) == heard.get(place, [])
        day = day_of(one.account_id, limits)
        now = after.get(place, in_window(one, day))
        assert now.spent == spent_before(one) + taken(granted, one.subject)
        assert now.spent <= max(one.most, spent_before(one))
        assert now.since == max(one.since, window_of(one.period, day))
        assert (now.warned, now.refused) == (level[place], refusing[place])
        assert now.most == one.most
    assert verdict.days == {one.account_id: day_of(one.account_id, limits) for one in news}


@given(ANY_HOLDS, st.fixed_dictionaries({}, optional=dict.fromkeys(ACCOUNTS, st.integers(0, 40))), any_limits())
def test_a_batch_is_decided_as_its_parts_one_after_the_other(
    news: list[NewHold], available: dict[str, int], limits: list[Limit]
) -> None:
    together = grant_holds(news, wallets(**available), limits, TODAY)
    places = {(one.subject, one.period): one for one in limits}
    granted: list[NewHold] = []
    warned: list[Warned] = []
    for one in news:
        alone = grant_holds([one], wallets(**available), list(places.values()), TODAY)
        granted += alone.granted
        warned += alone.warned
        for account, amount in alone.moved.items():
            available = available | {account: available.get(account, 0) - amount}
        places |= {(after.subject, after.period): after for after in alone.limits}
        assert alone.refused.get(one.generation_id) == together.refused.get(one.generation_id)
    assert together.granted == granted
    assert together.warned == warned


# Settling


@pytest.mark.parametrize(
    ("tokens", "rate", "charged", "waived", "says"),
    [
        (100_000, 10_000_000, 1_000_000, 0, []),
        (99_999, 10_000_000, 999_990, 0, []),
        (0, 10_000_000, 0, 0, []),
        (1, 999_999, 0, 0, []),
        (100_001, 10_000_000, 1_000_000, 10, ["above the hold"]),
        (1 << 40, 10_000_000, 1_000_000, (10 << 40) - 1_000_000, ["above the hold"]),
        (100_000, 9_000_000, 900_000, 0, []),
        (100_000, 11_000_000, 1_000_000, 100_000, ["above the hold"]),
        (100_000, 0, 0, 0, []),
        (None, 10_000_000, 1_000_000, 0, ["no usage"]),
        (None, 5_000_000, 500_000, 0, ["no usage"]),
        (50_000, None, 500_000, 0, ["no price"]),
        (None, None, 1_000_000, 0, ["no usage", "no price"]),
        (None, 20_000_000, 1_000_000, 1_000_000, ["no usage", "above the hold"]),
        (200_000, None, 1_000_000, 1_000_000, ["no price", "above the hold"]),
    ],
)
def test_what_was_rendered_is_charged_up_to_the_hold(
    tokens: int | None, rate: int | None, charged: int, waived: int, says: list[str]
) -> None:
    made = settle(hold(), tokens, rate)
    assert (made.charged, made.waived) == (charged, waived)
    assert made.tokens == (100_000 if tokens is None else tokens)
    assert made.rate == (10_000_000 if rate is None else rate)
    parts = made.reason.split("; ") if made.reason is not None else []
    assert [word for word in ("no usage", "no price", "above the hold") if word in (made.reason or "")] == says
    assert bool(parts) is bool(says)


def test_the_hold_may_be_above_what_was_quoted_and_only_the_quote_counts_without_usage() -> None:
    wide = hold(amount=3_000_000)
    assert settle(wide, None, None).charged == 1_000_000
    assert settle(wide, 250_000, None).charged == 2_500_000
    assert settle(hold(amount=0, quoted_tokens=0), 5, 10_000_000).waived == 50


# Grants


def grants(*remaining: int, expired: int = 0, held: int = 0) -> list[Grant]:
    """As they come from the database: the one that ends first first, so the first ones are those that have ended."""
    return [
        Grant(id=f"grt_{at}", remaining=amount, expires_at=NOON, expired=at < expired, held=held)
        for at, amount in enumerate(remaining)
    ]


_PLENTY = 1000


@pytest.mark.parametrize(
    ("remaining", "amount", "spent"),
    [
        ([], 5, {}),
        ([5], 0, {}),
        ([5], 3, {"grt_0": 3}),
        ([5], 5, {"grt_0": 5}),
        ([5], 9, {"grt_0": 5}),  # the rest was paid for
        ([5, 5], 5, {"grt_0": 5}),
        ([5, 5], 6, {"grt_0": 5, "grt_1": 1}),
        ([0, 5], 2, {"grt_1": 2}),
        ([1, 1, 1], 99, {"grt_0": 1, "grt_1": 1, "grt_2": 1}),
    ],
)
def test_a_charge_spends_the_grant_that_ends_first(remaining: list[int], amount: int, spent: dict[str, int]) -> None:
    assert spend_grants(grants(*remaining), amount) == spent


@pytest.mark.parametrize(
    ("remaining", "expired", "held", "ended"),
    [
        ([], 0, 5, {}),
        ([5], 0, 0, {}),
        ([5], 1, 0, {"grt_0": 5}),
        ([5], 1, 2, {"grt_0": 3}),
        ([5], 1, 5, {}),
        ([5], 1, 9, {}),
        ([5, 5], 1, 0, {"grt_0": 5}),
        ([5, 5], 2, 0, {"grt_0": 5, "grt_1": 5}),
        ([5, 5], 2, 3, {"grt_0": 2, "grt_1": 5}),  # the hold is covered by the first one, and only once
        ([5, 5], 2, 7, {"grt_1": 3}),
        ([5, 5, 5], 2, 12, {}),
        ([5, 5, 5], 1, 20, {}),
    ],
)
def test_what_is_left_of_an_expired_grant_ends_but_for_what_is_on_hold(
    remaining: list[int], expired: int, held: int, ended: dict[str, int]
) -> None:
    assert expire_grants(grants(*remaining, expired=expired, held=held), _PLENTY) == ended


def coins(some: Sequence[Grant]) -> list[str]:
    """Each micro-dollar by the grant it came from: the plainest model of what is spent and what is covered first."""
    return [one.id for one in some for _ in range(one.remaining)]


def counted(some: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in some:
        counts[name] = counts.get(name, 0) + 1
    return counts


ANY_GRANTS = st.lists(st.integers(0, 9), max_size=6).flatmap(
    lambda some: st.integers(0, len(some)).map(lambda expired: grants(*some, expired=expired))
)


@given(ANY_GRANTS, st.integers(0, 60))
def test_spending_takes_coin_by_coin(some: list[Grant], amount: int) -> None:
    assert spend_grants(some, amount) == counted(coins(some)[:amount])


def test_no_more_ends_than_is_available() -> None:
    """Should the books ever disagree, nobody's account is blocked by it; the doctor says so."""
    assert expire_grants(grants(5, 5, expired=2), 7) == {"grt_0": 5, "grt_1": 2}


def test_a_hold_that_came_later_covers_nothing() -> None:
    first, second = grants(5, 5, expired=2, held=9)
    assert expire_grants([msgspec.structs.replace(first, held=2), second], 100) == {"grt_0": 3}


@given(ANY_GRANTS, st.integers(0, 60))
def test_expiry_takes_the_coins_that_no_hold_covers(some: list[Grant], held: int) -> None:
    gone = {one.id for one in some if one.expired}
    some = [msgspec.structs.replace(one, held=held) for one in some]
    assert expire_grants(some, _PLENTY) == counted(name for name in coins(some)[held:] if name in gone)


@given(ANY_GRANTS, st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_what_a_hold_keeps_from_expiry_is_what_its_charge_spends(
    some: list[Grant], paid: int, held: int, charged: int
) -> None:
    """The wallet's own rule, granted ≤ available + held, holds after expiry, and after the charge that follows it."""
    granted = sum(one.remaining for one in some)
    money = granted + paid
    held = min(held, money)
    charged = min(charged, held)
    some = [msgspec.structs.replace(one, held=held) for one in some]
    ended = expire_grants(some, money - held)
    left = money - sum(ended.values())
    kept = [msgspec.structs.replace(one, remaining=one.remaining - ended.get(one.id, 0)) for one in some]
    assert left >= held
    assert sum(one.remaining for one in kept) <= left
    assert expire_grants(kept, left - held) == {}  # at once is all that there is to do
    after = sum(one.remaining for one in kept) - sum(spend_grants(kept, charged).values())
    assert 0 <= after <= left - charged
