"""`seedance-api account …`: customers and their money."""

from typing import Annotated, Any

import typer

from seedance_api.accounts import create
from seedance_api.accounts.queries import Account
from seedance_api.billing import credit as money
from seedance_api.billing.books import Books
from seedance_api.billing.credit import Moved
from seedance_api.cli.answer import AsJson, Author, DataDir, Reason, amount_of, author_of, fail, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.money import format_amount, format_price
from seedance_api.generations.announce import announce_news
from seedance_api.settings import Settings

command = typer.Typer(add_completion=False, no_args_is_help=True, help="Accounts of customers, and their money.")
Email = Annotated[str, typer.Argument(metavar="E-MAIL", help="The account's address.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="In the account's currency, such as 12.50.")]
Reference = Annotated[
    str | None, typer.Option(help="A name of the move, such as a payment's id: under one name it is done once.")
]


@command.command("create")
def account_create(
    email: Email,
    currency: Annotated[
        str | None, typer.Option(help="Currency of its money, for good; one of the price book's [default: its first].")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an account."""

    async def verb(db: Database, _: Settings) -> Account:
        book = (await Books(db).latest()).book
        if currency is not None and currency not in book.currencies:
            known = ", ".join(book.currencies)
            fail(f"--currency {currency} is not in the price book: it has {known}. See seedance-api prices", 2)
        return await create.create_account(db, email, currency or book.default_currency)

    account = in_database(data_dir, verb)
    show(account_fields(account), as_json, f"Account {account.id} for {account.email}, in {account.currency}.")


def account_fields(account: Account) -> dict[str, Any]:
    """An account for a program."""
    return {
        "id": account.id,
        "email": account.email,
        "currency": account.currency,
        "regions": account.regions,
        "keep_seconds": account.keep_seconds,
        "grace_seconds": account.grace_seconds,
        "rate_multiplier": account.rate_multiplier or account.tier_multiplier,
        "analytics_objected_at": account.analytics_objected_at,
    }


@command.command("credit")
def account_credit(
    email: Email,
    amount: Amount,
    reason: Reason,
    reference: Reference = None,
    author: Author = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add money that was paid."""
    micro, who = amount_of(amount), author_of(author)

    async def verb(db: Database, _: Settings) -> Moved:
        account = await account_of(db, email)
        return await money.credit(
            db, account.id, micro, reason=reason, author=who, reference=reference, announce=announce_news
        )

    _show_moved(in_database(data_dir, verb), "credited", as_json)


@command.command("grant")
def account_grant(
    email: Email,
    amount: Amount,
    reason: Reason,
    days: Annotated[int, typer.Option(help="How long it lasts.")] = 30,
    reference: Reference = None,
    author: Author = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add money as a gift. It is spent before paid money, and what is left of it ends after some days."""
    micro, who = amount_of(amount), author_of(author)

    async def verb(db: Database, _: Settings) -> Moved:
        account = await account_of(db, email)
        return await money.grant(
            db, account.id, micro, days=days, reason=reason, author=who, reference=reference, announce=announce_news
        )

    _show_moved(in_database(data_dir, verb), "granted", as_json)


@command.command("adjust")
def account_adjust(
    email: Email,
    amount: Amount,
    reason: Reason,
    reference: Reference = None,
    author: Author = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take paid money away, to correct a mistake. What is on hold or granted stays."""
    micro, who = amount_of(amount), author_of(author)

    async def verb(db: Database, _: Settings) -> Moved:
        account = await account_of(db, email)
        return await money.adjust(
            db, account.id, micro, reason=reason, author=who, reference=reference, announce=announce_news
        )

    _show_moved(in_database(data_dir, verb), "taken", as_json)


@command.command("refund")
def account_refund(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="The video's id.")],
    reason: Reason,
    amount: Annotated[str | None, typer.Option(help="How much [default: all of the charge].")] = None,
    reference: Reference = None,
    author: Author = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give back what a video cost, or a part of it."""
    micro, who = None if amount is None else amount_of(amount, "--amount"), author_of(author)
    moved = in_database(
        data_dir,
        lambda db, _: money.refund(
            db, video, micro, reason=reason, author=who, reference=reference, announce=announce_news
        ),
    )
    _show_moved(moved, "refunded", as_json)


def _show_moved(moved: Moved, word: str, as_json: bool) -> None:
    fields = {
        "account_id": moved.account_id,
        "amount": format_amount(moved.amount),
        "currency": moved.currency,
        "available": format_amount(moved.available),
        "repeated": moved.repeated,
    }
    done = "already booked under that reference" if moved.repeated else word
    amount, available = format_price(moved.amount, moved.currency), format_price(moved.available, moved.currency)
    show(fields, as_json, f"{amount} {done}; {available} available now.")
