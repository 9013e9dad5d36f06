"""How many calls are allowed, and what goes beyond."""

from collections import defaultdict, deque

from fakes.ark.errors import ArkError

_PER_SECOND = {"list": 1, "get": 20, "delete": 20}
_SECOND = 0.95
"""A caller that keeps a whole second between two calls may be off by the network's whims."""


class Budgets:
    """Sliding windows of the calls of each account."""

    def __init__(self, *, enforce: bool) -> None:
        self._enforce = enforce
        self._calls: dict[tuple[str, ...], deque[float]] = defaultdict(deque)
        self.refused: dict[str, int] = defaultdict(int)
        """How many calls were over the budget, whether or not they were refused."""

    def spend(self, account: str, on: str, now: float) -> None:
        """One call of list, get or delete."""
        if not self._take((account, on), _PER_SECOND[on], _SECOND, now):
            self._refuse(on, "AccountRateLimitExceeded", f"The account's rate of {on} calls is exceeded")

    def spend_create(self, lane: tuple[str, ...], rpm: int, now: float) -> None:
        """One create of a model."""
        if rpm and not self._take(lane, rpm, 60.0, now):
            self._refuse("create", "ModelAccountRpmRateLimitExceeded", "The requests per minute of the model are used")

    def clear(self) -> None:
        """Begin anew."""
        self._calls.clear()
        self.refused.clear()

    def _take(self, name: tuple[str, ...], most: int, seconds: float, now: float) -> bool:
        calls = self._calls[name]
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        if len(calls) >= most:
            return False
        calls.append(now)
        return True

    def _refuse(self, on: str, code: str, message: str) -> None:
        self.refused[on] += 1
        if self._enforce:
            raise ArkError(code, message)
