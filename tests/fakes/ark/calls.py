"""Remember the calls: how many, when, with what bodies, and how close together."""

import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import Any

import msgspec

from fakes.ark.wire.messages import Request

_MOST_TIMES = 200_000
_MOST_BODY = 64 * 1024


@dataclass(slots=True)
class Call:
    """One call, as it came and as it was answered."""

    on: str
    at: float
    """Unix time."""
    method: str
    path: str
    query: str
    key: str
    client_request_id: str
    body: Any
    """Decoded JSON, text, or null when it is longer than 64 KiB."""
    task_id: str = ""
    status: int = 0
    """0 until it is answered, and when it was reset."""


class Calls:
    """Counts everything; keeps the last of it."""

    def __init__(self, most_bodies: int) -> None:
        self._kept: deque[Call] = deque(maxlen=most_bodies)
        self._times: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_MOST_TIMES))
        self._window: dict[str, deque[float]] = defaultdict(deque)
        self._peaks: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._statuses: dict[str, Counter[int]] = defaultdict(Counter)

    def begin(self, on: str, request: Request) -> Call:
        """A call has arrived."""
        now = time.time()
        headers = request.headers
        key = headers.get("authorization", "").removeprefix("Bearer ")
        call = Call(
            on=on, at=now, method=request.method, path=request.path, query=request.query, key=key,
            client_request_id=headers.get("x-client-request-id", ""), body=_decode(request.body),
        )  # fmt: skip
        self._kept.append(call)
        self.count(on, now)
        return call

    def count(self, on: str, now: float) -> None:
        """Count one."""
        self._counts[on] += 1
        self._times[on].append(now)
        window = self._window[on]
        window.append(now)
        while window[0] <= now - 1.0:
            window.popleft()
        self._peaks[on] = max(self._peaks[on], len(window))

    def end(self, call: Call, status: int) -> None:
        """It is answered."""
        call.status = status
        self._statuses[call.on][status] += 1

    def report(self, on: str | None, limit: int) -> dict[str, Any]:
        """What has been called."""
        kept = [call for call in self._kept if on in {None, call.on}]
        return {
            "counts": dict(self._counts),
            "statuses": {
                name: {str(status): count for status, count in counts.items()}
                for name, counts in self._statuses.items()
            },
            "most_in_a_second": dict(self._peaks),
            "times": list(self._times[on])[-limit:] if on else [],
            "calls": kept[-limit:] if limit else [],
        }

    def clear(self) -> None:
        """Forget them."""
        for part in (self._kept, self._times, self._window, self._peaks, self._counts, self._statuses):
            part.clear()


def _decode(body: bytes) -> Any:
    if not body or len(body) > _MOST_BODY:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace")
