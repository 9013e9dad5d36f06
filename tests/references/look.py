"""Files through `inspect`, child and all."""

import asyncio
from collections.abc import Callable

from seedance_api.foundation.confine import Confine
from seedance_api.references.inspect import BadMedia, Inspected, Staged, inspect

Look = Callable[..., Inspected | BadMedia]


def look_at(*files: Staged) -> list[Inspected | BadMedia]:
    async def run() -> list[Inspected | BadMedia]:
        return await inspect(files, confine=Confine(slots=1))

    return asyncio.run(run())


def bad(outcome: Inspected | BadMedia, code: str) -> str:
    assert isinstance(outcome, BadMedia), outcome
    assert outcome.code == code, outcome
    return outcome.message
