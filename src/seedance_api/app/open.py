"""What the API and the worker both open."""

from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import structlog
from obstore.store import ObjectStore

from seedance_api.app.place import database_of, store_of
from seedance_api.app.read import database_url
from seedance_api.catalog.models import MODELS
from seedance_api.foundation import claim, installation
from seedance_api.foundation.db import UNREACHABLE, Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.installation import InstallationError
from seedance_api.foundation.objects import folder_of, open_store
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.scratch import Scratch
from seedance_api.providers.provider import SANDBOX
from seedance_api.providers.upstream import Upstream
from seedance_api.routing.router import Offer, Router
from seedance_api.settings import Settings
from seedance_api.webhooks.decide import CONCURRENCY, DELIVERING, DELIVERING_SLOWLY

CONFINED = 2
"""Confined children of one kind at a time in a process."""
NAME = "seedance-api "
"""How the connections of processes that run are called begins with this; those of commands are not called so."""
_log = structlog.get_logger()


def running_url(settings: Settings, part: str) -> str:
    """The database for a process that runs, so that others see that it does."""
    url = database_url(settings)
    return f"{url}{'&' if '?' in url else '?'}application_name={quote(NAME + part)}"


async def open_objects(db: Database, settings: Settings) -> ObjectStore:
    """The object store of this database's installation.

    Raises InstallationError when it is another's. One that cannot be reached now is taken for ours: it was looked at
    when the installation was joined, and `collect` looks again before it deletes anything.
    """
    refused = InstallationError(
        f"the object store {store_of(settings)} does not belong to {database_of(settings)}. Check "
        "SEEDANCE_DATABASE_URL, SEEDANCE_STORAGE_URL and --data-dir; seedance-api init says more"
    )
    try:
        store = open_store(settings.storage_url, settings.data_dir / "objects", makes=False)
    except FileNotFoundError:
        raise refused from None
    if (ours := await installation.find(db)) is not None:
        claim.keep(store, ours.id)
    try:
        agrees = await claim.agrees(db, store)
    except UNREACHABLE:
        raise
    except Exception as error:  # noqa: BLE001 every store has errors of its own
        _log.error("store.unreachable", error=type(error).__name__)
        return store
    if not agrees:
        raise refused
    return store


def router_of(settings: Settings, upstreams: Sequence[Upstream]) -> Router:
    """Who makes live videos. The sandbox does instead of upstreams where that is asked for."""
    if settings.live_sandbox:
        return Router(offers={SANDBOX: Offer(models={model.name: None for model in MODELS}, assets=False)})
    return Router(
        offers={
            upstream.name: Offer(
                models={name: served.ends_at for name, served in upstream.models.items()}, region=upstream.data_region
            )
            for upstream in upstreams
        }
    )


def disk_of(settings: Settings, store: ObjectStore, scratch: Scratch) -> Disk:
    """What this machine writes to: scratch files, objects where the store is a folder, and an embedded database."""
    folders = [settings.data_dir, scratch.path, folder_of(store), settings.data_dir / "postgres"]
    return Disk([folder for folder in folders if folder is not None], reserve_percent=settings.disk_reserve_percent)


def open_outbound(settings: Settings) -> Outbound:
    """The door to the outside."""
    return Outbound(allow_http=settings.fetch_http, allow_networks=settings.fetch_allow_networks)


def open_notifying(settings: Settings) -> Outbound:
    """The door for notices, whose address is the operator's own: its port is one that he has chosen."""
    port = urlsplit(settings.notice_url).port if settings.notice_url else None
    return Outbound(
        allow_http=settings.fetch_http,
        extra_ports=frozenset() if port is None else frozenset({port}),
        allow_networks=settings.fetch_allow_networks,
    )


def open_posting(settings: Settings) -> Outbound:
    """The door for webhooks.

    It has as many connections as the lanes may need: an attempt that waited for one would count as a failure.
    """
    return Outbound(
        allow_http=settings.fetch_http,
        extra_ports=settings.webhook_ports,
        allow_networks=settings.fetch_allow_networks,
        connections=CONCURRENCY * (DELIVERING + DELIVERING_SLOWLY),
    )
