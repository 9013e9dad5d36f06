"""The service without idempotency and without money: what creates with money are compared with.

The rest is the product's own. For a create with a live key these are left out: the fingerprint of the body, the search
for an earlier create with its key, the price, and in its transaction the note, the wallet, the limits, the hold and
the transfer.
"""

from types import ModuleType

from litestar.types import ASGIApp

from seedance_api.accounts.authenticate import Principal
from seedance_api.api import videos
from seedance_api.api.video_form import CreateVideo
from seedance_api.app import answer
from seedance_api.billing.quote import Price
from seedance_api.catalog.order import Order
from seedance_api.catalog.tokens import Tokens
from seedance_api.foundation import jobs
from seedance_api.foundation.idempotency import Kind, Once
from seedance_api.generations import price
from seedance_api.generations.commands import Creating
from seedance_api.generations.queries.inserts import NewGeneration, insert_generations
from seedance_api.generations.write import Created, Writer
from seedance_api.references.inspect import Staged
from seedance_api.web.body import AnyRequest


class PlainWriter(Writer):
    """Writes the generations, their inputs and the dispatch job, in the batches of the product's writer."""

    async def find(self, once: Once) -> Created | None:
        """Nothing was made before."""
        del once

    async def _write_together(self, news: list[NewGeneration], lock_seconds: float | None) -> list[Created | Exception]:
        del lock_seconds
        assert not any(new.media for new in news), "only text is compared"
        async with self._db.transaction() as connection:
            written = await insert_generations(connection, news, {})
            for provider in sorted({new.provider for new in news}):
                await jobs.enqueue(connection, "dispatch", [provider], group=provider)
        return [Created(new.id, written[new.id], False) for new in news]


def api() -> ASGIApp:
    """The application, for one server process."""
    _put(answer, "Writer", PlainWriter)
    _put(videos, "_once", _no_once)
    _put(price, "_price", _no_price)
    return answer.api()


def _put(module: ModuleType, name: str, stand_in: object) -> None:
    assert callable(getattr(module, name)), f"{module.__name__} has changed"
    setattr(module, name, stand_in)


async def _no_once(
    request: AnyRequest, principal: Principal, route: str, form: CreateVideo, files: list[Staged]
) -> Once:
    del request, form, files
    return Once(account_id=principal.account_id, route=route, key="", fingerprint=b"", kind=Kind.CONTENT)


async def _no_price(
    max_cost: int | None, order: Order, counted: Tokens, principal: Principal, parts: Creating
) -> Price | None:
    del max_cost, order, counted, principal, parts
