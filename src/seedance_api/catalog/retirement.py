"""Retirement: what callers are told of a model that the vendor is about to end, before it is refused."""

from datetime import date, datetime
from functools import lru_cache

import msgspec

from seedance_api.catalog.capabilities import Model, State
from seedance_api.catalog.models import find

_CLOUDS = {"volcengine": "Volcengine Ark", "byteplus": "BytePlus ModelArk"}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that will not stay as it is."""

    code: str
    message: str


class Retirement(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a model. `deprecated_at` is when it ends first, `sunset_at` the next end, or the last known one.

    A `sunset_at` that has passed says that it may be gone at any time, as RFC 8594 has it.
    """

    deprecated_at: datetime
    sunset_at: datetime
    notice: Notice


@lru_cache(maxsize=64)
def retirement(name: str, today: date) -> Retirement | None:
    """What there is to say of a model on a day; None while it stays, and once it is refused."""
    model = find(name)
    if model is None or model.state(today) is not State.RETIRING:
        return None
    ends = sorted(cloud.ends_at for cloud in model.clouds if cloud.ends_at is not None)
    ahead = [end for end in ends if end.date() > today]
    return Retirement(deprecated_at=ends[0], sunset_at=(ahead or ends[-1:])[0], notice=_notice(model, today))


def _notice(model: Model, today: date) -> Notice:
    said: list[str] = []
    for cloud in model.clouds:
        if cloud.ends_at is None:
            said.append(f"on {_CLOUDS[cloud.cloud]} no date is known")
        else:
            verb = "it ended" if cloud.ends_at.date() <= today else "it ends"
            said.append(f"on {_CLOUDS[cloud.cloud]} {verb} on {cloud.ends_at:%Y-%m-%d} at {cloud.ends_at:%H:%M} UTC")
    successor = f" Use {model.replacement} instead." if model.replacement else ""
    message = f"The vendor is retiring {model.name}: {', '.join(said)}.{successor}"
    return Notice(code="model_retiring", message=message)
