"""`seedance-api prices …`: the price book."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from seedance_api.billing import book_queries
from seedance_api.billing.books import Books, PriceBook, load_book
from seedance_api.cli.answer import AsJson, Author, DataDir, author_of, fail, show
from seedance_api.cli.run import in_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.money import format_amount, format_price
from seedance_api.settings import Settings

command = typer.Typer(add_completion=False, no_args_is_help=True, help="The price book: what videos cost.")
Version = Annotated[int | None, typer.Option(help="Version [default: the active one].")]


@command.command("show")
def prices_show(version: Version = None, data_dir: DataDir = None) -> None:
    """Print a version of the price book as it was loaded: a file to edit and load again."""

    async def verb(db: Database, _: Settings) -> str | None:
        wanted = version or (await Books(db).latest()).version
        known = {number for number, _, _ in await book_queries.books(db)}
        return await book_queries.book_text(db, wanted) if wanted in known else None

    text = in_database(data_dir, verb)
    if text is None:
        fail("there is no such version", 1)
    sys.stdout.write(text)


@command.command("load")
def prices_load(
    file: Annotated[Path, typer.Argument(help="A TOML file, such as `prices show` prints.")],
    author: Author = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check a price book and make it active. Videos that were quoted before keep their version."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {type(error).__name__}", 1)
    who = author_of(author)

    async def verb(db: Database, _: Settings) -> tuple[int, bool] | str:
        try:
            return await load_book(db, text, author=who)
        except ValueError as error:
            return str(error)

    loaded = in_database(data_dir, verb)
    if isinstance(loaded, str):
        fail("\n  ".join([f"{file} is not a price book:", *loaded.splitlines()]), 1)
    version, is_new = loaded
    said = (
        f"Price book {version} is now active."
        if is_new
        else f"Price book {version} is active already and says the same."
    )
    show({"version": version, "new": is_new}, as_json, said)


@command.command("list")
def prices_list(version: Version = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List every price of a version, for a million tokens, and who loaded which version when."""

    async def verb(db: Database, _: Settings) -> tuple[PriceBook | None, list[tuple[int, str, str]]]:
        books = Books(db)
        latest = await books.latest()
        known = [
            (number, author, at.isoformat(timespec="seconds")) for number, author, at in await book_queries.books(db)
        ]
        wanted = version or latest.version
        return (await books.at(wanted) if wanted in {one[0] for one in known} else None), known

    book, known = in_database(data_dir, verb)
    if book is None:
        fail("there is no such version", 1)
    rates = [
        {
            "currency": currency,
            "model": use.model,
            "resolution": use.resolution,
            "input_video": use.input_video,
            "audio": use.audio,
            "service_tier": use.service_tier,
            "cost": format_amount(rate.cost),
            "price": format_amount(rate.price),
        }
        for (currency, use), rate in book.rates.items()
    ]
    lines = [
        f"{format_price(rate.price, currency):>14}  (cost {format_price(rate.cost, currency):>14})  {use}"
        for (currency, use), rate in book.rates.items()
    ]
    history = [f"version {number}, loaded {at} by {author}" for number, author, at in known]
    versions = [{"version": number, "author": author, "loaded_at": at} for number, author, at in known]
    fields = {"version": book.version, "rates": rates, "versions": versions}
    show(fields, as_json, "\n".join([*history, "", f"Version {book.version}, for a million tokens:", *lines]))
