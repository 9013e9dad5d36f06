"""The worker, and what the steps of generations need."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
from obstore.store import ObjectStore

from seedance_api import worker
from seedance_api.app.export import exported, worker_ports
from seedance_api.app.mark import label_of, marking_of
from seedance_api.app.open import (
    CONFINED,
    disk_of,
    open_notifying,
    open_objects,
    open_posting,
    router_of,
    running_url,
)
from seedance_api.app.read import database_url, pepper_of, read_upstreams_of
from seedance_api.billing.books import Books, Costs
from seedance_api.billing.prices import Use
from seedance_api.delivery.store import Storage
from seedance_api.foundation.call import Caller
from seedance_api.foundation.clock import Clock
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.mail import open_mailbox
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.rate_slots import RateSlots
from seedance_api.foundation.scratch import Scratch
from seedance_api.foundation.session import WORKER
from seedance_api.generations.engine import Engine
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.generations.recorder import Recorder
from seedance_api.generations.step_batches import StepBatches
from seedance_api.notifications.send import Notifier
from seedance_api.providers.ark.ark import Ark
from seedance_api.providers.provider import Input
from seedance_api.providers.sandbox.sandbox import Sandbox
from seedance_api.providers.upstream import Upstream
from seedance_api.references.link import link, link_key
from seedance_api.settings import Settings, read_secret
from seedance_api.traffic import metrics
from seedance_api.traffic.gauges import Gauges
from seedance_api.traffic.metrics import UPSTREAM_CALL_SECONDS
from seedance_api.traffic.retain import RequestDays
from seedance_api.webhooks.claim import Deliverer
from seedance_api.webhooks.send import SendInstruments

_LINK_SECONDS = 6 * 3600.0
"""An upstream fetches the inputs while it takes the work."""
_CHECK_SECONDS = 1.0
_KEEP_SECONDS = 1.0
_log = structlog.get_logger()


async def work(settings: Settings) -> None:
    """Run a worker until it is told to stop."""
    url = running_url(settings, "worker")
    async with open_engine(settings, url) as engine:
        notifying = open_notifying(settings)
        posting = open_posting(settings)
        mailbox = open_mailbox(settings.smtp_url, settings.mail_from)
        notifier = Notifier(db=engine.db, outbound=notifying, url=settings.notice_url, mailbox=mailbox)
        deliverer = Deliverer(
            db=engine.db,
            outbound=posting,
            pepper=pepper_of(settings),
            lease_seconds=settings.lease_seconds,
            observed=SendInstruments(
                metrics.WEBHOOK_TRIES, metrics.WEBHOOK_DEAD_LETTERS, metrics.WEBHOOK_DELAY_SECONDS
            ),
        )
        _log.info("worker.ready", providers=sorted(engine.providers))
        tasks = worker.Tasks(
            engine=engine,
            notifier=notifier,
            deliverer=deliverer,
            event_days=settings.event_retention_days,
            request_days=RequestDays(requests=settings.request_log_days, addresses=settings.request_log_address_days),
            analytics_days=settings.analytics_days,
            rate_tiers=settings.rate_tiers,
            spending_floor=settings.spending_alert_floor,
        )
        try:
            async with exported(worker_ports(settings), engine.db, settings, Gauges(engine.db).read):
                await worker.run(url, tasks, drain_seconds=settings.drain_seconds)
        finally:
            await posting.aclose()
            await notifying.aclose()


@asynccontextmanager
async def open_engine(settings: Settings, url: str | None = None) -> AsyncGenerator[Engine, None]:
    """What the steps of generations need, opened and closed. Raises ValueError for upstreams that cannot be used."""
    upstreams = read_upstreams_of(settings)
    db = await Database.connect(
        url or database_url(settings), max_connections=settings.database_connections, session=WORKER
    )
    store = await open_objects(db, settings)
    scratch = Scratch(settings.data_dir / "scratch")
    disk = disk_of(settings, store, scratch)
    sandbox = Sandbox(
        store=store,
        scratch=scratch.path,
        renderers=settings.sandbox_renderers,
        concurrency=settings.sandbox_slots,
        account_concurrency=min(settings.sandbox_slots_per_account, max(settings.sandbox_slots - 1, 1)),
        clock=db.clock,
        disk=disk,
    )
    arks = [open_ark(one, db, store, settings, disk) for one in upstreams]
    keeping = asyncio.create_task(keep(scratch))
    books = Books(db, costs_of(upstreams))
    try:
        yield Engine(
            db=db,
            providers={one.name: one for one in (sandbox, *arks)},
            router=router_of(settings, upstreams),
            pseudonyms=Pseudonyms(pepper_of(settings), settings.public_url),
            storage=Storage(
                store=store,
                scratch=scratch.path,
                confine=Confine(slots=CONFINED),
                marking=marking_of(settings),
                label=label_of(settings),
                disk=disk,
            ),
            books=books,
            batches=StepBatches(db),
            record=Recorder(db, books),
            lease_seconds=settings.lease_seconds,
            account_concurrency=settings.account_concurrency,
        )
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        for one in (sandbox, *arks):
            await one.close()
        await db.close()
        scratch.close()


async def keep(scratch: Scratch) -> None:
    """Make the folder anew, every second, if somebody has deleted it: with its lock, lest another clears it away."""
    while True:
        try:
            await asyncio.to_thread(scratch.ensure)
        except OSError as error:
            _log.error("scratch.missing", error=type(error).__name__)
        await asyncio.sleep(_KEEP_SECONDS)


def open_ark(upstream: Upstream, db: Database, store: ObjectStore, settings: Settings, disk: Disk | None = None) -> Ark:
    """One upstream, with the key that the environment holds or names the file of."""
    key = read_secret(os.environ, upstream.key_env)
    return Ark(
        name=upstream.name,
        caller=Caller(
            base_url=upstream.base_url,
            bearer=key,
            ended=lambda outcome, seconds: UPSTREAM_CALL_SECONDS.observe(seconds, upstream.name, outcome),
        ),
        models=upstream.models,
        store=store,
        results=Outbound(
            allow_http=upstream.allow_http,
            extra_ports=upstream.extra_ports,
            allow_networks=upstream.allow_networks,
            take=None if disk is None else partial(asyncio.to_thread, disk.check_work),
        ),
        link=_linker(settings, db.clock),
        media=upstream.media,
        callbacks=upstream.callbacks,
        region=upstream.data_region,
        result_hosts=upstream.result_hosts,
        list_a_second=upstream.list_a_second,
        check_seconds=_CHECK_SECONDS,
        slot=RateSlots(db, f"list {upstream.name}", 1 / upstream.list_a_second).slot,
    )


def _linker(settings: Settings, clock: Clock) -> Callable[[Input], str] | None:
    public_url, key = settings.public_url, link_key(pepper_of(settings))
    if public_url is None:
        return None

    def make(medium: Input) -> str:
        assert medium.object_key is not None, "what is linked to is in our store"
        return link(public_url, key, medium.object_key, medium.media_type or "", _LINK_SECONDS, now=clock())

    return make


def costs_of(upstreams: Sequence[Upstream]) -> Costs:
    """What the operator has agreed with the upstreams, where that is not what the price book says."""
    agreed = {one.name: one for one in upstreams}

    def cost(provider: str, currency: str, use: Use) -> int | None:
        upstream = agreed.get(provider)
        return upstream.cost(use.model, currency, **use.facts()) if upstream else None

    return cost
