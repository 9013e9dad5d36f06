"""An upstream: one account of one vendor, as the operator's file names it, and the models that it serves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from seedance_api.catalog.order import Mode
from seedance_api.providers.table import Cost


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A model at an upstream: the vendor's ids, and how much it takes. Seedance 1.0 lite has an id for text alone."""

    ids: tuple[str, ...]
    concurrency: int = 10
    per_minute: int = 600
    ends_at: datetime | None = None
    costs: tuple[Cost, ...] = ()

    def vendor_id(self, mode: Mode) -> str:
        """The id to order by."""
        return self.ids[0] if mode is Mode.TEXT else self.ids[-1]


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """One account of one vendor. The key itself is in the environment, under the name `key_env`."""

    name: str
    kind: Literal["ark"]
    base_url: str
    region: str
    data_region: str
    legal_entity: str
    key_env: str
    media: Literal["link", "data"] = "link"
    callbacks: bool = True
    list_a_second: float = 1.0
    result_hosts: tuple[str, ...] = ()
    allow_networks: tuple[str, ...] = ()
    result_ports: tuple[int, ...] = ()
    models: Mapping[str, Served]

    def cost(
        self, model: str, currency: str, *, resolution: str, input_video: bool, audio: bool, service_tier: str
    ) -> int | None:
        """What it asks for a million tokens of such a use, in micro-units; None where that is not agreed here."""
        for line in self.models[model].costs if model in self.models else ():
            fits = line.covers(resolution=resolution, input_video=input_video, audio=audio, service_tier=service_tier)
            if line.currency == currency and fits:
                return line.cost
        return None

    @property
    def allow_http(self) -> bool:
        """Whether results may come over plain http: where the upstream itself does, on this machine."""
        return self.base_url.startswith("http://")

    @property
    def extra_ports(self) -> frozenset[int]:
        """Further ports that results may come from: those that are named, and a private upstream's own."""
        own = urlsplit(self.base_url).port if self.allow_networks else None
        return frozenset(self.result_ports if own is None else (*self.result_ports, own))
