"""The vendor's four calls, each asked once, with its place in the vendor's limits (82379/1330310)."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime

import msgspec

from seedance_api.foundation.call import Answer, Caller, NoAnswer, NotSent
from seedance_api.foundation.rate_limiter import Pacer
from seedance_api.providers.ark.errors import date_of, read_original, wait_of
from seedance_api.providers.ark.read import ID, Page, Task, read_page, read_task
from seedance_api.providers.ark.said import read_json
from seedance_api.providers.provider import Original

TASKS = "/contents/generations/tasks"
PAGE_SIZE = 500
GETS_A_SECOND = 18.0
DELETES_A_SECOND = 18.0
"""The vendor allows 20 of each; calls that leave evenly do not arrive evenly."""

# A create fetches the inputs and looks into them before it answers (82379/1520757).
CREATE_SECONDS = 55.0
READ_SECONDS = 20.0
LIST_SECONDS = 30.0


class Seen(msgspec.Struct, frozen=True):
    """The task as it is now; `now` is the vendor's clock in Unix seconds, where it said."""

    task: Task
    now: int | None


class Gone(msgspec.Struct, frozen=True):
    """There is no such task (404). `now` is the vendor's clock, or ours where it did not say."""

    now: int


class Trouble(msgspec.Struct, frozen=True):
    """No usable answer. `status` is that of a definite refusal, where there was one."""

    reason: str
    status: int | None = None


class Wire:
    """Calls one account of the vendor. The limits hold for one process; another's calls meet a 429, not an error.

    The scarcest call, the list, also waits for `slot`, its slot among all processes. Both are needed: those of several
    processes leave evenly, but only a process itself can wait until its own last list has been answered.
    """

    def __init__(
        self,
        caller: Caller,
        *,
        list_a_second: float,
        gets_a_second: float = GETS_A_SECOND,
        slot: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        self._caller = caller
        self._slot = slot or nullcontext
        self._lists = Pacer(1 / list_a_second, alone=True)
        self._gets = Pacer(1 / gets_a_second)
        self._deletes = Pacer(1 / DELETES_A_SECOND)

    async def create(self, body: bytes, attempt_id: str) -> Answer | NotSent | NoAnswer:
        """Hand work over: once, and over a connection of its own."""
        return await self._caller.call(
            "POST",
            TASKS,
            body=body,
            headers={"x-client-request-id": attempt_id},
            total_seconds=CREATE_SECONDS,
            fresh=True,
        )

    async def get(self, task_id: str) -> Seen | Gone | Trouble:
        """Ask about one task."""
        if not ID.fullmatch(task_id):
            return Gone(int(time.time()))
        async with self._gets.slot():
            answer = await self._caller.call("GET", f"{TASKS}/{task_id}", total_seconds=READ_SECONDS)
        if not isinstance(answer, Answer):
            return Trouble(answer.reason)
        if answer.status in (400, 404) and _knows_no_such(read_original(answer), answer.status):
            return Gone(now_of(answer))
        task = read_task(read_json(answer.body)) if answer.status == 200 else None
        if task is None or task.id != task_id:
            return self._trouble(answer, self._gets)
        return Seen(task, date_of(answer))

    async def list(
        self,
        *,
        tier: str,
        page: int = 1,
        model: str | None = None,
        ids: Sequence[str] = (),
    ) -> Page | Trouble:
        """Ask for a page of tasks; `flex` ones are only shown when they are asked for (82379/1521675)."""
        query = [("page_num", str(page)), ("page_size", str(PAGE_SIZE)), ("filter.service_tier", tier)]
        if model is not None:
            query.append(("filter.model", model))
        query += [("filter.task_ids", one) for one in ids]
        async with self._lists.slot(), self._slot():
            answer = await self._caller.call("GET", TASKS, query=query, total_seconds=LIST_SECONDS)
        if not isinstance(answer, Answer):
            return Trouble(answer.reason)
        found = read_page(answer.body, date_of(answer)) if answer.status == 200 else None
        return found if found is not None else self._trouble(answer, self._lists)

    async def delete(self, task_id: str) -> int | None:
        """Cancel a queued task, or delete the record of a finished one; the status of the answer.

        404 is the vendor's own word that there is no such task, and not that of a wrong address.
        """
        if not ID.fullmatch(task_id):
            return 404
        async with self._deletes.slot():
            answer = await self._caller.call("DELETE", f"{TASKS}/{task_id}", total_seconds=READ_SECONDS)
        if not isinstance(answer, Answer):
            return None
        if answer.status in (400, 404):
            return 404 if _knows_no_such(read_original(answer), answer.status) else None
        return answer.status

    async def aclose(self) -> None:
        await self._caller.aclose()

    def _trouble(self, answer: Answer, pacer: Pacer) -> Trouble:
        if answer.status == 429:
            pacer.postpone(wait_of(answer) or 1.0)
        if answer.status == 200:
            return Trouble("the answer could not be read")
        return Trouble(f"the provider answered with status {answer.status}", answer.status)


def _knows_no_such(said: Original, status: int) -> bool:
    """Whether the vendor itself says so: a wrong address is a 404 too, but in another's words.

    A name that is no task's is answered with 400; there is no other parameter.
    """
    if status == 400:
        return (said.code or "").startswith("InvalidParameter")
    return said.code is not None or said.message is not None


def now_of(answer: Answer) -> int:
    """The vendor's clock, or ours where it does not say."""
    return date_of(answer) or int(datetime.now(UTC).timestamp())
