"""`seedance-api account balance`, `limit` and `statement`: an account's money, and what it may spend."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from seedance_api.billing import limits, wallet_queries
from seedance_api.billing.limits import Spending
from seedance_api.billing.rows import Period
from seedance_api.billing.statement import month_of, statement
from seedance_api.catalog.words import got
from seedance_api.cli.accounts import Email, command
from seedance_api.cli.answer import AsJson, DataDir, amount_of, fail, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.money import format_amount, format_price, parse_amount
from seedance_api.settings import Settings

LimitOption = Annotated[str | None, typer.Option(metavar="AMOUNT", help="The most for it; `none` lifts the limit.")]


@command.command("balance")
def account_balance(email: Email, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show an account's money and its limits."""

    async def verb(db: Database, _: Settings) -> tuple[dict[str, Any], list[Spending]]:
        account = await account_of(db, email)
        wallet = await wallet_queries.wallet_of(db, account.id)
        kinds = ("available", "held", "granted")
        fields: dict[str, Any] = {kind: format_amount(getattr(wallet, kind) if wallet else 0) for kind in kinds}
        return {"currency": account.currency} | fields, await limits.spending(db, account.id)

    fields, spendings = in_database(data_dir, verb)
    kinds = ("available", "held", "granted")
    text = "  ".join(f"{format_price(parse_amount(fields[kind]), fields['currency'])} {kind}" for kind in kinds)
    lines = [text, *_limit_lines(spendings, fields["currency"])]
    show(fields | {"limits": _limit_fields(spendings)}, as_json, "\n".join(lines))


@command.command("limit")
def account_limit(
    email: Email,
    key: Annotated[str | None, typer.Option(help="The id of one of its keys [default: the whole account].")] = None,
    day: LimitOption = None,
    month: LimitOption = None,
    total: LimitOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Limit what an account or one of its keys may spend a day, a month, or in all. Days and months are UTC."""
    asked = {Period.DAY: day, Period.MONTH: month, Period.TOTAL: total}
    amounts = {
        period: None if text == "none" else amount_of(text, f"--{period}")
        for period, text in asked.items()
        if text is not None
    }

    async def verb(db: Database, _: Settings) -> tuple[str, list[Spending]]:
        account = await account_of(db, email)
        await limits.set_limits(db, account.id, key, amounts)
        return account.currency, await limits.spending(db, account.id, key)

    currency, spendings = in_database(data_dir, verb)
    show({"limits": _limit_fields(spendings)}, as_json, "\n".join(_limit_lines(spendings, currency)) or "No limits.")


@command.command("statement")
def account_statement(
    email: Email,
    month: Annotated[str | None, typer.Option(help="Such as 2026-11 [default: this month].")] = None,
    data_dir: DataDir = None,
) -> None:
    """Print every movement of an account's money in a month, as CSV."""
    span = month_of(month or datetime.now(UTC).strftime("%Y-%m"))
    if span is None:
        fail(f"--month must be a month such as 2026-11{got(month)}", 2)

    async def verb(db: Database, _: Settings) -> None:
        account = await account_of(db, email)
        async for lines in statement(db, account.id, *span):
            sys.stdout.write(lines)

    in_database(data_dir, verb)


def _limit_fields(spendings: list[Spending]) -> list[dict[str, Any]]:
    return [
        {
            "key_id": spending.key_id,
            "period": spending.period.value,
            "limit": format_amount(spending.most),
            "spent": format_amount(spending.spent),
            "left": format_amount(spending.left),
        }
        for spending in spendings
    ]


def _limit_lines(spendings: list[Spending], currency: str) -> list[str]:
    spans = {Period.DAY: "a day", Period.MONTH: "a month", Period.TOTAL: "in all"}
    return [
        f"{spending.key_id or 'account'}: {format_price(spending.most, currency)} {spans[spending.period]}, "
        f"{format_price(spending.spent, currency)} spent, {format_price(spending.left, currency)} left"
        for spending in spendings
    ]
