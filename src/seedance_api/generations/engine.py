"""Engine: what the steps of generations need."""

from collections import Counter

import msgspec

from seedance_api.billing.books import Books
from seedance_api.delivery.store import Storage
from seedance_api.foundation.db import Database
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.generations.recorder import Recorder
from seedance_api.generations.step_batches import StepBatches
from seedance_api.providers.provider import (
    Provider,
)
from seedance_api.routing.router import Router

CALL_SECONDS = 60.0
"""How long one call of a provider may take."""


class Engine(msgspec.Struct, frozen=True):
    """What the steps of a generation need. `account_concurrency` bounds what one account has under way at a provider.

    `laps` are the providers that this process is asking, `looks` how many attempts it asks each about singly.
    """

    db: Database
    providers: dict[str, Provider]
    router: Router
    pseudonyms: Pseudonyms
    storage: Storage
    books: Books
    batches: StepBatches
    record: Recorder
    lease_seconds: float
    account_concurrency: int
    laps: set[str] = msgspec.field(default_factory=set[str])
    looks: Counter[str] = msgspec.field(default_factory=Counter[str])
