"""Tables of endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from seedance.cli.output import Output
from seedance.cli.table import Column, show_columns
from seedance.cli.videos import moment
from seedance.webhook_objects import WebhookAttempt, WebhookDelivery, WebhookEndpoint

STATES = {"delivered": "green", "pending": "cyan", "failed": "red", "dropped": "yellow"}


def show_endpoints(found: Sequence[WebhookEndpoint], out: Output) -> None:
    if not out.console.is_terminal:
        for one in found:
            cells = (one.id, standing(one), one.url, ",".join(one.event_types), one.name or "-")
            out.line("\t".join(" ".join(cell.split()) for cell in cells))
        return
    good = ["green" if one.enabled and one.failing_since is None else "red" for one in found]
    show_columns(
        [
            Column("id", [one.id for one in found]),
            Column("state", [Text(standing(one), style) for one, style in zip(found, good, strict=True)]),
            Column("url", [one.url for one in found], 1, min_width=24),
            Column("events", [" ".join(one.event_types) for one in found], 2, min_width=20),
            Column("name", [one.name for one in found], 3, min_width=10),
        ],
        out,
    )


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
    show_columns(
        [
            Column("event", [one.event_id for one in found]),
            Column("type", [one.type for one in found], 1),
            Column("state", [Text(one.state, STATES.get(one.state, "")) for one in found]),
            Column("tries", [str(one.tries) for one in found], 2, right=True),
            Column("last try", [last_try(one.attempts) for one in found], 3),
            Column("next try", [later(one) for one in found], 4),
        ],
        out,
    )


def last_try(attempts: Sequence[WebhookAttempt]) -> str:
    """How the last try went, and when."""
    if not attempts:
        return ""
    last = attempts[-1]
    return f"{last.status or ''} {last.outcome} {moment(last.at)}".strip()


def later(one: WebhookDelivery) -> str:
    return moment(one.next_attempt_at) or ""
