"""Compare: what an upstream lists with what our attempts say. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from seedance_api.foundation.ids import new_id
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Check, Done, Failed, Known, Lost, Operation, Pending, Unseen
from seedance_api.reconciliation.discrepancies import Discrepancy, Ours

SETTLED = timedelta(minutes=5)
"""Younger tasks and attempts may still be on their way into the other's books."""


def compare(
    provider: str, known: Sequence[Known], ours: Sequence[Ours], *, since: datetime, now: datetime
) -> list[Discrepancy]:
    """What does not add up. Pure."""
    mine = {attempt.operation_id: attempt for attempt in ours if attempt.operation_id is not None}
    theirs = {id_of(task.operation): task for task in known}
    found: list[Discrepancy] = []
    for operation_id, task in theirs.items():
        attempt = mine.get(operation_id)
        if attempt is None:
            if now - task.created_at > SETTLED:
                found.append(
                    _discrepancy(
                        provider, "orphan", operation_id, None, {"is": _says(task.check), "tokens": _tokens(task.check)}
                    )
                )
            continue
        kind = _difference(attempt, task.check)
        if kind is not None:
            detail = {"is": _says(task.check), "ours": attempt.state.value, "tokens": _tokens(task.check)}
            found.append(
                _discrepancy(provider, kind, operation_id, attempt.id, detail | {"our_tokens": attempt.tokens})
            )
    for operation_id, attempt in mine.items():
        young = attempt.sent_at is None or attempt.sent_at < since or now - attempt.sent_at < SETTLED
        if operation_id not in theirs and attempt.state is AttemptState.ACKNOWLEDGED and not young:
            found.append(_discrepancy(provider, "missing", operation_id, attempt.id, {"ours": attempt.state.value}))
    return found


def _difference(attempt: Ours, check: Check) -> str | None:
    match attempt.state, check:
        case AttemptState.LOST | AttemptState.FAILED, Done():
            return None if attempt.costed else "late"
        case AttemptState.SUCCEEDED, Done(output):
            return "tokens" if output.tokens is not None and output.tokens != attempt.tokens else None
        case AttemptState.SUCCEEDED, Failed():
            return "state"
        case _:
            return None


def _discrepancy(
    provider: str, kind: str, operation_id: str, attempt_id: str | None, detail: Mapping[str, object]
) -> Discrepancy:
    return Discrepancy(
        id=new_id("dis"),
        provider=provider,
        kind=kind,
        operation_id=operation_id,
        attempt_id=attempt_id,
        detail={name: value for name, value in detail.items() if value is not None},
    )


def id_of(operation: Operation) -> str:
    return str(operation.get("id"))


def _tokens(check: Check) -> int | None:
    return check.output.tokens if isinstance(check, Done) else None


def _says(check: Check) -> str:
    match check:
        case Pending():
            return "unfinished"
        case Done():
            return "made"
        case Failed(code):
            return code
        case Lost():
            return "gone"
        case Unseen():
            return "unreadable"
        case _:
            assert_never(check)
