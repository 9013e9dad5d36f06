"""Step batches: what the steps of many generations ask of the database at one time, in one statement each."""

import msgspec

from seedance_api.foundation.batch import Batch, Batches
from seedance_api.foundation.db import Database
from seedance_api.generations.attempt_rows import Opened
from seedance_api.generations.queries import attempt_moves, attempts, inputs, queue
from seedance_api.generations.rows import Claimed, Inputs
from seedance_api.providers.provider import Capacity
from seedance_api.routing.admission import Admission, admit_many


class Sending(msgspec.Struct, frozen=True):
    """An attempt that is about to be sent."""

    attempt_id: str
    seconds_left: float
    provider: str
    model: str
    capacity: Capacity | None


class StepBatches:
    """Batches, so that a rush of starts costs a few statements for many. One for each process and its event loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.claim: Batch[tuple[str, float], Claimed | None] = Batch(self._claim, max_items=64, concurrency=2)
        self.open: Batch[str, Opened | None] = Batch(self._open, max_items=64, concurrency=2)
        self.inputs: Batch[str, Inputs] = Batch(self._inputs, max_items=64, concurrency=2)
        self.send: Batches[tuple[str, str], Sending, Admission] = Batches(
            self._send, key=lambda one: (one.provider, one.model), max_items=64, concurrency=4
        )

    async def _claim(self, asked: list[tuple[str, float]]) -> list[Claimed | None]:
        """`claim` takes the id of a generation and the seconds for which to own its step."""
        lease_seconds = min(seconds for _, seconds in asked)
        claimed = await queue.claim(self._db, list({own_id for own_id, _ in asked}), lease_seconds)
        return [claimed.pop(own_id, None) for own_id, _ in asked]  # of two that ask for one, one has it

    async def _open(self, ids: list[str]) -> list[Opened | None]:
        found = await attempts.under_way(self._db, ids)
        return [found.get(own_id) for own_id in ids]

    async def _inputs(self, ids: list[str]) -> list[Inputs]:
        found = await inputs.inputs_of(self._db, ids)
        return [found[own_id] for own_id in ids]

    async def _send(self, same: list[Sending]) -> list[Admission]:
        """planned → sent for those that their provider may be given now; committed before a byte leaves.

        They are for one model of one provider: whoever has its circuit breaker locked holds up no other.
        """
        first = same[0]
        async with self._db.transaction() as connection:
            given = await admit_many(connection, first.provider, first.model, first.capacity, len(same))
            found = {one.attempt_id: admission for one, admission in zip(same, given, strict=True)}
            allowed = [one for one in same if found[one.attempt_id].wait_seconds == 0]
            sent = await attempt_moves.to_sent(
                connection, first.provider, [one.attempt_id for one in allowed], [one.seconds_left for one in allowed]
            )
        for one in allowed:
            # else somebody has just taken it, or more wait for an answer than there are nonces
            nonce = sent.get(one.attempt_id)
            admission = Admission(0.5) if nonce is None else msgspec.structs.replace(found[one.attempt_id], nonce=nonce)
            found[one.attempt_id] = admission
        return [found[one.attempt_id] for one in same]
