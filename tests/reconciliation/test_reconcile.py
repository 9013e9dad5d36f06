"""Reconciliation: what an upstream was given against what we know, by a table and over a fake Ark."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from fakes.ark.run import FakeArk
from generations.kit import engine, sandbox, with_database
from money.bank import Bank
from providers.ark.kit import provider
from seedance_api.doctor.check import check
from seedance_api.doctor.invariants import INVARIANTS
from seedance_api.foundation.db import Database
from seedance_api.generations.engine import Engine
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Check, Done, Failed, Known, Output, Pending
from seedance_api.reconciliation import discrepancies
from seedance_api.reconciliation.compare import compare
from seedance_api.reconciliation.discrepancies import Lost as LostAttempt
from seedance_api.reconciliation.discrepancies import Ours
from seedance_api.reconciliation.reconcile import Reconciled, reconcile, turned_up

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


def task(check: Check, *, created_at: datetime = LONG_AGO, customer: str | None = None, name: str = "cgt-1") -> Known:
    return Known(operation={"id": name}, check=check, customer=customer, created_at=created_at)


def attempt(state: AttemptState, **changes: object) -> Ours:
    said = {"id": "att_1", "operation_id": "cgt-1", "sent_at": LONG_AGO, "tokens": 100, "costed": False} | changes
    return Ours(state=state, **said)  # type: ignore[arg-type]


def kinds(known: list[Known], ours: list[Ours]) -> list[str]:
    found = compare("ark", known, ours, since=NOW - timedelta(hours=3), now=NOW)
    return [one.kind for one in found]


MADE = Done(Output(tokens=100))


@pytest.mark.parametrize(
    ("known", "ours", "expected"),
    [
        ([task(MADE)], [attempt(AttemptState.SUCCEEDED)], []),
        ([task(Pending())], [attempt(AttemptState.ACKNOWLEDGED)], []),
        ([task(MADE)], [attempt(AttemptState.ACKNOWLEDGED)], []),
        ([task(MADE)], [], ["orphan"]),
        ([task(MADE, created_at=NOW)], [], []),
        ([task(MADE)], [attempt(AttemptState.LOST)], ["late"]),
        ([task(MADE)], [attempt(AttemptState.LOST, costed=True)], []),
        ([task(MADE)], [attempt(AttemptState.FAILED)], ["late"]),
        ([task(Failed("x", "m"))], [attempt(AttemptState.LOST)], []),
        ([task(Done(Output(tokens=99)))], [attempt(AttemptState.SUCCEEDED)], ["tokens"]),
        ([task(Done(Output()))], [attempt(AttemptState.SUCCEEDED)], []),
        ([task(Failed("x", "m"))], [attempt(AttemptState.SUCCEEDED)], ["state"]),
        ([], [attempt(AttemptState.ACKNOWLEDGED)], ["missing"]),
        ([], [attempt(AttemptState.ACKNOWLEDGED, sent_at=NOW)], []),
        ([], [attempt(AttemptState.SUCCEEDED)], []),
        ([], [attempt(AttemptState.REJECTED, operation_id=None)], []),
    ],
)
def test_what_does_not_add_up(known: list[Known], ours: list[Ours], expected: list[str]) -> None:
    assert kinds(known, ours) == expected


def test_work_that_was_given_up_is_known_by_its_customer_and_its_minute() -> None:
    def customer(account: str) -> str:
        return f"hash of {account}"

    lost = [
        LostAttempt(id="att_1", account_id="acc_1", sent_at=LONG_AGO, costed=False),
        LostAttempt(id="att_2", account_id="acc_2", sent_at=LONG_AGO, costed=False),
    ]
    mine = task(MADE, customer="hash of acc_1", created_at=LONG_AGO + timedelta(seconds=3))
    (found,) = turned_up([mine], [], lost, customer)
    assert (found.id, found.operation_id) == ("att_1", "cgt-1")
    assert turned_up([mine], [attempt(AttemptState.SUCCEEDED)], lost, customer) == []
    assert turned_up([task(MADE, customer="hash of acc_3")], [], lost, customer) == []
    assert turned_up([task(MADE, customer="hash of acc_1", created_at=NOW)], [], lost, customer) == []
    twin = LostAttempt(id="att_3", account_id="acc_1", sent_at=LONG_AGO, costed=False)
    assert turned_up([mine], [], [*lost, twin], customer) == []
    # of two of one account in the same minutes, the nonce tells whose it is; of one alone, that it is not his
    numbered = [msgspec.structs.replace(one, nonce=number) for number, one in enumerate((lost[0], twin))]
    said = [turned_up([msgspec.structs.replace(mine, nonce=number)], [], numbered, customer) for number in (0, 1, 2)]
    assert [[one.id for one in found] for found in said] == [["att_1"], ["att_3"], []]


async def answered(parts: Engine) -> list[Reconciled]:
    """A comparison that the upstream answered: on a busy machine its list may be late, and there is a next run."""
    for _ in range(5):
        if found := await reconcile(parts, 24):
            return found
    raise AssertionError("the upstream never told its tasks")


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeArk]:
    with FakeArk(speed=200, enforce_budgets=False, fetch=False) as running:
        yield running


def test_a_task_of_nobody_is_a_row_with_an_age_until_somebody_closes_it(database_url: str, fake: FakeArk) -> None:
    async def verb(db: Database) -> None:
        async with provider(fake) as ark:
            parts = engine(db, providers={"sandbox": sandbox("sandbox", 1), "ark": ark})
            (orphan,) = fake.make(1, age=600)
            fake.make(1)
            (first,) = await answered(parts)
            assert [(one.kind, one.operation_id) for one in first.found] == [("orphan", orphan)]
            await answered(parts)
            (matter,) = await discrepancies.open_ones(db)
            assert matter.found_at is not None
            assert matter.seen_at is not None
            assert matter.seen_at > matter.found_at
            assert await discrepancies.count_open(db) == (1, pytest.approx(0, abs=0.1))
            assert await discrepancies.resolve_by_id(db, matter.id, "asked the vendor")
            assert not await discrepancies.resolve_by_id(db, matter.id, "twice")
            await answered(parts)
            assert await discrepancies.open_ones(db) == []

    with_database(database_url, verb)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_what_was_made_too_late_is_booked_once_as_the_operators(
    database_url: str, fake: FakeArk, acknowledged: bool
) -> None:
    async def verb(db: Database) -> None:
        fake.reset()
        bank = await Bank.open(db, 1_000_000)
        made = await bank.create(quoted=500, most=900)
        await db.execute("UPDATE generation SET provider = 'byteplus' WHERE id = $1", made.id)
        async with provider(fake) as ark:
            parts = engine(db, providers={"byteplus": ark})
            body = {"safety_identifier": parts.pseudonyms.customer(bank.me.account_id)}
            (late,) = fake.make(1, age=600, status="succeeded", body=body)
            await db.execute(
                """
                INSERT INTO attempt (id, generation_id, provider, state, operation, sent_at, resolved_at)
                VALUES ('att_1', $1, 'byteplus', 'lost', $2, now() - interval '10 minutes', now())
                """,
                made.id,
                {"id": late} if acknowledged else None,
            )
            for _ in range(2):
                (result,) = await answered(parts)
                assert [one.kind for one in result.found] in (["late"], [])
            assert await discrepancies.open_ones(db) == []
            booked = await db.fetch("SELECT reference, amount FROM transfer WHERE kind = 'upstream'")
            assert [one["reference"] for one in booked] == ["att_1"]
            assert booked[0]["amount"] > 0
            wallet = await bank.wallet()
            assert (wallet.available, wallet.held) == (999_100, 900), "the customer has nothing to do with it"
            (books,) = [one for one in INVARIANTS if one.name == "INV-10"]
            assert (await check(db, books)).violations == []

    with_database(database_url, verb)
