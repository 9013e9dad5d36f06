"""Tables of endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from seedance.cli.output import Output, printable
from seedance.cli.videos import moment
from seedance.webhook_objects import WebhookAttempt, WebhookDelivery, WebhookEndpoint

STATES = {"delivered": "green", "pending": "cyan", "failed": "red", "dropped": "yellow"}


def show_endpoints(found: Sequence[WebhookEndpoint], out: Output) -> None:
    if not out.console.is_terminal:
        for one in found:
            cells = (one.id, standing(one), one.url, ",".join(one.event_types), one.name or "-")
            out.line("\t".join(" ".join(cell.split()) for cell in cells))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("id", no_wrap=True)
    for name in ("state", "url", "events", "name"):
        table.add_column(name, overflow="fold")
    for one in found:
        style = "green" if one.enabled and one.failing_since is None else "red"
        cells = (one.url, " ".join(one.event_types), one.name)
        table.add_row(one.id, Text(standing(one), style), *(Text(printable(cell)) for cell in cells))
    out.console.print(table, soft_wrap=False)


def standing(one: WebhookEndpoint) -> str:
    if not one.enabled:
        return f"disabled ({one.disabled_reason})"
    return "enabled" if one.failing_since is None else f"failing since {moment(one.failing_since)}"


def show_deliveries(found: Sequence[WebhookDelivery], out: Output) -> None:
    if not out.console.is_terminal:
        for one in found:
            last = last_try(one.attempts) or "-"
            out.line("\t".join((one.event_id, one.type, one.state, str(one.tries), last, later(one) or "-")))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("event", no_wrap=True)
    for name in ("type", "state"):
        table.add_column(name)
    table.add_column("tries", justify="right")
    for name in ("last try", "next try"):
        table.add_column(name)
    for one in found:
        cells = (str(one.tries), Text(printable(last_try(one.attempts))), later(one))
        table.add_row(one.event_id, Text(printable(one.type)), Text(one.state, STATES.get(one.state, "")), *cells)
    out.console.print(table, soft_wrap=False)


def last_try(attempts: Sequence[WebhookAttempt]) -> str:
    """How the last try went, and when."""
    if not attempts:
        return ""
    last = attempts[-1]
    return f"{last.status or ''} {last.outcome} {moment(last.at)}".strip()


def later(one: WebhookDelivery) -> str:
    return moment(one.next_attempt_at) or ""
