"""What the tests of the Ark provider share: orders out of the catalogue's own check, and a provider over a fake Ark."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
from obstore.store import LocalStore, MemoryStore

from fakes.ark.run import FakeArk
from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.models import MODELS, find
from seedance_api.catalog.order import Order
from seedance_api.catalog.request import Request
from seedance_api.foundation.call import Caller
from seedance_api.foundation.outbound import Outbound
from seedance_api.providers.ark.ark import Ark
from seedance_api.providers.provider import Check, Commission, Operation, Pending, Search, Unseen
from seedance_api.providers.upstream import Served

SPRING = date(2026, 5, 10)  # every model was still to be had
CUSTOMER = "c" * 64
TLS = ssl.create_default_context()  # it takes a while to make, and here nobody speaks TLS
EVERY_MODEL = {model.name: Served(ids=model.clouds[1].ids) for model in MODELS}


def accepted(**fields) -> Accepted:
    """What the catalogue makes of a request."""
    outcome = check(Request(**fields), today=SPRING)
    assert isinstance(outcome, Accepted), outcome
    return outcome


def order(**fields) -> Order:
    """An order, for a short text-to-video unless changed."""
    return accepted(**({"model": "seedance-2.0-mini", "prompt": "a lake", "resolution": "480p"} | fields)).order


def commission(attempt_id="att_1", *, of: Order | None = None, **changes) -> Commission:
    """A commission with six hours to go."""
    base = {
        "attempt_id": attempt_id,
        "order": of or order(),
        "prompt": "a lake",
        "customer": CUSTOMER,
        "deadline_at": datetime.now(UTC) + timedelta(hours=6),
        "seconds_left": 21_600.0,
        "nonce": 17,
    }
    return Commission(**(base | changes))


def search(made: Commission, *, seconds_since=200.0, sent_at=None, **changes) -> Search:
    """A search for a commission that was sent a while ago."""
    base = {
        "attempt_id": made.attempt_id,
        "order": made.order,
        "customer": made.customer,
        "sent_at": sent_at or datetime.now(UTC) - timedelta(seconds=seconds_since),
        "seconds_since": seconds_since,
        "seconds_left": made.seconds_left,
        "nonce": made.nonce,
    }
    return Search(**(base | changes))


@asynccontextmanager
async def provider(fake: FakeArk, *, store=None, key=None, **options) -> AsyncIterator[Ark]:
    """A provider over a running fake, without waiting for the vendor's limits."""
    port = int(fake.url.split(":")[2].split("/")[0])
    outbound = Outbound(
        allow_http=True,
        extra_ports=frozenset({port}),
        allow_networks=("127.0.0.1/32",),
        failure_step_seconds=0.01,
        tls=TLS,
    )
    given = {"models": EVERY_MODEL, "list_a_second": 50.0, "gets_a_second": 500.0, "media": "data"}
    ark = Ark(
        name="byteplus",
        caller=Caller(base_url=fake.url, bearer=key or fake.key, tls=TLS),
        store=store or MemoryStore(),
        results=outbound,
        **(given | options),
    )
    try:
        yield ark
    finally:
        await ark.close()


async def finished(ark: Ark, operation: Operation, seconds=20.0) -> Check:
    """Check until it is over."""
    async with asyncio.timeout(seconds):
        while isinstance(check := (await ark.check_many([operation]))[0], Pending | Unseen):
            await asyncio.sleep(0.05)
    return check


def model_of(name: str):
    """A model of the catalogue."""
    model = find(name)
    assert model is not None
    return model


def local_store(folder: Path) -> LocalStore:
    return LocalStore(folder, mkdir=True)


def replaced(of: Order, **changes) -> Order:
    return msgspec.structs.replace(of, **changes)
