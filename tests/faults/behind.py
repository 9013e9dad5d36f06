"""Faults that take long by their nature: they run behind all other tests."""

import threading
import time
from typing import Any

from faults.kit import do
from faults.upstream import MAIN, Live

_BUSY = {
    "status": 429,
    "headers": {"Retry-After": "2"},
    "body": {"error": {"code": "ModelAccountRpmRateLimitExceeded", "message": "Too many requests"}},
}


class Long:
    """What takes long by its nature runs behind all other tests; only the waits between two tries are cut short."""

    def __init__(self, live: Live) -> None:
        self.started = time.monotonic()
        self._prompts = {name: f"fault that takes long: {name}." for name in _FATES}
        live.fakes[0].faults(
            *({"on": on, "times": times, "match": {"prompt": self._prompts[name]}, "do": what}
              for name, (on, times, what) in _FATES.items())
        )  # fmt: skip
        self.videos = {
            name: live.create(prompt, model=_MODELS.get(name, MAIN)) for name, prompt in self._prompts.items()
        }
        self.busy = [self.videos["busy"], *(live.create(f"{self['busy']} {n}", model=_MODELS["busy"]) for n in "12")]
        self._live, self._over = live, threading.Event()
        self._pusher = threading.Thread(target=self._push)
        self._pusher.start()

    def __getitem__(self, name: str) -> str:
        return self._prompts[name]

    def _push(self) -> None:
        while not self._over.wait(0.3):
            self._live.hurry(*self.videos.values(), *self.busy)
            # a probe keeps the gate for ten seconds, for answers that are long in coming; this one's is there
            do(self._live.url, _PROBE_IS_OVER)

    def end(self) -> None:
        """No more pushing."""
        self._over.set()
        self._pusher.join()


_PROBE_IS_OVER = """
    UPDATE gate SET closed_until = now() + interval '2.1 s'
    WHERE provider = 'busy' AND closed_until > now() + interval '2.1 s'
"""
_MODELS = {"slow": "seedance-2.0-fast", "busy": "seedance-1.0-pro"}
_FATES: dict[str, tuple[str, int | None, dict[str, Any]]] = {
    "slow": ("create", 1, {"delay": 100}),
    "busy": ("create", 20, _BUSY),
    "drip": ("download", 1, {"drip": 1}),
    "hopeless": ("download", None, {"drip": 1}),
    "torn": ("download", None, {"cut": 0.1}),
    "longer": ("download", None, {"content_length": 5_000_000}),
}
