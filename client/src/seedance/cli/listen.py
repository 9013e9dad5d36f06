"""`seedance webhooks listen`: the account's events, sent on to this machine."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import httpx
import typer

from seedance.cli.events import style
from seedance.cli.output import FOREVER, Output, printable, session
from seedance.cli.videos import moment
from seedance.client import Seedance
from seedance.errors import WebhookInvalid
from seedance.forward import Attempt, Forwarder, new_secret
from seedance.unwrap import key_of
from seedance.webhook_objects import Event

SECRET = "SEEDANCE_WEBHOOK_SECRET"  # noqa: S105 – the variable's name
EVERY_SECONDS = 1.0


def checked_url(value: str) -> str:
    given = value if "://" in value else f"http://{value}"
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL:
        url = None
    if url is None or url.scheme not in {"http", "https"} or not url.host:
        raise typer.BadParameter(f"{value!r} is not an address, such as http://localhost:3000/hook")
    return given


def checked_secret(value: str | None) -> str | None:
    try:
        if value is None or (value.startswith("whsec_") and key_of(value)):
            return value
    except WebhookInvalid:
        pass  # the secret itself is not repeated
    raise typer.BadParameter("it is not a signing secret: `whsec_` followed by base64, as `webhooks create` shows it")


def listen(
    forward_to: Annotated[str, typer.Option(metavar="URL", callback=checked_url, help="Address to forward events to.")],
    events: Annotated[
        str | None, typer.Option(metavar="TYPES", help="Only these types, separated by commas [default: all].")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Start after this event, evt_… [default: with new events].")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            envvar=SECRET,
            show_envvar=False,
            callback=checked_secret,
            help=f"Signing secret, or {SECRET} [default: a new one for this run].",
        ),
    ] = None,
    print_json: Annotated[
        bool, typer.Option("--print-json", help="Print each event as one line of JSON; results go to standard error.")
    ] = False,
) -> None:
    """Forward events to your own machine, signed like webhooks, until Ctrl-C."""
    with session(as_json=False, stdout_is_taken=print_json, outage_seconds=FOREVER) as (client, out):
        kinds = checked_kinds(events, client)
        signs_with = secret or new_secret()
        last = after or newest(client)
        with closing(Forwarder(forward_to, signs_with)) as forwarder:
            out.note(f"Forwarding {', '.join(kinds) if kinds else 'all events'} to {forward_to}. Ctrl-C to stop.")
            out.note(
                f"Signing secret: {signs_with}" + ("" if secret else "  (for this run; set your own with --secret)")
            )
            try:
                for event in client.events.follow(after=last, every=EVERY_SECONDS):
                    if not kinds or event.type in kinds:
                        handle(event, forwarder, out, print_json=print_json)
                    last = event.id
            except KeyboardInterrupt:
                cursor = f" --after {last}" if last else ""
                out.note(
                    f"\nStopped. To continue: seedance webhooks listen --forward-to {shlex.quote(forward_to)}{cursor}"
                )


def checked_kinds(events: str | None, client: Seedance) -> list[str]:
    kinds = [kind.strip() for kind in (events or "").split(",") if kind.strip()]
    known: Sequence[str] = client.webhooks.event_types() if kinds else ()
    if unknown := [kind for kind in kinds if kind not in known]:
        raise typer.BadParameter(
            f"unknown event type {', '.join(unknown)}. Available: {', '.join(known)}", param_hint="--events"
        )
    return kinds


def newest(client: Seedance) -> str | None:
    """The id of the last event so far: the feed is read from its beginning only."""
    last = None
    for event in client.events.list(limit=100):
        last = event.id
    return last


def handle(event: Event, forwarder: Forwarder, out: Output, *, print_json: bool) -> None:
    """Forward one event; a line for each answer, and one for as long as there is none."""
    if print_json:
        out.json(event.raw)
    said = ""
    for attempt in forwarder.forward(event):
        line = in_words(attempt)
        if attempt.status is not None or line != said:
            said = line
            show(event, line, attempt, out)


def in_words(attempt: Attempt) -> str:
    if attempt.status is None:
        return f"no answer ({attempt.reason}); trying again until there is one"
    again = f"; trying again in {attempt.again:g} s" if attempt.again is not None else ""
    given_up = "; given up" if not attempt.delivered and attempt.again is None else ""
    return f"{attempt.status} in {attempt.milliseconds} ms{again}{given_up}"


def show(event: Event, line: str, attempt: Attempt, out: Output) -> None:
    of = str(event.data.get("id") or "-")
    text = f"{moment(event.created_at) or '-'}  {event.type:<18}  {of}  {event.id}  → {line}"
    out.line(printable(text), style(event) if attempt.delivered else "red")
