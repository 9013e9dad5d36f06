"""The tables of `upstreams.toml` and what each takes. `upstreams.py` reads them."""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator

from seedance_api.foundation.toml import Table
from seedance_api.providers.values import (
    Amount,
    BaseUrl,
    Currency,
    Hosts,
    Line,
    Moment,
    Networks,
    Ports,
    Resolutions,
    like,
    one_of,
    within,
)


class Cost(Table):
    """What the upstream asks for a million tokens, in micro-units of the currency; None is "whatever it is"."""

    currency: Currency = "USD"
    cost: Amount
    resolutions: Resolutions = None
    input_video: bool | None = None
    audio: bool | None = None
    service_tier: Annotated[str | None, one_of("default", "flex", needed=False)] = None

    def covers(self, *, resolution: str, input_video: bool, audio: bool, service_tier: str) -> bool:
        """Whether this line is for such a use. The first that is counts."""
        return (
            (self.resolutions is None or resolution in self.resolutions)
            and self.input_video in (None, input_video)
            and self.audio in (None, audio)
            and self.service_tier in (None, service_tier)
        )


def _lines(said: object) -> tuple[object, ...]:
    """An amount for everything, or lines of amounts for what each covers."""
    match said:
        case str():
            return ({"cost": said},)
        case dict():
            return (cast("object", said),)
        case list():
            return tuple(cast("list[object]", said))
        case _:
            raise ValueError('must be an amount such as "3.5", or lines [[….cost]]')


class ModelTable(Table):
    """A model, `[upstreams.NAME.models."MODEL"]`. The context of its check is the catalogue's `Model`."""

    id: Annotated[str, like(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII), blank=True)] = ""
    concurrency: Annotated[int, within(1, 100_000, "whole number")] = 10
    per_minute: Annotated[int, within(1, 1_000_000, "whole number")] = 600
    ends_at: Moment | None = None
    cost: Annotated[tuple[Cost, ...], BeforeValidator(_lines)] = ()


class UpstreamTable(Table):
    """An upstream, `[upstreams.NAME]`."""

    kind: Annotated[Literal["ark"], one_of("ark")]
    base_url: BaseUrl
    cloud: Annotated[Literal["volcengine", "byteplus"] | None, one_of("volcengine", "byteplus", needed=False)] = None
    region: Line
    data_region: Line
    legal_entity: Line
    key_env: Annotated[str, like(re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII))]
    media: Annotated[Literal["link", "data"], one_of("link", "data")] = "link"
    callbacks: bool = True
    list_a_second: Annotated[float, within(0.01, 100)] = 1.0
    result_hosts: Hosts = ()
    allow_networks: Networks = ()
    result_ports: Ports = ()
    models: Any = None
