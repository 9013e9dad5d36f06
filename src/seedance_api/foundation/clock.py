"""The database's clock, as it is known here: this machine's own may be minutes off, and another's is off otherwise."""

import time


class Clock:
    """Unix seconds by the database's clock: what it said last, and the monotonic seconds since then.

    It is read whenever a connection is opened, so also when another server has taken over, and by each heartbeat.
    Before that it says what this machine believes.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        """The time now."""
        return self._offset + time.monotonic()

    def note(self, seconds: float, asked: float, answered: float) -> None:
        """It said so, between these two monotonic moments."""
        self._offset = seconds - (asked + answered) / 2
