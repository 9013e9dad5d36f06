"""Faults by script: rules that are tried in order, and what they do to a call or to a task."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

On = Literal["create", "get", "list", "delete", "download", "callback"]


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls a rule is for: all that is given must hold."""

    task_id: str | None = None
    model: str | None = None
    """A model id, or a part of one."""
    prompt: str | None = None
    """A part of the prompt."""
    status: str | None = None
    nth: int | tuple[int, ...] | None = None
    """Only the n-th, from 1, of the calls that otherwise match."""


class Do(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens."""

    # any call
    delay: float = 0.0
    """Seconds before the answer, when all is done."""
    delay_before: float = 0.0
    """Seconds before anything is done."""
    reset: bool = False
    drop: int | None = None
    """Close after so many bytes of the answer."""
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = {}
    made: bool = False
    """With `reset` or `status`: the call has its effect all the same."""
    # the task as get, list and callback tell it; on create: for ever
    set: dict[str, Any] = {}
    unset: list[str] = []
    hide: bool = False
    """List: the item is not there."""
    # create: the task's fate
    stuck: bool = False
    vanish: float | None = None
    """The task is forgotten after so many real seconds."""
    backwards: bool = False
    fail: str | None = None
    seconds: float | None = None
    """How long it takes, before `speed` is applied."""
    # download
    cut: float | None = None
    """Close after this part of the file, between 0 and 1."""
    content_length: int | None = None
    empty: bool = False
    endless: bool = False
    drip: float | None = None
    """Bytes a second."""
    content_type: str | None = None
    picture: tuple[int, int] | None = None
    """A film of another size."""
    junk: int | None = None
    """So many bytes that are no film."""
    credentials: Literal["whole", "broken"] | None = None
    """The film carries Content Credentials of its maker."""
    # callback
    none: bool = False
    copies: int = 1
    before_answer: Literal["", "queued", "succeeded"] = ""
    """On create: this state is called back before the create is answered."""

    @property
    def answers(self) -> bool:
        """It answers instead of the API."""
        return self.reset or self.status is not None

    @property
    def edits(self) -> bool:
        """It changes how a task is told."""
        return bool(self.set or self.unset or self.hide)


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule as it is posted."""

    on: On
    do: Do
    match: Match = Match()
    times: int | None = None
    """How often it happens; null for always."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a call."""

    task_ids: Collection[str] = ()
    model: str = ""
    prompt: str = ""
    status: str = ""


@dataclass(slots=True)
class Rule:
    """A rule, and how often it was met."""

    script: Script
    seen: int = 0
    used: int = 0

    def meets(self, facts: Facts) -> bool:
        """Whether it happens now; counts."""
        match = self.script.match
        fits = (
            (match.task_id is None or match.task_id in facts.task_ids)
            and (match.model is None or match.model in facts.model)
            and (match.prompt is None or match.prompt in facts.prompt)
            and match.status in {None, facts.status}
        )
        if not fits or (self.script.times is not None and self.used >= self.script.times):
            return False
        self.seen += 1
        wanted = (match.nth,) if isinstance(match.nth, int) else match.nth
        if wanted is not None and self.seen not in wanted:
            return False
        self.used += 1
        return True


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, scripts: list[Script]) -> None:
        """More rules, after the ones that are there."""
        self.rules += [Rule(script) for script in scripts]

    def clear(self) -> None:
        """No rules."""
        self.rules.clear()

    def take(self, on: On, facts: Facts) -> Do | None:
        """The first rule that this call meets."""
        return self._take(on, facts, edits=False)

    def take_edit(self, on: On, facts: Facts) -> Do | None:
        """The first rule that changes how this task is told."""
        return self._take(on, facts, edits=True)

    def has_edits(self, on: On) -> bool:
        """Whether each task has to be looked at."""
        return any(rule.script.on == on and rule.script.do.edits for rule in self.rules)

    def _take(self, on: On, facts: Facts, *, edits: bool) -> Do | None:
        for rule in self.rules:
            do = rule.script.do
            if rule.script.on == on and (on == "create" or do.edits == edits) and rule.meets(facts):
                return do
        return None
