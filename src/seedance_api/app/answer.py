"""The API, built once for each of its processes."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_network

from litestar import Litestar
from litestar.types import ASGIApp

from seedance_api.accounts.authenticate import Authenticator
from seedance_api.api.routes import FACE
from seedance_api.app import shares
from seedance_api.app.export import api_ports, exported
from seedance_api.app.limits import limit_store, limits_of
from seedance_api.app.open import disk_of, open_objects, open_outbound, open_posting, router_of, running_url
from seedance_api.app.read import certificate_of, pepper_of, read_upstreams_of
from seedance_api.billing.books import Books
from seedance_api.foundation import log
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.connections import Bounds, Connections
from seedance_api.foundation.db import Database
from seedance_api.foundation.installation import check_pepper
from seedance_api.foundation.intake import Intake
from seedance_api.foundation.listen import Listener
from seedance_api.foundation.process import DRAIN, die_with_parent
from seedance_api.foundation.scratch import Scratch
from seedance_api.foundation.session import API
from seedance_api.generations.commands import Creating
from seedance_api.generations.follow import Streams
from seedance_api.generations.write import Writer
from seedance_api.references.admit import References
from seedance_api.references.queries import Room
from seedance_api.settings import Settings, read
from seedance_api.traffic.failed_keys import FailedKeys
from seedance_api.traffic.metrics import REQUEST_LOG_WAITING
from seedance_api.traffic.rate_limits import RateLimits
from seedance_api.web.body import MAX_FILE_BYTES
from seedance_api.web.client_address import ClientAddress
from seedance_api.web.context import Context, Verifying
from seedance_api.web.edge import Edge
from seedance_api.web.errors import handle
from seedance_api.web.finished import MAX_ITEMS, SECONDS, FinishedAnswers
from seedance_api.web.probes import probes

_REDIRECT_SECONDS = 900


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
        async with open_context(settings) as context:
            app.state["context"], app.state["routes"] = context, tuple(FACE.routes)
            asyncio.get_running_loop().add_signal_handler(DRAIN, context.changes.stop)
            collect_less()
            async with (
                probes(edge, edge.probes, settings.host, settings.health_port),
                exported(api_ports(settings), context.db, settings, partial(look, context)),
            ):
                connections.start()
                yield
                connections.stop()

    app = Litestar(
        route_handlers=FACE.routes,
        lifespan=[life],
        exception_handlers={Exception: handle},
        openapi_config=None,
        request_max_body_size=MAX_FILE_BYTES,
        logging_config=None,
    )
    bounds = Bounds(
        max_connections=settings.connections,
        of_one=settings.connections_per_address,
        proxies=tuple(map(ip_network, settings.proxy_networks)),
    )
    connections = Connections(settings.port, bounds)
    edge = Edge(app, [FACE], connections, ClientAddress(bounds.proxies, settings.proxy_header))
    return edge


async def look(context: Context) -> None:
    """What only an API process has to tell in this moment."""
    REQUEST_LOG_WAITING.set(float(context.request_log.waiting))


def collect_less() -> None:
    """Tune the cycle collector for a server: what is there now stays, and a request makes next to no cycles.

    With Python's own threshold (700) it walks through all requests in flight many times a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncGenerator[Context, None]:
    """What the handlers use, opened and closed."""
    db = await Database.connect(
        running_url(settings, "api"), max_connections=settings.database_connections, session=API
    )
    new_work = db.part(max(1, settings.database_connections // 2))  # so that reads are answered, whatever is ordered
    pepper = pepper_of(settings)
    await check_pepper(db, pepper)
    store = await open_objects(db, settings)
    scratch = Scratch(settings.data_dir / "scratch")
    outbound, posting = open_outbound(settings), open_posting(settings)
    disk = disk_of(settings, store, scratch)
    intake = Intake(
        scratch,
        disk,
        max_uploads=settings.max_uploads,
        max_bytes=settings.max_upload_megabytes << 20,
        objects=store,
    )
    references = References(
        db=new_work,
        store=store,
        confine=Confine(queue=shares.inspecting()),
        outbound=outbound,
        disk=disk,
        fetching=shares.fetching(),
        room={
            livemode: Room(files=files, bytes=gigabytes * 10**9)
            for livemode, files, gigabytes in (
                (True, settings.max_files, settings.max_files_gigabytes),
                (False, settings.max_files_test, settings.max_files_test_gigabytes),
            )
        },
    )
    books = Books(db, hears=lambda: listener.hears)

    def missed() -> None:
        context.authenticate.forget_all()
        context.finished.forget_all()
        books.forget_latest()
        context.changes.tell_all()

    def revoked(key_id: str) -> None:
        context.authenticate.forget(key_id)
        context.changes.tell(key_id)

    def changed(generation_id: str) -> None:
        context.changes.tell(generation_id)

    def finished_changed(generation_ids: str) -> None:
        for generation_id in generation_ids.split(" "):
            context.finished.forget(generation_id)

    channels = {
        "key_revoked": revoked,
        "generation": changed,
        "finished": finished_changed,
        "price_book": books.forget_latest,
    }
    listener = Listener(db.url, channels, missed)
    context = Context(
        db=db,
        authenticate=Authenticator(db=db, pepper=pepper, hears=lambda: listener.hears),
        creating=Creating(
            db=new_work,
            writer=Writer(new_work),
            books=books,
            references=references,
            router=router_of(settings, read_upstreams_of(settings)),
            retention_seconds=settings.retention_seconds,
            grace_seconds=settings.grace_seconds,
            deadline_seconds=settings.deadline_seconds,
            max_pending=settings.max_pending,
            max_pending_test=settings.max_pending_test,
        ),
        references=references,
        store=store,
        disk=disk,
        intake=intake,
        file_retention_seconds=settings.file_retention_seconds,
        public_url=settings.public_url,
        listening_url=listening_url(settings.host, settings.port),
        streams=Streams(settings.streams_per_account),
        pepper=pepper,
        redirect_seconds=_REDIRECT_SECONDS if settings.content_redirect else 0,
        verifying=Verifying(
            certificate=certificate_of(settings),
            confine=Confine(queue=shares.verifying()),
            max_bytes=settings.verify_megabytes << 20,
        ),
        posting=posting,
        rate_limits=RateLimits(limit_store(settings), limits_of(settings)),
        failed_keys=FailedKeys(settings.max_failed_keys),
        finished=FinishedAnswers(hears=lambda: listener.hears, max_items=MAX_ITEMS, seconds=SECONDS),
        max_endpoints=settings.max_webhook_endpoints,
    )

    await listener.start()
    context.request_log.start()
    try:
        await books.latest()
        yield context
    finally:
        await context.request_log.stop()
        await context.rate_limits.close()
        await listener.stop()
        await posting.aclose()
        await outbound.aclose()
        await db.close()
        scratch.close()


def listening_url(host: str, port: int) -> str:
    """Where a client on this machine finds us; of an address that stands for all, the loopback one."""
    known = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 it is what is listened on
    return f"http://{f'[{known}]' if ':' in known else known}:{port}"
