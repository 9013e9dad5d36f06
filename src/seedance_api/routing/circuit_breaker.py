"""Circuit breakers: what a provider's answers say about trying it again, and what is known of it. The table is `gate`.

There is one for each provider and one for each of its models. Trouble opens it for a while, which grows with repeated
trouble; when the while is over one start goes through as a probe, and its success closes the breaker.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from seedance_api.foundation.db import Connection, Database, rows
from seedance_api.providers.provider import Busy, NotSent, Refused, Started, StartOutcome, Unclear

MAX_FAILURES = 3
"""Failures in a row, without a word from the provider on how long to wait, before its circuit breaker opens."""
_MAX_PAUSE = 60.0
_OPERATOR_SECONDS = 300.0
_MAX_WAIT = 3600.0
_MIN_SHARE = 0.05


class CircuitBreaker(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `gate`, or what one that is not there would say: of a provider's model, or of all of it with ''.

    `wait_seconds` until starts are allowed again, `rested_seconds` since they are. The other names are those that the
    operator's command prints and the statements give.
    """

    provider: str
    model: str
    failures: int = 0
    share: float = 1.0
    wait_seconds: float = msgspec.field(default=0.0, name="closed_seconds")
    tripped: bool = msgspec.field(default=False, name="was_closed")
    rested_seconds: float = msgspec.field(default=0.0, name="open_seconds")
    reason: str | None = None


class Trouble(msgspec.Struct, frozen=True):
    """What to note after a start that was not taken: for the breaker of one model, or of all with ''."""

    model: str
    failures: int
    wait_seconds: float
    share: float
    reason: str


def after_start(outcome: StartOutcome, breaker: CircuitBreaker, model: str) -> Trouble | None:
    """What a start's answer means for the provider's circuit breaker; None when it says nothing bad.

    Seconds are relative to now. A refusal of the request is a healthy answer.
    """
    match outcome:
        case Started() | Refused():
            return None
        case Busy(reason, wait_seconds, model_only, operator):
            failures = breaker.failures + 1
            seconds = min(wait_seconds, _MAX_WAIT) if wait_seconds is not None else _pause(failures)
            if operator:
                seconds = max(seconds, _OPERATOR_SECONDS)
            share = max(_MIN_SHARE, breaker.share / 2)
            return Trouble(model if model_only else "", failures, seconds, share, reason)
        case NotSent(reason) | Unclear(reason):
            failures = breaker.failures + 1
            seconds = _pause(failures) if failures >= MAX_FAILURES else 0.0
            return Trouble("", failures, seconds, breaker.share, reason)
        case _:
            assert_never(outcome)


def room(concurrency: int, share: float) -> int:
    """How many operations a provider gets at once while it has a share of its capacity; never none."""
    return max(1, int(concurrency * share))


def _pause(failures: int) -> float:
    return min(_MAX_PAUSE, 2.0 ** min(failures - 1, 10))


async def of_model(db: "Database | Connection", provider: str, model: str) -> list[CircuitBreaker]:
    """The breakers that a start of this model passes: the model's own and that of the whole provider."""
    return rows(CircuitBreaker, await db.fetch(
        """
        SELECT provider, model, failures, share, reason, closed_until IS NOT NULL AS was_closed,
               greatest(0, extract(epoch FROM closed_until - now()))::float8 AS closed_seconds,
               greatest(0, extract(epoch FROM now() - closed_until))::float8 AS open_seconds
        FROM gate WHERE provider = $1 AND model IN ('', $2)
        """,
        provider,
        model,
    ))  # fmt: skip


async def of_providers(db: "Database | Connection", providers: Sequence[str]) -> list[CircuitBreaker]:
    """Every breaker of these providers."""
    return rows(CircuitBreaker, await db.fetch(
        """
        SELECT provider, model, failures, share, reason, closed_until IS NOT NULL AS was_closed,
               greatest(0, extract(epoch FROM closed_until - now()))::float8 AS closed_seconds
        FROM gate WHERE provider = ANY ($1)
        """,
        list(providers),
    ))  # fmt: skip


def wait_seconds(breakers: Sequence[CircuitBreaker], model: str) -> float:
    """Seconds for which nothing of a model may be started."""
    return max((one.wait_seconds for one in breakers if one.model in ("", model)), default=0.0)


async def take_probe(connection: Connection, provider: str, model: str, seconds: float) -> bool:
    """Be the one who tries a provider that had trouble; True when no other is just trying."""
    found = await connection.fetch(
        """
        UPDATE gate SET closed_until = now() + $3 * interval '1 second'
        WHERE provider = $1 AND model IN ('', $2) AND failures > 0 AND coalesce(closed_until <= now(), true)
        RETURNING model
        """,
        provider,
        model,
        seconds,
    )
    return bool(found)


async def trip(db: Database, provider: str, trouble: Trouble) -> None:
    """Note trouble, and keep the breaker open for at least as long as it asks."""
    await db.execute(
        """
        INSERT INTO gate AS g (provider, model, failures, closed_until, share, reason)
        VALUES ($1, $2, $3, CASE WHEN $4 > 0 THEN now() + $4 * interval '1 second' END, $5, $6)
        ON CONFLICT (provider, model) DO UPDATE SET failures = g.failures + 1, reason = excluded.reason,
            share = least(g.share, excluded.share), closed_until = greatest(
                g.closed_until,
                excluded.closed_until,
                CASE WHEN g.failures + 1 >= $7 THEN now() + interval '1 second' END  -- several at once, each the first
            )
        """,
        provider,
        trouble.model,
        trouble.failures,
        trouble.wait_seconds,
        trouble.share,
        trouble.reason,
        MAX_FAILURES,
    )


async def reset(db: Database, provider: str, model: str, failures: int) -> None:
    """A start was taken, or refused in health: the breakers on its way are closed, and the provider gets more again.

    Unless there was trouble after that start was admitted, when there were so many `failures`.
    """
    await db.execute(
        """
        UPDATE gate SET failures = 0, closed_until = NULL, reason = NULL, share = least(1, share + 0.05)
        WHERE provider = $1 AND model IN ('', $2) AND (failures > 0 OR share < 1)
          AND failures <= $3
        """,
        provider,
        model,
        failures,
    )
