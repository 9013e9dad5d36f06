"""What the public is told of a model."""

from datetime import UTC, date, datetime

import msgspec

from seedance_api.catalog.capabilities import Capabilities, Cloud, Model, State
from seedance_api.catalog.limits import InputLimits
from seedance_api.catalog.models import DEFAULT, today_utc


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """A model's state today and the dates behind it."""

    state: State
    """`active`, `retiring` (it ends on at least one cloud) or `retired` (refused)."""
    clouds: tuple[Cloud, ...]
    """The vendor's two clouds, each with its `ids` and `ends_at`."""
    replacement: str | None
    """The model to move to, if the vendor named one."""


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the public sees it: OpenAI's model object and everything else we know."""

    id: str
    """The model's name."""
    object: str = "model"
    created: int
    """The date in the vendor's ids, in Unix seconds."""
    owned_by: str = "bytedance"
    """Always `bytedance`."""
    default: bool
    """Whether it is used when a request names no model."""
    aliases: tuple[str, ...]
    """The vendor's ids, accepted in `model`."""
    lifecycle: Lifecycle
    capabilities: Capabilities
    limits: InputLimits
    sizes: dict[str, dict[str, str]]
    """Width and height in pixels, by resolution and ratio."""


def view(model: Model, *, today: date | None = None) -> ModelView:
    """Everything `GET /v1/models` tells of a model."""
    created = datetime(model.dated.year, model.dated.month, model.dated.day, tzinfo=UTC)
    return ModelView(
        id=model.name,
        created=int(created.timestamp()),
        default=model.name == DEFAULT,
        aliases=model.aliases,
        lifecycle=Lifecycle(
            state=model.state(today or today_utc()), clouds=model.clouds, replacement=model.replacement
        ),
        capabilities=model.capabilities,
        limits=model.limits,
        sizes={
            resolution: {ratio: f"{width}x{height}" for ratio, (width, height) in table.items()}
            for resolution, table in model.pixels.items()
        },
    )
