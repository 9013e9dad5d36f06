"""What the API and the worker both open."""

from collections.abc import Sequence

from obstore.store import ObjectStore

from seedance_api.catalog.models import MODELS
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.objects import folder_of
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.scratch import Scratch
from seedance_api.generations.route import Offer, Router
from seedance_api.providers.upstreams import Upstream
from seedance_api.settings import Settings
from seedance_api.webhooks.decide import AT_ONCE, DELIVERING, DELIVERING_SLOWLY

CONFINED = 2
"""Confined children of one kind at a time in a process."""


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


def disk_of(settings: Settings, store: ObjectStore, scratch: Scratch) -> Disk:
    """What this machine writes to: scratch files, objects where the store is a folder, and an embedded database."""
    folders = [settings.data_dir, scratch.path, folder_of(store), settings.data_dir / "postgres"]
    return Disk([one for one in folders if one is not None], reserve_percent=settings.disk_reserve_percent)


def open_outbound(settings: Settings) -> Outbound:
    """The door to the outside."""
    return Outbound(allow_http=settings.fetch_http, allow_networks=settings.fetch_allow_networks)


def open_posting(settings: Settings) -> Outbound:
    """The door for webhooks.

    It has as many connections as the lanes may need: an attempt that waited for one would count as a failure.
    """
    return Outbound(
        allow_http=settings.fetch_http,
        extra_ports=settings.webhook_ports,
        allow_networks=settings.fetch_allow_networks,
        connections=AT_ONCE * (DELIVERING + DELIVERING_SLOWLY),
    )
