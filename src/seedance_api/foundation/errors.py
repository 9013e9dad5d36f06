"""The one shape of a refusal. Its codes are in `error_codes.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from seedance_api.foundation.error_codes import CODES


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a request: where, what, what is allowed, and which models would take it."""

    path: str
    code: str
    message: str
    value: Any = None
    allowed: Any = None
    models: tuple[str, ...] = ()


_MAX_MESSAGE = 2000
"""Characters of a message that is made of several problems: those that go beyond are counted."""


def in_one_message(problems: Sequence[Problem]) -> str:
    """Every problem, in order, in one text: most clients show nothing else of a refusal."""
    said = list(dict.fromkeys(problem.message for problem in problems))
    told: list[str] = []
    for message in said:
        if told and sum(map(len, told)) + len(message) > _MAX_MESSAGE:
            told.append(f"And {len(said) - len(told)} more: see `errors`.")
            break
        told.append(message)
    return " ".join(told)


class AppError(Exception):
    """The caller's fault, or a state he must know of. `message` is public: no secret, prompt or key belongs in it.

    Without a message, that of its problems is taken, all of them; else that of the code.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        param: str | None = None,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status = CODES[code].status
        self.type = CODES[code].type
        self.message = message or (in_one_message(problems) if problems else CODES[code].meaning)
        self.param = param if param is not None else (problems[0].path if problems else None)
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        super().__init__(code)
