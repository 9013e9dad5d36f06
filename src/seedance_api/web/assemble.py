"""Assemble the values of a form out of its parts, as their names say.

Names are as Rails, PHP and OpenAI's clients write them: `a`, `a[]`, `a[key]`, `a[][key]`, `a[0][key]`. Nothing that
was sent is dropped: a name that may stand once and stands twice is refused.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from seedance_api.foundation.errors import AppError, Problem

_NAME = re.compile(r"([^\[\]]{1,64})((?:\[[^\[\]]{0,64}\]){0,3})\Z")

PLAIN = ""
"""The key of an item's own value where it has a role beside it, as `a[]=…` and `a[][role]=…` build it."""
ROLE = "role"


class Part(msgspec.Struct, frozen=True):
    """A part's name as it was sent, and its value: a text, or an `Upload`."""

    name: str
    value: Any


def assemble(parts: Sequence[Part], lists: frozenset[str]) -> dict[str, Any]:
    """The values that parts build by their names. Raises AppError 400 with every field that is wrong."""
    build = _Build(lists)
    for part in parts:
        match = _NAME.match(part.name)
        if match is None:
            build.once(build.values, part.name[:80], part.value, part.name[:80])  # an unknown field, reported as one
        else:
            build.put(match[1], re.findall(r"\[([^\]]*)\]", match[2]), part.value)
    build.finish()
    if build.problems:
        raise AppError("invalid_request", build.problems[0].message, problems=build.problems)
    return build.values


class _Build:
    """Values under construction, and what is wrong with their names."""

    def __init__(self, lists: frozenset[str]) -> None:
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self._lists = lists
        self._roles: dict[str, list[Any]] = {}
        self._numbered: dict[str, dict[int, dict[str, Any]]] = {}
        self._times: dict[str, int] = {}

    def put(self, head: str, inside: list[str], value: Any) -> None:
        """Put a value where its name says."""
        shown = head + "".join(f"[{key}]" for key in inside)
        if head not in self._lists:
            self._nest(self.values, [head, *inside], value, shown)
        elif not inside or inside == [""]:
            self._list(head, shown).append(value)
        elif inside == ["", ROLE]:
            self._roles.setdefault(head, []).append(value)
        elif inside[0].isdecimal():
            item = self._numbered.setdefault(head, {}).setdefault(int(inside[0]), {})
            self._nest(item, inside[1:] or [PLAIN], value, shown)
        elif inside[0] == "":
            self._nest(self._next_item(head, inside[1], shown), inside[1:], value, shown)
        elif isinstance(self.values.get(head, {}), dict):  # one item by its keys, as `input_reference[image_url]`
            self._nest(self.values.setdefault(head, {}), inside, value, shown)
        else:
            self._contradicts(shown)

    def once(self, to: dict[str, Any], key: str, value: Any, shown: str) -> None:
        """Set what may be set once."""
        if key not in to:
            to[key] = value
            self._times[shown] = 1
            return
        self._times[shown] = self._times.get(shown, 1) + 1
        if self._times[shown] == 2:
            self._repeated(shown)

    def finish(self) -> None:
        """Bring roles to their items, and numbered items into their order."""
        for head, items in self._numbered.items():
            if head in self.values:
                self._contradicts(head)
                continue
            ordered = [items[at] for at in sorted(items)]
            self.values[head] = [item[PLAIN] if list(item) == [PLAIN] else item for item in ordered]
        for head, roles in self._roles.items():
            items = self.values.get(head)
            if not isinstance(items, list) or len(roles) > len(cast("list[Any]", items)):
                path = f"{head}[][{ROLE}]"
                given = len(cast("list[Any]", items)) if isinstance(items, list) else 0
                message = (
                    f"`{path}` is given {len(roles)} times, `{head}[]` {given}: send one for each, in their order."
                )
                self.problems.append(Problem(path=path, code="repeated", message=message))
                continue
            for at, (item, role) in enumerate(zip(cast("list[Any]", items), roles, strict=False)):
                items[at] = (cast("dict[str, Any]", item) if isinstance(item, dict) else {PLAIN: item}) | {ROLE: role}

    def _next_item(self, head: str, key: str, shown: str) -> dict[str, Any]:
        """The last item of a list, or a new one where that has the key: a repeated key starts the next item."""
        items = self._list(head, shown)
        last: Any = items[-1] if items else None
        if not isinstance(last, dict) or key in last:
            items.append({})
        return cast("dict[str, Any]", items[-1])

    def _list(self, head: str, shown: str) -> list[Any]:
        values = self.values.setdefault(head, [])
        if isinstance(values, list):
            return cast("list[Any]", values)
        self._contradicts(shown)
        return []

    def _nest(self, to: dict[str, Any], keys: list[str], value: Any, shown: str) -> None:
        """Put a value into an object of objects; `[]` makes a list, of texts or of objects."""
        key, *inside = keys
        if not inside:
            self.once(to, key, value, shown)
        elif inside == [""]:
            values = to.setdefault(key, [])
            if isinstance(values, list):
                cast("list[Any]", values).append(value)
            else:
                self._contradicts(shown)
        else:
            nested = to.setdefault(key, {})
            if isinstance(nested, dict):
                self._nest(cast("dict[str, Any]", nested), inside, value, shown)
            else:
                self._contradicts(shown)

    def _repeated(self, shown: str) -> None:
        path = re.sub(r"[^\w\[\].-]", "?", shown[:80])
        message = f"`{path}` is given more than once; send it once."
        self.problems.append(Problem(path=path, code="repeated", message=message))

    def _contradicts(self, shown: str) -> None:
        path = re.sub(r"[^\w\[\].-]", "?", shown[:80])
        message = f"`{path}` contradicts another part: one name cannot be a text, a list and an object at once."
        if not any(problem.path == path for problem in self.problems):
            self.problems.append(Problem(path=path, code="conflict", message=message))
