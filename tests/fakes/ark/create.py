"""The create call."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from fakes.ark.errors import ArkError, invalid
from fakes.ark.fake import Fake
from fakes.ark.faults import Do, Facts
from fakes.ark.intake.body import decode, find_model
from fakes.ark.intake.order import Order
from fakes.ark.intake.read import read
from fakes.ark.media.fetch import see
from fakes.ark.models import limits
from fakes.ark.moderation import failure
from fakes.ark.plan import Plan, decide
from fakes.ark.tasks import Effects, Status, Task
from fakes.ark.wire.messages import Answer


def facts_of(body: Any) -> Facts:
    """What a rule may ask of a create, however broken its body is."""
    if not isinstance(body, dict):
        return Facts()
    known: dict[str, Any] = {str(name): value for name, value in body.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] JSON
    content = known.get("content")
    items: list[Any] = content if isinstance(content, list) else []  # pyright: ignore[reportUnknownVariableType] JSON
    texts = [str(item.get("text") or "") for item in items if isinstance(item, dict)]  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] JSON
    return Facts(model=str(known.get("model") or ""), prompt="\n".join(texts))


async def create(fake: Fake, account: str, raw: bytes, do: Do | None) -> tuple[Answer, Task]:
    """Check it, look at its references, take it into the queue."""
    body = decode(raw)
    model, model_id = find_model(body.get("model"), fake.options)
    order = read(body, model, model_id, _drafts(fake, account))
    lane = fake.ledger.lane_of(account, order)
    rpm, _ = limits(model, order.resolution, individual=fake.options.individual)
    fake.budgets.spend_create(lane, rpm if fake.options.rpm is None else fake.options.rpm, time.monotonic())
    if 0 < fake.options.most_queued <= fake.ledger.queued(lane):
        raise ArkError("QuotaExceeded", "Too many tasks of the model are queued")
    seen = await see(order.content, fake.client, longest=30 if model.family == "2.5" else 15)
    draft = fake.ledger.find(account, order.draft_task_id) if order.draft_task_id else None
    plan = decide(order, seen, fake.rng, fake.options.seconds, draft.plan if draft else None)
    task = admit(fake, account, order, plan, do)
    await _tell_first(fake, task, do)
    shown = {"id": task.id}
    if order.safety_identifier is not None:
        shown["safety_identifier"] = order.safety_identifier
    return Answer(200, msgspec.json.encode(shown)), task


def admit(fake: Fake, account: str, order: Order, plan: Plan, do: Do | None, *, created: float | None = None) -> Task:
    """Take a task into the queue, with the fate that a script has for it."""
    task = fake.ledger.add(account, order, _fated(plan, do), created=created)
    if do:
        task.effects = Effects(stuck=do.stuck, backwards=do.backwards, changes=do.set, removals=do.unset)
        if do.vanish is not None:
            fake.timers.after(do.vanish, lambda: fake.ledger.drop(task))
    fake.ledger.start(task)
    return task


async def _tell_first(fake: Fake, task: Task, do: Do | None) -> None:
    """Call back before the create is answered."""
    if do is None or not do.before_answer:
        return
    if do.before_answer == "succeeded":
        fake.ledger.run(task)
        fake.ledger.finish(task, Status.SUCCEEDED)
    await fake.callbacks.flush()


def _fated(plan: Plan, do: Do | None) -> Plan:
    if do is None:
        return plan
    error = failure(do.fail) if do.fail else plan.error
    return replace(plan, error=error, run_seconds=plan.run_seconds if do.seconds is None else do.seconds)


def _drafts(fake: Fake, account: str) -> Callable[[str], Order]:
    """Gives the orders of drafts that can be made final."""

    def find(task_id: str) -> Order:
        task = fake.ledger.find(account, task_id)
        if task is None or not task.order.draft or task.status is not Status.SUCCEEDED:
            raise invalid("content[0].draft_task.id", "is not the id of a draft task that succeeded")
        return task.order

    return find
