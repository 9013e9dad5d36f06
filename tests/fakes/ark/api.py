"""The four calls, behind authentication, budgets and faults."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from fakes.ark import errors, listing, models
from fakes.ark.calls import Call
from fakes.ark.create import create, facts_of
from fakes.ark.errors import ArkError, invalid
from fakes.ark.fake import Fake
from fakes.ark.faults import Do, Facts, On
from fakes.ark.media import serve
from fakes.ark.spoil import spoil, spoil_download, verbatim
from fakes.ark.tasks import TERMINAL, Status, Task, change, encode, show
from fakes.ark.wire.messages import Answer, Request

PREFIX = "/api/v3"
_TASKS = re.compile(r"/api/v3/contents/generations/tasks(?:/([^/]+))?(?:/.*)?/?")
_TASK_ID = re.compile(r"cgt-(batch-)?\d{14}-[a-z0-9]{5}")

_Act = Callable[[Do | None], Awaitable[Answer]]


class Api:
    """Answers what is not for the control."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path.startswith("/tos/"):
            return await self._download(request)
        request_id = errors.new_request_id(self._fake.id_rng)
        match = _TASKS.fullmatch(request.path)
        try:
            if match:
                answer = await self._tasks(request, match.group(1))
            elif request.path == f"{PREFIX}/models" and request.method == "GET":
                answer = _list_models()
            else:
                raise ArkError("NotFound.Path", f"{request.method} {request.path} does not exist")
        except ArkError as error:
            answer = errors.answer(error, request_id)
        answer.headers.setdefault("X-Request-Id", request_id)
        if client_id := request.headers.get("x-client-request-id"):
            answer.headers.setdefault("X-Client-Request-Id", client_id)
        return answer

    async def _tasks(self, request: Request, task_id: str | None) -> Answer:
        on = _call_name(request.method, task_id)
        call = self._fake.calls.begin(on, request)
        call.task_id = task_id or ""
        status = 0
        try:
            account = self._authenticate(request)
            if on != "create":
                self._fake.budgets.spend(account, on, time.monotonic())
            facts, act = self._choose(on, account, request, task_id, call)
            answer = await self._with_faults(on, facts, act)
            status = 0 if answer.manner and answer.manner.reset else answer.status
        except ArkError as error:
            status = errors.status_of(error.code)
            raise
        finally:
            self._fake.calls.end(call, status)
        return answer

    def _authenticate(self, request: Request) -> str:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or key not in self._fake.options.keys:
            raise ArkError("AuthenticationError", "The API key in the request is missing or invalid")
        return key

    async def _with_faults(self, on: On, facts: Facts, act: _Act) -> Answer:
        do = self._fake.faults.take(on, facts)
        if do is None:
            return await act(None)
        await asyncio.sleep(do.delay_before)
        if do.answers and not do.made:
            answer = verbatim(do)
        else:
            answer = await act(do)
            answer = verbatim(do) if do.answers else spoil(answer, do)
        await asyncio.sleep(do.delay)
        return answer

    def _choose(self, on: On, account: str, request: Request, task_id: str | None, call: Call) -> tuple[Facts, _Act]:
        if on == "create":
            body = call.body if call.body is not None else _decode(request.body)
            return facts_of(body), lambda do: self._create(account, request, call, do)
        if on == "list":
            query = listing.read(request.parameters())
            facts = Facts(task_ids=query.task_ids, model=query.model or "", status=query.status or "")
            return facts, lambda _: self._list(account, query)
        assert task_id is not None
        task = self._fake.ledger.find(account, task_id)
        facts = _facts(task) if task else Facts((task_id,))
        if on == "get":
            return facts, lambda _: self._get(account, task_id)
        return facts, lambda _: self._delete(account, task_id)

    async def _create(self, account: str, request: Request, call: Call, do: Do | None) -> Answer:
        answer, task = await create(self._fake, account, request.body, do)
        call.task_id = task.id
        return answer

    async def _get(self, account: str, task_id: str) -> Answer:
        told = self._tell(self._find(account, task_id), "get")
        if told is None:
            raise _not_found(task_id)
        return Answer(200, told)

    async def _list(self, account: str, query: listing.Query) -> Answer:
        page, total = listing.select(self._fake.ledger, account, query)
        if self._fake.faults.has_edits("list"):
            items = [told for task in page if (told := self._tell(task, "list")) is not None]
        else:
            items = [encode(task) for task in page]
        return Answer(200, b'{"items":[%b],"total":%d}' % (b",".join(items), total))

    async def _delete(self, account: str, task_id: str) -> Answer:
        task = self._find(account, task_id)
        if task.status is Status.RUNNING:
            raise ArkError("InvalidAction.RunningTaskDeletion", f"The task {task_id} is running and cannot be deleted")
        if task.status is Status.CANCELLED:
            raise invalid("id", f"the task {task_id} is cancelled and cannot be deleted")
        if task.status in TERMINAL:
            self._fake.ledger.drop(task)
        else:
            self._fake.ledger.cancel(task)
        return Answer(200, b"{}")

    def _find(self, account: str, task_id: str) -> Task:
        if not _TASK_ID.fullmatch(task_id):
            raise invalid("id", f"{task_id} is no task id")
        task = self._fake.ledger.find(account, task_id)
        if task is None:
            raise _not_found(task_id)
        return task

    def _tell(self, task: Task, on: On) -> bytes | None:
        """The task as it is told here; None when a rule hides it."""
        do = self._fake.faults.take_edit(on, _facts(task)) if self._fake.faults.has_edits(on) else None
        if do is None:
            return encode(task)
        return None if do.hide else msgspec.json.encode(change(show(task), do.set, do.unset))

    async def _download(self, request: Request) -> Answer:
        call = self._fake.calls.begin("download", request)
        item = self._fake.library.find(request.path)
        call.task_id = item.task_id if item else ""
        answer = serve.refuse(request, item)
        if answer is None and item is not None:
            facts = Facts((item.task_id,), item.model_id, item.prompt)
            do = self._fake.faults.take("download", facts)
            answer = await spoil_download(self._fake.library, request, item, do)
        assert answer is not None
        self._fake.calls.end(call, answer.status)
        return answer


def _call_name(method: str, task_id: str | None) -> On:
    if method == "POST":  # below a task, too: there is no way to cancel by POST
        return "create"
    if method == "GET":
        return "get" if task_id else "list"
    if method == "DELETE" and task_id:
        return "delete"
    raise ArkError("NotFound.Path", f"{method} is not supported here")


def _facts(task: Task) -> Facts:
    return Facts((task.id,), task.order.model_id, task.order.content.prompt, task.status)


def _not_found(task_id: str) -> ArkError:
    return ArkError("NotFound.ID", f"The task {task_id} does not exist", "id")


def _decode(raw: bytes) -> Any:
    """A body that is too long to be remembered."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _list_models() -> Answer:
    data = [
        {"id": model_id, "object": "model", "created": 1_782_000_000, "domain": "VideoGeneration"}
        for model in models.MODELS
        for model_id in model.ids
    ]
    return Answer(200, msgspec.json.encode({"object": "list", "data": data}))
