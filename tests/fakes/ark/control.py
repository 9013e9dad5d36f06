"""The control: faults in, calls out, tasks made and altered by hand. For the loopback only."""

import ipaddress
import time
from dataclasses import replace
from typing import Any

import msgspec

from fakes.ark.create import admit
from fakes.ark.errors import ArkError
from fakes.ark.fake import Fake
from fakes.ark.faults import Rule, Script
from fakes.ark.intake.body import decode, find_model
from fakes.ark.intake.read import read
from fakes.ark.plan import Seen, decide
from fakes.ark.tasks import Status, Task, show
from fakes.ark.wire.messages import Answer, Request

PREFIX = "/_fake"
_BODY = {"model": "dreamina-seedance-2-0-260128", "content": [{"type": "text", "text": "an orphan"}]}


class Make(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make tasks that nobody has asked for."""

    make: int = 1
    body: dict[str, Any] = {}
    """Fields of a create, over those of a plain one; references are not fetched."""
    key: str | None = None
    """The account; by default the first."""
    status: Status | None = None
    """The state they are in at once."""
    age: float = 0.0
    """How many seconds ago they were created."""


class Alter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Alter tasks that are there."""

    ids: list[str] | None = None
    """Which; all, if it is null."""
    status: Status | None = None
    """Move them on to this state now."""
    set: dict[str, Any] = {}
    """Fields by dotted paths, from now on."""
    unset: list[str] = []
    backwards: bool | None = None
    stuck: bool | None = None
    """Let them run for ever; false ends at once those that have been stuck."""
    vanish: bool = False
    """Forget them."""
    lose_media: bool = False
    """Let their links expire."""


class Control:
    """Answers the control's calls."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if not _is_near(request.peer):
            return _json({"error": "for the loopback only"}, 403)
        try:
            return self._route(request.method, request.path.removeprefix(PREFIX), request)
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
            return _json({"error": str(error)}, 400)
        except ArkError as error:
            return _json({"error": error.message, "code": error.code, "param": error.param}, 400)

    def _route(self, method: str, path: str, request: Request) -> Answer:
        asked = dict(request.parameters())
        match method, path.rstrip("/"):
            case "GET", "" | "/health":
                return _json(self._health())
            case "GET", "/faults":
                return _json([_show_rule(rule) for rule in self._fake.faults.rules])
            case "POST", "/faults":
                return self._add_faults(request.body)
            case "DELETE", "/faults":
                self._fake.faults.clear()
                return _json({})
            case "GET", "/calls":
                limit = int(asked.get("limit", "1000"))
                report = self._fake.calls.report(asked.get("on"), limit)
                return _json(report | {"over_budget": dict(self._fake.budgets.refused)})
            case "GET", "/callbacks":
                return _json(list(self._fake.callbacks.outcomes))
            case "GET", "/tasks":
                return _json([_show_task(task) for task in self._fake.ledger][: int(asked.get("limit", "1000"))])
            case "POST", "/tasks":
                return self._touch(request.body)
            case "POST", "/reset":
                self._fake.reset()
                return _json({})
            case _:
                return _json({"error": f"{method} {request.path} is not there"}, 404)

    def _health(self) -> dict[str, Any]:
        waiting = self._fake.callbacks.waiting()
        states = {status: count for status, count in self._fake.ledger.counts.items() if count}
        return {"ok": True, "tasks": len(self._fake.ledger), "states": states, "callbacks_waiting": waiting}

    def _add_faults(self, raw: bytes) -> Answer:
        """A list of rules, or one."""
        rules = raw if raw.lstrip().startswith(b"[") else b"[%b]" % raw
        self._fake.faults.add(msgspec.json.decode(rules, type=list[Script]))
        return _json({"rules": len(self._fake.faults.rules)})

    def _touch(self, raw: bytes) -> Answer:
        wanted: object = msgspec.json.decode(raw)
        if isinstance(wanted, dict) and ({"make", "body"} & wanted.keys()):
            return _json({"ids": self._make(msgspec.convert(wanted, Make))})
        return _json({"ids": self._alter(msgspec.convert(wanted, Alter))})

    def _make(self, make: Make) -> list[str]:
        fake = self._fake
        body = decode(msgspec.json.encode(_BODY | make.body))
        model, model_id = find_model(body.get("model"), fake.options)
        made: list[str] = []
        for _ in range(make.make):
            order = read(body, model, model_id, _no_draft)
            plan = decide(order, Seen(), fake.rng, fake.options.seconds, None)
            account = make.key or fake.options.keys[0]
            task = admit(fake, account, order, plan, None, created=time.time() - make.age)
            self._move(task, make.status)
            made.append(task.id)
        return made

    def _alter(self, alter: Alter) -> list[str]:
        ledger = self._fake.ledger
        found = list(ledger) if alter.ids is None else [ledger.find(None, task_id) for task_id in alter.ids]
        tasks = [task for task in found if task]
        for task in tasks:
            self._alter_one(task, alter)
        return [task.id for task in tasks]

    def _alter_one(self, task: Task, alter: Alter) -> None:
        effects = task.effects
        effects.changes |= alter.set
        effects.removals += alter.unset
        effects.backwards = effects.backwards if alter.backwards is None else alter.backwards
        effects.stuck = effects.stuck if alter.stuck is None else alter.stuck
        task.forget()
        if alter.stuck is False and task.status is Status.RUNNING:
            self._fake.ledger.finish(task)
        self._move(task, alter.status)
        if alter.vanish:
            self._fake.ledger.drop(task)
        for item in self._fake.library.of_task(task.id) if alter.lose_media else ():
            item.expires_at = 0.0

    def _move(self, task: Task, status: Status | None) -> None:
        ledger = self._fake.ledger
        if status is None or status is task.status:
            return
        if status is Status.QUEUED:
            raise ValueError("no task goes back into the queue")
        if status is Status.CANCELLED:
            ledger.cancel(task)
            return
        ledger.run(task)
        if status is Status.RUNNING:
            return
        if status is Status.SUCCEEDED:
            task.plan = replace(task.plan, error=None)
        ledger.finish(task, status)


def _is_near(peer: str) -> bool:
    return ipaddress.ip_address(peer.partition("%")[0]).is_loopback


def _no_draft(task_id: str) -> Any:
    raise ValueError(f"a draft cannot be made final here: {task_id}")


def _show_rule(rule: Rule) -> dict[str, Any]:
    return {"rule": rule.script, "seen": rule.seen, "used": rule.used}


def _show_task(task: Task) -> dict[str, Any]:
    plan = task.plan
    more = {"prompt": task.order.content.prompt, "mode": task.order.mode, "account": task.account}
    return show(task, counts=False) | more | {"width": plan.width, "height": plan.height, "tokens": plan.tokens}


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, msgspec.json.encode(value))
