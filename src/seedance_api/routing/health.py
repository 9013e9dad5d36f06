"""Health: what the answers of a provider say about trying it again. Pure; the rows are in `gate`.

A breaker for each provider and each of its models: trouble closes it for a while, which grows with repeated trouble;
when the while is over one start goes through as a probe, and its success opens the gate.
"""

from typing import assert_never

import msgspec

from seedance_api.providers.provider import Busy, NotSent, Refused, Started, StartOutcome, Unclear

PATIENCE = 3
"""Failures in a row, without a word from the provider on how long to wait, before its gate closes."""
_LONGEST = 60.0
_OPERATOR_SECONDS = 300.0
_WAIT_MOST = 3600.0
_LEAST_SHARE = 0.05


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `gate`, or what one that is not there would say. `closed_seconds` until starts are allowed again.

    `open_seconds` since its last trouble is over.
    """

    provider: str
    model: str
    failures: int = 0
    share: float = 1.0
    closed_seconds: float = 0.0
    was_closed: bool = False
    open_seconds: float = 0.0
    reason: str | None = None


class Trouble(msgspec.Struct, frozen=True):
    """What to note after a start that was not taken: the gate of one model, or of all with ''."""

    model: str
    failures: int
    closed_seconds: float
    share: float
    reason: str


def after_start(outcome: StartOutcome, gate: Gate, model: str) -> Trouble | None:
    """What a start's answer means for the provider's gate; None when it says nothing bad.

    Seconds are relative to now. A refusal of the request is a healthy answer.
    """
    match outcome:
        case Started() | Refused():
            return None
        case Busy(reason, wait_seconds, model_only, operator):
            failures = gate.failures + 1
            seconds = min(wait_seconds, _WAIT_MOST) if wait_seconds is not None else _pause(failures)
            if operator:
                seconds = max(seconds, _OPERATOR_SECONDS)
            share = max(_LEAST_SHARE, gate.share / 2)
            return Trouble(model if model_only else "", failures, seconds, share, reason)
        case NotSent(reason) | Unclear(reason):
            failures = gate.failures + 1
            seconds = _pause(failures) if failures >= PATIENCE else 0.0
            return Trouble("", failures, seconds, gate.share, reason)
        case _:
            assert_never(outcome)


def room(at_once: int, share: float) -> int:
    """How many operations a provider gets at once while it has a share of its capacity; never none."""
    return max(1, int(at_once * share))


def _pause(failures: int) -> float:
    return min(_LONGEST, 2.0 ** min(failures - 1, 10))
