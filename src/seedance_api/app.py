"""The composition root: builds everything once and hands it out. Nothing else constructs."""

import gc
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from litestar import Litestar
from litestar.types import ASGIApp
from obstore.store import ObjectStore

from seedance_api import worker
from seedance_api.accounts.authenticate import Authenticator
from seedance_api.accounts.create import check_pepper
from seedance_api.api import (
    account_events,
    billing,
    docs,
    files,
    health,
    models,
    verify,
    videos,
    webhook_deliveries,
    webhook_endpoints,
    webhook_secret,
)
from seedance_api.api.body import FILE_MOST
from seedance_api.api.callbacks import receive_callback
from seedance_api.api.content import serve_content, serve_link
from seedance_api.api.delivery import confirm_delivery, make_link, retrieve_receipt
from seedance_api.api.errors import handle
from seedance_api.api.events import stream_events
from seedance_api.api.face import Face
from seedance_api.api.media import serve_media
from seedance_api.api.parts import Parts, Verifying
from seedance_api.billing.books import Books, Costs
from seedance_api.billing.notify import Notifier, give_notice
from seedance_api.billing.prices import Use
from seedance_api.catalog.models import MODELS
from seedance_api.delivery import certificate, label
from seedance_api.delivery.certificate import Certificate
from seedance_api.delivery.label import Label
from seedance_api.delivery.mark import Marking
from seedance_api.delivery.store import Storage
from seedance_api.foundation import log
from seedance_api.foundation.call import Caller
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.limit import Limiter
from seedance_api.foundation.listen import Listener
from seedance_api.foundation.mail import open_mailbox
from seedance_api.foundation.objects import folder_of, open_store
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.process import die_with_parent
from seedance_api.foundation.scratch import Scratch
from seedance_api.foundation.secrets import load_pepper
from seedance_api.foundation.turn import Turns
from seedance_api.generations.advance import Engine
from seedance_api.generations.create import Creating
from seedance_api.generations.desk import Desk
from seedance_api.generations.record import Recorder
from seedance_api.generations.route import Offer, Router
from seedance_api.generations.seal import Seals
from seedance_api.generations.write import Writer
from seedance_api.providers.ark.ark import Ark
from seedance_api.providers.provider import Input
from seedance_api.providers.sandbox.sandbox import Sandbox
from seedance_api.providers.upstreams import Upstream, load_upstreams
from seedance_api.references.admit import References
from seedance_api.references.link import link, link_key
from seedance_api.settings import Settings, read
from seedance_api.webhooks.decide import AT_ONCE
from seedance_api.webhooks.deliver import Deliverer

_CONFINED = 2
_LINK_SECONDS = 6 * 3600.0
"""An upstream fetches the inputs while it takes the work."""
_CHECK_SECONDS = 1.0
_REDIRECT_SECONDS = 900

ROUTES = [
    videos.create_video,
    videos.quote_video,
    videos.list_videos,
    videos.retrieve_video,
    videos.cancel_video,
    videos.delete_video,
    serve_content,
    serve_link,
    confirm_delivery,
    make_link,
    retrieve_receipt,
    stream_events,
    billing.retrieve_balance,
    billing.set_balance,
    billing.list_usage,
    billing.retrieve_statement,
    account_events.list_events,
    account_events.retrieve_event,
    webhook_endpoints.list_event_types,
    webhook_endpoints.create_endpoint,
    webhook_endpoints.list_endpoints,
    webhook_endpoints.retrieve_endpoint,
    webhook_endpoints.update_endpoint,
    webhook_endpoints.delete_endpoint,
    webhook_endpoints.rotate_secret,
    webhook_endpoints.test_endpoint,
    webhook_deliveries.list_deliveries,
    webhook_deliveries.replay_deliveries,
    webhook_secret.retrieve_account_secret,
    webhook_secret.rotate_account_secret,
    files.upload_file,
    files.retrieve_file,
    files.delete_file,
    verify.verify_file,
    verify.list_certificates,
    serve_media,
    receive_callback,
    models.list_models,
    models.retrieve_model,
    health.healthz,
    health.readyz,
    docs.openapi_json,
    docs.docs_page,
]


def api() -> ASGIApp:
    """The API's ASGI application, for one server process whose parent is `seedance-api serve`."""
    die_with_parent()
    settings = read()
    log.configure(level=settings.log_level)
    return build_api(settings)


def build_api(settings: Settings) -> ASGIApp:
    """The API with these settings. `settings.database_url` names a migrated database."""

    @asynccontextmanager
    async def life(app: Litestar) -> AsyncGenerator[None, None]:
        async with open_parts(settings) as parts:
            app.state["parts"] = parts
            collect_less()
            yield

    app = Litestar(
        route_handlers=ROUTES,
        lifespan=[life],
        exception_handlers={Exception: handle},
        openapi_config=None,
        request_max_body_size=FILE_MOST,
        logging_config=None,
    )
    return Face(app)


def collect_less() -> None:
    """Tune the cycle collector for a server: what is there now stays, and a request makes next to no cycles.

    With Python's own threshold (700) it walks through all requests in flight many times a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncGenerator[Parts, None]:
    """What the handlers use, opened and closed."""
    db = await Database.connect(database_url(settings), most=settings.database_connections)
    pepper = pepper_of(settings)
    await check_pepper(db, pepper)
    store = open_store(settings.storage_url, settings.data_dir / "objects")
    scratch = Scratch(settings.data_dir / "scratch")
    outbound, posting = open_outbound(settings), open_posting(settings)
    references = References(db=db, store=store, confine=Confine(slots=_CONFINED), outbound=outbound)
    books = Books(db)
    await books.latest()
    parts = Parts(
        db=db,
        authenticate=Authenticator(db=db, pepper=pepper),
        creating=Creating(
            db=db,
            writer=Writer(db),
            books=books,
            references=references,
            router=router_of(settings, read_upstreams_of(settings)),
            retention_seconds=settings.retention_seconds,
            grace_seconds=settings.grace_seconds,
            deadline_seconds=settings.deadline_seconds,
        ),
        references=references,
        store=store,
        disk=Disk(local_folders(store, scratch), reserve_percent=settings.disk_reserve_percent),
        scratch=scratch.path,
        file_retention_seconds=settings.file_retention_seconds,
        public_url=settings.public_url,
        pepper=pepper,
        redirect_seconds=_REDIRECT_SECONDS if settings.content_redirect else 0,
        verifying=Verifying(
            certificate=certificate_of(settings),
            confine=Confine(slots=_CONFINED),
            limiter=Limiter(a_minute=settings.verify_a_minute),
            most=settings.verify_megabytes << 20,
        ),
        posting=posting,
    )

    def missed() -> None:
        parts.authenticate.forget_all()
        books.forget_latest()
        parts.changes.tell_all()

    channels = {
        "key_revoked": parts.authenticate.forget,
        "generation": parts.changes.tell,
        "price_book": books.forget_latest,
    }
    listener = Listener(db.url, channels, missed)
    await listener.start()
    try:
        yield parts
    finally:
        await listener.stop()
        await posting.aclose()
        await outbound.aclose()
        await db.close()
        scratch.close()


async def work(settings: Settings) -> None:
    """Run a worker until it is told to stop."""
    async with open_engine(settings) as engine:
        outbound = open_outbound(settings)
        posting = open_posting(settings)
        mailbox = open_mailbox(settings.smtp_url, settings.mail_from)
        notifier = Notifier(db=engine.db, outbound=outbound, url=settings.notice_url, mailbox=mailbox)
        deliverer = Deliverer(
            db=engine.db,
            outbound=posting,
            pepper=pepper_of(settings),
            tell=give_notice,
            lease_seconds=settings.lease_seconds,
        )
        structlog.get_logger().info("worker.ready", providers=sorted(engine.providers))
        try:
            await worker.run(
                database_url(settings),
                worker.Tasks(
                    engine=engine,
                    notifier=notifier,
                    deliverer=deliverer,
                    event_days=settings.event_retention_days,
                ),
                drain_seconds=settings.drain_seconds,
            )
        finally:
            await posting.aclose()
            await outbound.aclose()


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncGenerator[Engine, None]:
    """What the steps of generations need, opened and closed. Raises ValueError for upstreams that cannot be used."""
    upstreams = read_upstreams_of(settings)
    db = await Database.connect(database_url(settings), most=settings.database_connections)
    store = open_store(settings.storage_url, settings.data_dir / "objects")
    scratch = Scratch(settings.data_dir / "scratch")
    sandbox = Sandbox(
        store=store, scratch=scratch.path, renderers=settings.sandbox_renderers, at_once=settings.sandbox_slots
    )
    arks = [open_ark(one, db, store, settings) for one in upstreams]
    books = Books(db, costs_of(upstreams))
    try:
        yield Engine(
            db=db,
            providers={one.name: one for one in (sandbox, *arks)},
            router=router_of(settings, upstreams),
            seals=Seals(pepper_of(settings), settings.public_url),
            storage=Storage(
                store=store,
                scratch=scratch.path,
                confine=Confine(slots=_CONFINED),
                marking=marking_of(settings),
                label=label_of(settings),
            ),
            books=books,
            desk=Desk(db),
            record=Recorder(db, books),
            lease_seconds=settings.lease_seconds,
            an_account=settings.account_at_once,
        )
    finally:
        for one in (sandbox, *arks):
            await one.close()
        await db.close()
        scratch.close()


def open_ark(upstream: Upstream, db: Database, store: ObjectStore, settings: Settings) -> Ark:
    """One upstream, with the key that the environment holds."""
    key = os.environ.get(upstream.key_env, "").strip()
    return Ark(
        name=upstream.name,
        caller=Caller(base_url=upstream.base_url, bearer=key),
        models=upstream.models,
        store=store,
        results=Outbound(
            allow_http=upstream.allow_http,
            extra_ports=upstream.result_ports,
            allow_networks=upstream.allow_networks,
        ),
        link=_linker(settings),
        media=upstream.media,
        callbacks=upstream.callbacks,
        region=upstream.data_region,
        result_hosts=upstream.result_hosts,
        list_a_second=upstream.list_a_second,
        check_seconds=_CHECK_SECONDS,
        turn=Turns(db, f"list {upstream.name}", 1 / upstream.list_a_second).turn,
    )


def _linker(settings: Settings) -> Callable[[Input], str] | None:
    public_url, key = settings.public_url, link_key(pepper_of(settings))
    if public_url is None:
        return None

    def make(one: Input) -> str:
        assert one.object_key is not None, "what is linked to is in our store"
        return link(public_url, key, one.object_key, one.media_type or "", _LINK_SECONDS)

    return make


def read_upstreams_of(settings: Settings) -> tuple[Upstream, ...]:
    """The upstreams of the settings' file. Raises ValueError that lists everything that is wrong, with its place."""
    file = settings.upstreams or settings.data_dir / "upstreams.toml"
    if settings.upstreams is None and not file.exists():
        return ()
    found = load_upstreams(file, os.environ)
    for warning in found.warnings:
        structlog.get_logger().warning("upstreams.warning", text=warning)
    return found.upstreams


def costs_of(upstreams: Sequence[Upstream]) -> Costs:
    """What the operator has agreed with the upstreams, where that is not what the price book says."""
    agreed = {one.name: one for one in upstreams}

    def cost(provider: str, currency: str, use: Use) -> int | None:
        upstream = agreed.get(provider)
        return upstream.cost(use.model, currency, **use.facts()) if upstream else None

    return cost


def router_of(settings: Settings, upstreams: Sequence[Upstream]) -> Router:
    """Who makes live videos. The sandbox does instead of upstreams where that is asked for."""
    if settings.live_sandbox:
        return Router(offers={"sandbox": Offer(models={model.name: None for model in MODELS}, assets=False)})
    return Router(
        offers={
            one.name: Offer(
                models={name: served.ends_at for name, served in one.models.items()}, region=one.data_region
            )
            for one in upstreams
        }
    )


def local_folders(store: ObjectStore, scratch: Scratch) -> list[Path]:
    """Where this machine's disks are written to: scratch files always, objects where the store is a folder."""
    folder = folder_of(store)
    return [scratch.path] if folder is None else [scratch.path, folder]


def open_outbound(settings: Settings) -> Outbound:
    """The door to the outside."""
    return Outbound(allow_http=settings.fetch_http, allow_networks=settings.fetch_allow_networks)


def marking_of(settings: Settings) -> Marking:
    """Who marks, and with what."""
    return Marking(
        operator=settings.operator_name, certificate=certificate_of(settings), tsa_url=settings.marking_tsa_url
    )


def certificate_of(settings: Settings) -> Certificate:
    """The certificate that marks are signed with: configured, or kept in the data folder."""
    folder = settings.data_dir / "secrets/marking"
    trusted = settings.marking_trusted or folder / certificate.TRUSTED
    if settings.marking_certificate and settings.marking_key:
        return Certificate(str(settings.marking_certificate), str(settings.marking_key), str(trusted))
    own = certificate.own(folder, settings.operator_name)
    return Certificate(own.certificate, own.key, str(trusted))


def label_of(settings: Settings) -> Label | None:
    """The visible label, if there is one."""
    if not settings.label_seconds:
        return None
    font = str(settings.label_font) if settings.label_font else None
    return Label(text=settings.label_text, seconds=settings.label_seconds, font=font)


def check_marking(settings: Settings) -> None:
    """Raises ValueError when videos could not be marked, or not be labelled."""
    certificate.check(certificate_of(settings))
    if wanted := label_of(settings):
        label.check(wanted)


def open_posting(settings: Settings) -> Outbound:
    """The door for webhooks.

    It has as many connections as the lanes may need: an attempt that waited for one would count as a failure.
    """
    return Outbound(
        allow_http=settings.fetch_http,
        extra_ports=settings.webhook_ports,
        allow_networks=settings.fetch_allow_networks,
        connections=AT_ONCE * (worker.DELIVERING + worker.DELIVERING_SLOWLY),
    )


def pepper_of(settings: Settings) -> bytes:
    """The installation's secret: configured, or kept in the data folder."""
    return bytes.fromhex(settings.pepper) if settings.pepper else load_pepper(settings.data_dir / "secrets")


def database_url(settings: Settings) -> str:
    """The database. The commands set it when they use the embedded one."""
    if settings.database_url is None:
        raise RuntimeError("SEEDANCE_DATABASE_URL is not set; start through `seedance-api`")
    return settings.database_url
