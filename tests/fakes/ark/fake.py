"""The parts of one fake, put together."""

import random

import httpx

from fakes.ark.budgets import Budgets
from fakes.ark.callbacks import Callbacks
from fakes.ark.calls import Calls
from fakes.ark.faults import Faults
from fakes.ark.ledger import Ledger
from fakes.ark.media.film import Film
from fakes.ark.media.library import Item, Library
from fakes.ark.options import Options
from fakes.ark.tasks import Task
from fakes.ark.timers import Timers

_PRUNE_SECONDS = 60.0


class Fake:
    """Everything that one process holds."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.base = ""
        """Scheme, host and port; known once it listens."""
        self.rng = random.Random(options.seed)
        """For plans only, so that they do not depend on what else is called."""
        self.id_rng = random.Random()
        self.timers = Timers()
        self.faults = Faults()
        self.calls = Calls(options.most_bodies)
        self.budgets = Budgets(enforce=options.enforce_budgets)
        self.ledger = Ledger(options, self.timers, self.id_rng)
        self.library = Library(
            most_bytes=options.media_megabytes << 20,
            most_items=2 * options.most_tasks,
            keep_seconds=options.media_seconds,
        )
        self.callbacks = Callbacks(options, self.faults, self.calls, self.timers)
        self.client = _client() if options.fetch else None
        self.ledger.on_change.append(self.callbacks.tell)
        self.ledger.on_success = self._offer
        self.timers.after(_PRUNE_SECONDS, self._prune)

    def reset(self) -> None:
        """Forget tasks, rules, calls and letters."""
        for part in (self.ledger, self.library, self.faults, self.calls, self.budgets, self.callbacks):
            part.clear()

    def _offer(self, task: Task) -> None:
        """Put the results where their links lead."""
        plan, order = task.plan, task.order
        large = order.resolution == "4k" or (order.resolution == "1080p" and order.model.family == "2.5")
        mov = order.output_format == "mov"
        hevc = self.options.hevc and large and not mov
        film = Film(plan.width, plan.height, plan.frame_count, order.generate_audio, mov=mov, hevc=hevc)
        kinds = ("video", "frame") if order.return_last_frame else ("video",)
        found = [
            Item(task.id, order.model_id, order.content.prompt, film, kind, self.library.new_expiry()) for kind in kinds
        ]
        task.video_url = self.library.add(found[0], self.base)
        if len(found) > 1:
            task.last_frame_url = self.library.add(found[1], self.base)

    def _prune(self) -> None:
        self.library.prune()
        self.timers.after(_PRUNE_SECONDS, self._prune)


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=20, follow_redirects=True, trust_env=False, headers={"User-Agent": "ark-fetch"})
