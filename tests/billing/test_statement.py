"""A statement is the ledger of an account: it opens with what there was, and ends with what the wallet has."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from catalog.asking import accepted
from generations.kit import new, owner, with_database
from money.bank import Bank
from money.kit import finish, paid, sale
from seedance_api.accounts import create
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing import credit, wallet_queries
from seedance_api.billing.books import Books
from seedance_api.billing.rows import TRANSFERS, TransferKind
from seedance_api.billing.settle import book_cost, release, settle
from seedance_api.billing.statement import month_of, statement
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.money import MICRO, parse_amount
from seedance_api.generations.announce import announce_news
from seedance_api.generations.write import Writer

EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
JIFFY = timedelta(microseconds=1)
HEAD = [
    "time", "id", "kind", "video", "reference", "reason", "available_change", "held_change", "available_after",
    "held_after", "currency",
]  # fmt: skip


async def chunks(db: Database, account_id: str, since: datetime, until: datetime) -> list[str]:
    return [chunk async for chunk in statement(db, account_id, since, until)]


async def lines(
    db: Database, account_id: str, since: datetime = EVER[0], until: datetime = EVER[1]
) -> list[dict[str, str]]:
    """The lines of a statement, the opening balance first; each says what the one before it and its change make."""
    text = "".join(await chunks(db, account_id, since, until))
    head, *found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert head == HEAD
    told = [dict(zip(HEAD, one, strict=True)) for one in found]
    assert told[0]["kind"] == "opening balance"
    for name in ("available", "held"):
        left = signed(told[0][f"{name}_after"])
        for one in told[1:]:
            left += signed(one[f"{name}_change"])
            assert signed(one[f"{name}_after"]) == left
    return told


def signed(text: str) -> int:
    return -parse_amount(text[1:]) if text.startswith("-") else parse_amount(text)


async def put(
    db: Database,
    account_id: str,
    moments: Sequence[tuple[str, int, datetime]],
    *,
    reason: str = "because",
    reference: str | None = None,
    generation_id: str | None = None,
    currency: str = "USD",
) -> list[str]:
    """Write transfers of some moment: there is no verb for that, and none changes them afterwards."""
    ids = [new_id("trf") for _ in moments]
    for transfer_id, (kind, amount, moment) in zip(ids, moments, strict=True):
        await db.execute(
            """
            INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, generation_id, reference,
                                  reason, author, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'me', $11)
            """,
            transfer_id, kind, account_id, currency, *TRANSFERS[TransferKind(kind)], amount,
            generation_id if kind in ("hold", "release", "charge", "refund", "waiver", "upstream") else None,
            reference, reason, moment,
        )  # fmt: skip
    return ids


def test_the_last_line_is_the_wallet(database_url: str) -> None:
    async def verb(db: Database) -> None:
        books = Books(db)
        await books.latest()
        me = await owner(db, mode=KeyMode.LIVE)
        order = accepted(model="seedance-2.5", resolution="480p", ratio="16:9", duration=4)
        await credit.credit(
            db, me.account_id, 10 * MICRO, reason="paid", author="me", reference="inv 1", announce=announce_news
        )
        await credit.grant(db, me.account_id, 2 * MICRO, days=9, reason="welcome", author="me", announce=announce_news)
        less, more, lost, going = [paid(me, expected=50_000, order=order) for _ in range(4)]
        for one in (less, more, lost, going):
            await Writer(db)(one)
        async with db.transaction() as connection:
            await settle(connection, sale(less, 40_000), order, books)
            await finish(connection, less.id, "completed")
        async with db.transaction() as connection:
            await book_cost(connection, sale(more, 70_000), order, "att_1", books)
            await settle(connection, sale(more, 70_000), order, books)
            await finish(connection, more.id, "completed")
        async with db.transaction() as connection:
            await release(connection, lost.id)
            await finish(connection, lost.id, "failed")
        await credit.refund(db, less.id, 100_000, reason="sorry", author="me", announce=announce_news)
        await credit.adjust(db, me.account_id, MICRO, reason="mistake", author="me", announce=announce_news)

        told = await lines(db, me.account_id)
        wallet = await wallet_queries.wallet_of(db, me.account_id)
        assert wallet is not None
        assert (signed(told[-1]["available_after"]), signed(told[-1]["held_after"])) == (wallet.available, wallet.held)
        assert (wallet.available, wallet.held) == (12 * MICRO - 513_600 - 642_000 - 642_000 + 100_000 - MICRO, 642_000)
        rows = [
            (one["kind"], one["video"], signed(one["available_change"]), signed(one["held_change"])) for one in told[1:]
        ]
        assert rows[:2] == [("credit", "", 10 * MICRO, 0), ("grant", "", 2 * MICRO, 0)]
        assert rows[2:6] == [("hold", one.id, -642_000, 642_000) for one in (less, more, lost, going)]
        assert sorted(rows[6:8]) == [("charge", less.id, 0, -513_600), ("release", less.id, 128_400, -128_400)]
        # what we waive and what the upstream asks is no movement of the customer's
        assert rows[8:] == [
            ("charge", more.id, 0, -642_000),
            ("release", lost.id, 642_000, -642_000),
            ("refund", less.id, 100_000, 0),
            ("adjustment", "", -MICRO, 0),
        ]
        kinds = {one["kind"] for one in await db.fetch("SELECT kind FROM transfer")}
        assert kinds > {one["kind"] for one in told[1:]}
        assert {"waiver", "upstream"} < kinds
        assert [one["reason"] for one in told if one["kind"] in ("credit", "grant", "refund", "adjustment")] == [
            "paid", "welcome", "sorry", "mistake",
        ]  # fmt: skip
        assert {one["reference"] for one in told[1:]} == {"inv 1", ""}
        assert {one["currency"] for one in told} == {"USD"}
        assert told[0] | {"currency": ""} == dict.fromkeys(HEAD, "") | {
            "kind": "opening balance", "available_after": "0.000000", "held_after": "0.000000",
        }  # fmt: skip

    with_database(database_url, verb)


def test_every_kind_moves_what_it_says(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        video = new(me)
        await Writer(db)(video)
        changes = {
            "credit": (5, 0), "grant": (5, 0), "expiry": (-5, 0), "adjustment": (-5, 0), "hold": (-5, 5),
            "release": (5, -5), "charge": (0, -5), "refund": (5, 0),
        }  # fmt: skip
        assert set(changes) == set(TransferKind) - {"waiver", "upstream"}
        await put(db, me.account_id, [("credit", 100, NOVEMBER - JIFFY)])
        moments = [(kind.value, 5, NOVEMBER + timedelta(hours=at)) for at, kind in enumerate(TransferKind)]
        await put(db, me.account_id, moments, generation_id=video.id)
        told = (await lines(db, me.account_id, NOVEMBER))[1:]
        assert {one["kind"]: (signed(one["available_change"]), signed(one["held_change"])) for one in told} == changes

    with_database(database_url, verb)


def test_a_month_ends_where_the_next_one_begins(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me, other = await owner(db), await owner(db, "two@example.org")
        video = new(me)
        await Writer(db)(video)
        december = datetime(2026, 12, 1, tzinfo=UTC)
        moments = [
            ("credit", 1_000, datetime(2026, 2, 28, 12, tzinfo=UTC)),
            ("hold", 400, NOVEMBER - JIFFY),
            ("credit", 20_000, NOVEMBER),
            ("release", 100, NOVEMBER + JIFFY),
            ("adjustment", 7, datetime(2026, 12, 1, 7, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=8)))),
            ("charge", 300, december),
            ("credit", 1, datetime(2026, 12, 1, 8, tzinfo=timezone(timedelta(hours=8)))),
            ("credit", 5, datetime(2027, 1, 1, tzinfo=UTC)),
        ]
        ids = await put(db, me.account_id, moments, generation_id=video.id)
        await put(db, other.account_id, [("credit", 999, moment) for _, _, moment in moments])

        month = month_of("2026-11")
        assert month is not None
        told = await lines(db, me.account_id, *month)
        assert [one["id"] for one in told] == ["", *ids[2:5]]
        assert [one["time"] for one in told] == [
            "", "2026-11-01T00:00:00.000Z", "2026-11-01T00:00:00.000Z", "2026-11-30T23:59:59.999Z",
        ]  # fmt: skip
        assert [(one["available_after"], one["held_after"]) for one in told] == [
            ("0.000600", "0.000400"), ("0.020600", "0.000400"), ("0.020700", "0.000300"), ("0.020693", "0.000300"),
        ]  # fmt: skip

        seen: list[str] = []
        closing = ("0.000000", "0.000000")
        for text in [f"2026-{number:02}" for number in range(1, 13)] + ["2027-01", "2027-02"]:
            month = month_of(text)
            assert month is not None
            told = await lines(db, me.account_id, *month)
            assert (told[0]["available_after"], told[0]["held_after"]) == closing
            closing = (told[-1]["available_after"], told[-1]["held_after"])
            seen += [one["id"] for one in told[1:]]
        assert sorted(seen) == sorted(ids)  # each in one month
        assert closing == ("0.020699", "0.000000")

    with_database(database_url, verb)


def test_a_long_statement_comes_in_pages_and_loses_nothing_between_them(database_url: str) -> None:
    async def verb(db: Database) -> None:
        for size in (999, 1000, 1001, 2345):
            me = await owner(db, f"{size}@example.org")
            # hundreds at a time have the same moment, as those of one transaction do, and their ids are in no order
            await db.execute(
                """
                INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, reason, author,
                                      created_at)
                SELECT 'trf_' || md5($1 || n::text), 'credit', $1, 'USD', 'payments', 'available', n, 'r', 'me',
                       $2::timestamptz + (n / 300) * interval '1 microsecond'
                FROM generate_series(1, $3) n
                """,
                me.account_id,
                NOVEMBER,
                size,
            )
            head, opening, *pages = await chunks(db, me.account_id, *EVER)
            assert head.count("\r\n") == opening.count("\r\n") == 1
            rest = [size % 1000] if size % 1000 else []
            assert [page.count("\r\n") for page in pages] == [1000] * (size // 1000) + rest
            told = (await lines(db, me.account_id))[1:]
            assert sorted(signed(one["available_change"]) for one in told) == list(range(1, size + 1))
            assert signed(told[-1]["available_after"]) == size * (size + 1) // 2

    with_database(database_url, verb)


def test_no_text_of_a_person_is_a_formula(database_url: str) -> None:
    texts = [
        "=1+1", '=HYPERLINK("https://example.org","x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=", "-", "--",
        "=cmd|' /C calc'!A0", '+"a",b', "@\n=1",
    ]  # fmt: skip

    async def verb(db: Database) -> None:
        me = await owner(db)
        for at, text in enumerate(texts):
            moment = NOVEMBER + timedelta(minutes=at)
            await put(db, me.account_id, [("credit", 1, moment)], reason=text, reference=text)
        told = await lines(db, me.account_id)
        assert [one["reason"] for one in told[1:]] == [one["reference"] for one in told[1:]]
        assert [one["reason"] for one in told[1:]] == [f"'{text}" for text in texts]

    with_database(database_url, verb)


def test_other_text_is_what_was_written(database_url: str) -> None:
    texts = [
        "a=1",
        "1-1",
        "me@example.org",
        'say "x", then',
        "two\nlines",
        "two\r\nlines",
        ";",
        "' quoted",
        "日本 é",
        ",",
    ]

    async def verb(db: Database) -> None:
        me = await owner(db)
        for at, text in enumerate(texts):
            moment = NOVEMBER + timedelta(minutes=at)
            await put(db, me.account_id, [("credit", 1, moment)], reason=text, reference=text)
        told = await lines(db, me.account_id)
        assert [one["reason"] for one in told[1:]] == [one["reference"] for one in told[1:]] == texts

    with_database(database_url, verb)


def test_a_formula_that_a_verb_takes_is_harmless_too(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await credit.credit(db, me.account_id, 1, reason="=1+1", author="me", reference="-2", announce=announce_news)
        (_, one) = await lines(db, me.account_id)
        assert (one["reason"], one["reference"]) == ("'=1+1", "'-2")

    with_database(database_url, verb)


def test_an_account_without_movements_has_its_opening_balance_and_its_currency(database_url: str) -> None:
    async def verb(db: Database) -> None:
        account = await create.create_account(db, "one@example.org", "CNY")
        told = await lines(db, account.id)
        assert len(told) == 1
        assert [told[0][name] for name in ("available_after", "held_after", "currency")] == ["0.000000"] * 2 + ["CNY"]
        await put(db, account.id, [("credit", 3, NOVEMBER)], currency="CNY")
        told = await lines(db, account.id, NOVEMBER + JIFFY)
        assert [one["available_after"] for one in told] == ["0.000003"]
        told = await lines(db, account.id, NOVEMBER)
        assert [one["currency"] for one in told] == ["CNY", "CNY"]

    with_database(database_url, verb)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11", (2026, 11), (2026, 12)),
        ("2026-12", (2026, 12), (2027, 1)),
        ("2026-01", (2026, 1), (2026, 2)),
        ("2028-02", (2028, 2), (2028, 3)),
        ("2000-01", (2000, 1), (2000, 2)),
        ("9998-12", (9998, 12), (9999, 1)),
    ],
)
def test_months(text: str, since: tuple[int, int], until: tuple[int, int]) -> None:
    assert month_of(text) == (datetime(*since, 1, tzinfo=UTC), datetime(*until, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "", "2026", "2026-1", "2026-00", "2026-13", "2026-011", "26-11", "202-11", "2026/11", "2026-11-01", "202611",
        " 2026-11", "2026-11 ", "2026-11\n", "2026- 1", "+2026-11", "-2026-11", "0000-01", "0001-01", "1999-12",
        "9999-01", "9999-12", "10000-01", "nov", "2026-Nov", "2026-1e", "%Y-%m", "2026-11\0",
        "\uff12\uff10\uff12\uff16-11", "2026-\uff11\uff11", "\u0662\u0660\u0662\u0666-11",
    ],
)  # fmt: skip
def test_what_is_no_month(text: str) -> None:
    assert month_of(text) is None


def test_a_charge_and_a_refund_at_midnight_are_of_one_day_everywhere(database_url: str) -> None:
    """Midnight comes between two statements: what counts by days goes by the moment of the transfer."""

    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 10_000)
        await db.execute(
            """
            CREATE FUNCTION yesterday() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN NEW.created_at = date_trunc('day', now(), 'UTC') - interval '1 ms'; RETURN NEW; END $$;
            """
        )
        await db.execute(
            """
            CREATE TRIGGER midnight BEFORE INSERT ON transfer FOR EACH ROW
            WHEN (NEW.kind IN ('charge', 'refund')) EXECUTE FUNCTION yesterday()
            """
        )
        made = await bank.create(quoted=700, most=1000)
        async with db.transaction() as connection:
            await settle(connection, bank.sale(made, tokens=700), made.order, Books(db))
        await credit.refund(db, made.id, 100, reason="sorry", author="me", announce=announce_news)
        counted = await db.fetch("SELECT day, charged, refunded FROM usage")
        moved = await db.fetch(
            """
            SELECT (created_at AT TIME ZONE 'UTC')::date AS day, sum(amount) FILTER (WHERE kind = 'charge') AS charged,
                   sum(amount) FILTER (WHERE kind = 'refund') AS refunded
            FROM transfer WHERE kind IN ('charge', 'refund') GROUP BY 1
            """
        )
        assert [tuple(one) for one in counted] == [tuple(one) for one in moved]

    with_database(database_url, verb)
