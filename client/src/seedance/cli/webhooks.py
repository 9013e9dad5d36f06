"""`seedance webhooks`: who is told of events, and what became of it."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from itertools import islice
from typing import Annotated, TypeAlias

import typer

from seedance.cli.listen import listen
from seedance.cli.output import FAILED, Json, Output, session
from seedance.cli.videos import moment
from seedance.cli.webhook_tables import show_deliveries, show_endpoints
from seedance.webhook_objects import WebhookEndpoint, WebhookSecret

webhooks = typer.Typer(help="Send events to your server.", no_args_is_help=True)
webhooks.command()(listen)


def checked_endpoint(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise typer.BadParameter(f"{value!r} is not an endpoint id, such as whe_01k5…")
    return value


def checked_moment(value: str | None) -> str | None:
    if value is not None and not value.isdecimal():
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise typer.BadParameter(f"{value!r} is not a time, such as 2026-11-24T10:00") from None
    return value


EndpointId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="whe_…", callback=checked_endpoint)]
Limit: TypeAlias = Annotated[int, typer.Option(min=1, help="Show at most this many.")]
EventTypes: TypeAlias = Annotated[
    list[str] | None, typer.Option("--event", metavar="TYPE", help="Event type, such as video.completed. Repeatable.")
]
Signatures: TypeAlias = Annotated[
    list[str] | None, typer.Option("--signature", metavar="v1|v1a", help="Signature scheme [default: v1]. Repeatable.")
]
Name: TypeAlias = Annotated[str | None, typer.Option(help="A name for it.")]
KeepOld: TypeAlias = Annotated[bool, typer.Option("--keep-old", help="Keep the old secret active for 24 hours.")]


@webhooks.command("list")
def list_(limit: Limit = 20, as_json: Json = False) -> None:
    """List your endpoints, newest first."""
    with session(as_json) as (client, out):
        found = list(islice(client.webhooks.list(limit=min(limit, 100)), limit))
        if as_json:
            out.json({"object": "list", "data": [one.raw for one in found]})
        elif not found:
            out.note("No endpoints.")
        else:
            show_endpoints(found, out)


@webhooks.command()
def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address to send events to.")],
    event: EventTypes = None,
    signature: Signatures = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Add an endpoint for all events, or for the types given by --event."""
    with session(as_json) as (client, out):
        made = client.webhooks.create(url, event or ("*",), name=name, signatures=signature)
        if as_json:
            out.json(made.raw)
            return
        show(made, out)
        out.note("Save the secret: it is shown only now.", "yellow")


@webhooks.command()
def update(
    endpoint_id: EndpointId,
    url: Annotated[str | None, typer.Option(help="New address.")] = None,
    event: EventTypes = None,
    signature: Signatures = None,
    name: Name = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Enable or disable deliveries.")] = None,
    as_json: Json = False,
) -> None:
    """Change an endpoint. Options that are omitted keep their values."""
    if all(one is None for one in (url, event, signature, name, enabled)):
        raise typer.BadParameter("give at least one option to change", param_hint="--url")
    with session(as_json) as (client, out):
        changed = client.webhooks.update(
            endpoint_id, url=url, event_types=event, enabled=enabled, name=name, signatures=signature
        )
        if as_json:
            out.json(changed.raw)
        else:
            show(changed, out)


@webhooks.command()
def delete(
    endpoint_id: EndpointId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: Json = False,
) -> None:
    """Delete an endpoint and its pending deliveries."""
    if not yes and not as_json and sys.stdin.isatty():
        typer.confirm(f"Delete {endpoint_id} and its pending deliveries?", abort=True, err=True)
    with session(as_json) as (client, out):
        deleted = client.webhooks.delete(endpoint_id)
        if as_json:
            out.json(deleted.raw)
        else:
            out.line(f"Deleted {deleted.id}")


@webhooks.command("test")
def try_(
    endpoint_id: EndpointId,
    event: Annotated[str, typer.Option("--event", metavar="TYPE", help="Event type to send.")] = "video.completed",
    as_json: Json = False,
) -> None:
    """Send a test event now. Fails unless the answer is 2xx."""
    with session(as_json) as (client, out):
        tried = client.webhooks.test(endpoint_id, event)
        good = tried.outcome == "delivered"
        if as_json:
            out.json(tried.raw)
        else:
            answer = f"answered {tried.status_code}" if tried.status_code is not None else "did not answer"
            out.line(f"{'✓' if good else '✗'} it {answer}  ({tried.outcome}, {event})", "green" if good else "red")
    if not good:
        raise typer.Exit(FAILED)


@webhooks.command()
def deliveries(
    endpoint_id: EndpointId,
    state: Annotated[
        str | None, typer.Option(help="Only deliveries that are pending, delivered, failed or dropped.")
    ] = None,
    limit: Limit = 20,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Continue after this event.")] = None,
    as_json: Json = False,
) -> None:
    """List deliveries, sent and pending, newest first."""
    with session(as_json) as (client, out):
        page = client.webhooks.deliveries(endpoint_id, state=state, limit=min(limit, 100), after=after)
        found = list(islice(page, limit))
        if as_json:
            out.json({"object": "list", "data": [one.raw for one in found]})
        elif not found:
            out.note("No deliveries.")
        else:
            show_deliveries(found, out)


@webhooks.command()
def replay(
    endpoint_id: EndpointId,
    event: Annotated[str | None, typer.Option("--event", metavar="ID", help="The event to send again, evt_….")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", callback=checked_moment, help="Events since 2026-11-24T10:00, or Unix seconds."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", callback=checked_moment, help="Events before this time.")
    ] = None,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Only events whose delivery failed.")] = False,
    as_json: Json = False,
) -> None:
    """Send one event, or those of a period, again. Times without a zone are local."""
    if (event is None) == (since is None) or (event is not None and (until is not None or only_failed)):
        raise typer.BadParameter("give either --event, or --since and what bounds it", param_hint="--event")
    with session(as_json) as (client, out):
        made = client.webhooks.replay(endpoint_id, event, since=at(since), until=at(until), only_failed=only_failed)
        if as_json:
            out.json(made.raw)
        else:
            out.line(f"{made.count:,} {'delivery' if made.count == 1 else 'deliveries'} queued")


@webhooks.command()
def rotate(
    endpoint_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="whe_…, or use --account.", callback=checked_endpoint)
    ] = None,
    account: Annotated[
        bool, typer.Option("--account", help="Rotate the account's own secret, which signs for `webhook_url`.")
    ] = False,
    keep_old: KeepOld = False,
    as_json: Json = False,
) -> None:
    """Rotate a signing secret and show the new one."""
    if (endpoint_id is None) != account:
        raise typer.BadParameter("give either an endpoint or --account", param_hint="ID")
    with session(as_json) as (client, out):
        if endpoint_id is None:
            made = client.webhooks.rotate_account_secret(keep_old=keep_old)
        else:
            made = client.webhooks.rotate_secret(endpoint_id, keep_old=keep_old)
        if as_json:
            out.json(made.raw)
        else:
            show_secret(made, out)


@webhooks.command()
def secret(as_json: Json = False) -> None:
    """Show the last characters of the account's secret, which signs for `webhook_url`."""
    with session(as_json) as (client, out):
        found = client.webhooks.secret()
        if as_json:
            out.json(found.raw)
        else:
            show_secret(found, out)


def at(value: str | None) -> int | None:
    if value is None or value.isdecimal():
        return None if value is None else int(value)
    return int(datetime.fromisoformat(value).timestamp())


def show(endpoint: WebhookEndpoint, out: Output) -> None:
    facts = [
        ("id", endpoint.id),
        ("url", endpoint.url),
        ("name", endpoint.name),
        ("events", ", ".join(endpoint.event_types)),
        ("signed by", ", ".join(endpoint.signatures)),
        ("enabled", "yes" if endpoint.enabled else f"no ({endpoint.disabled_reason})"),
        ("public key", endpoint.public_key),
    ]
    for name, value in facts:
        if value:
            out.fact(name, value)
    if endpoint.signing_secret:
        show_secret(endpoint, out)


def show_secret(made: WebhookEndpoint | WebhookSecret, out: Output) -> None:
    out.fact("secret", made.signing_secret or made.signing_secret_hint, "bold")
    if isinstance(made, WebhookSecret) and made.signing_secret is None:
        rotated = moment(made.rotated_at)
        out.fact(
            "",
            f"rotated {rotated}" if rotated else "never shown; `webhooks rotate --account` makes and shows a new one",
        )
    if until := moment(made.previous_secret_until):
        out.fact("", f"the previous secret stays active until {until}")
