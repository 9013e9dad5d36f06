"""Call back on each change of state; again, up to three times, while nobody acknowledges."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from fakes.ark.calls import Calls
from fakes.ark.faults import Do, Facts, Faults
from fakes.ark.options import Options
from fakes.ark.tasks import Status, Task, change, encode
from fakes.ark.timers import Timers
from fakes.ark.wire.post import Poster

_SENDERS = 32
_RESENDS = 3
_SILENT = {Status.CANCELLED}


@dataclass(slots=True)
class _Letter:
    url: str
    body: bytes
    task_id: str
    status: str
    tries: int = 0


class Callbacks:
    """Letters that wait to be sent, and those who send them."""

    def __init__(self, options: Options, faults: Faults, calls: Calls, timers: Timers) -> None:
        self._options, self._faults, self._calls, self._timers = options, faults, calls, timers
        self._letters: deque[_Letter] = deque()
        self._busy: set[asyncio.Task[None]] = set()
        self._poster = Poster()
        self.outcomes: deque[dict[str, Any]] = deque(maxlen=options.most_bodies)
        """What has been sent, and how it was answered."""

    def tell(self, task: Task) -> None:
        """Call back about the state a task is in."""
        url = task.order.callback_url
        if url is None or task.status in _SILENT:
            return
        facts = Facts((task.id,), task.order.model_id, task.order.content.prompt, task.status)
        do = self._faults.take("callback", facts) or self._faults.take_edit("callback", facts)
        if do is None:
            self._send(_Letter(url, encode(task), task.id, task.status))
            return
        if do.none:
            return
        body = _forge(encode(task), do)
        copies = [_Letter(url, body, task.id, task.status) for _ in range(do.copies)]
        if do.delay:
            self._timers.after(do.delay, lambda: self._send(*copies))
        else:
            self._send(*copies)

    async def flush(self) -> None:
        """Wait until all letters have been sent once."""
        while self._busy:
            await asyncio.gather(*self._busy)

    def clear(self) -> None:
        """Forget what is not sent yet."""
        self._letters.clear()
        self.outcomes.clear()

    def waiting(self) -> int:
        """How many are not sent yet."""
        return len(self._letters)

    def _send(self, *letters: _Letter) -> None:
        self._letters.extend(letters)
        for _ in range(min(len(letters), _SENDERS - len(self._busy))):
            sender = asyncio.get_running_loop().create_task(self._work())
            self._busy.add(sender)
            sender.add_done_callback(self._busy.discard)

    async def _work(self) -> None:
        while self._letters:
            await self._deliver(self._letters.popleft())

    async def _deliver(self, letter: _Letter) -> None:
        letter.tries += 1
        at = time.time()
        self._calls.count("callback", at)
        answer = await self._poster.post(letter.url, letter.body, seconds=self._options.ack_seconds)
        self.outcomes.append(
            {"at": at, "task_id": letter.task_id, "status": letter.status, "try": letter.tries, "answer": answer}
        )
        if not 200 <= answer < 300 and letter.tries <= _RESENDS:
            self._timers.after(self._options.resend_seconds, lambda: self._send(letter))


def _forge(body: bytes, do: Do) -> bytes:
    if do.body is not None:
        return do.body.encode() if isinstance(do.body, str) else msgspec.json.encode(do.body)
    if do.edits:
        return msgspec.json.encode(change(msgspec.json.decode(body, type=dict[str, Any]), do.set, do.unset))
    return body
