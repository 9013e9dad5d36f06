"""The Seedance models: names, ids and lifecycle, as data; what each can do is in `abilities.py`.

Sources, as read in October and November 2026: Volcengine 82379 and ModelArk 1330310 (model list), 1350667 (retirement).
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from seedance_api.catalog import pixels
from seedance_api.catalog.abilities import (
    CAPABILITIES_1_0_PRO,
    CAPABILITIES_1_0_PRO_FAST,
    CAPABILITIES_1_5,
    CAPABILITIES_2_0,
    CAPABILITIES_2_0_SMALL,
    CAPABILITIES_2_5,
    CAPABILITIES_LITE,
)
from seedance_api.catalog.capabilities import (
    Cloud,
    Model,
)
from seedance_api.catalog.limits import INPUT_1_0, INPUT_1_5, INPUT_2_0, INPUT_2_5

DEFAULT = "seedance-2.0-mini"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


def quoted(name: str) -> str:
    """A name that somebody gave for a model, to be told back where it looks like one; else nothing."""
    return f" `{name}`" if _NAME.fullmatch(name) else ""


def find(name: str) -> Model | None:
    """The model of this name, ours or the vendor's."""
    return _BY_NAME.get(name)


def today_utc() -> date:
    """The day it is now."""
    return datetime.now(UTC).date()


# Models, newest first. The vendor announces ends in Beijing time.

_BEIJING = timezone(timedelta(hours=8))


def _clouds(
    volcengine: tuple[str, ...],
    byteplus: tuple[str, ...],
    volcengine_ends_at: datetime | None = None,
    byteplus_ends_at: datetime | None = None,
) -> tuple[Cloud, ...]:
    return (
        Cloud(cloud="volcengine", ids=volcengine, ends_at=_utc(volcengine_ends_at)),
        Cloud(cloud="byteplus", ids=byteplus, ends_at=_utc(byteplus_ends_at)),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


MODELS: tuple[Model, ...] = (
    Model(
        name="seedance-2.5",
        dated=date(2026, 6, 28),
        clouds=_clouds(("doubao-seedance-2-5-260628",), ("dreamina-seedance-2-5-260628",)),
        capabilities=CAPABILITIES_2_5,
        limits=INPUT_2_5,
        pixels=pixels.PIXELS_2_5,
    ),
    Model(
        name="seedance-2.0",
        dated=date(2026, 1, 28),
        clouds=_clouds(("doubao-seedance-2-0-260128",), ("dreamina-seedance-2-0-260128",)),
        capabilities=CAPABILITIES_2_0,
        limits=INPUT_2_0,
        pixels=pixels.PIXELS_2_0,
    ),
    Model(
        name="seedance-2.0-fast",
        dated=date(2026, 1, 28),
        clouds=_clouds(("doubao-seedance-2-0-fast-260128",), ("dreamina-seedance-2-0-fast-260128",)),
        capabilities=CAPABILITIES_2_0_SMALL,
        limits=INPUT_2_0,
        pixels=pixels.PIXELS_2_0_SMALL,
    ),
    Model(
        name="seedance-2.0-mini",
        dated=date(2026, 6, 15),
        clouds=_clouds(("doubao-seedance-2-0-mini-260615",), ("dreamina-seedance-2-0-mini-260615",)),
        capabilities=CAPABILITIES_2_0_SMALL,
        limits=INPUT_2_0,
        pixels=pixels.PIXELS_2_0_SMALL,
    ),
    Model(
        name="seedance-1.5-pro",
        dated=date(2025, 12, 15),
        clouds=_clouds(
            ("doubao-seedance-1-5-pro-251215",),
            ("seedance-1-5-pro-251215",),
            datetime(2026, 9, 21, 14, tzinfo=_BEIJING),
            datetime(2026, 11, 11, 17, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=CAPABILITIES_1_5,
        limits=INPUT_1_5,
        pixels=pixels.PIXELS_1_5,
    ),
    Model(
        name="seedance-1.0-pro",
        dated=date(2025, 5, 28),
        clouds=_clouds(
            ("doubao-seedance-1-0-pro-250528",),
            ("seedance-1-0-pro-250528",),
            datetime(2026, 11, 24, 14, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=CAPABILITIES_1_0_PRO,
        limits=INPUT_1_0,
        pixels=pixels.PIXELS_1_0,
    ),
    Model(
        name="seedance-1.0-pro-fast",
        dated=date(2025, 10, 15),
        clouds=_clouds(
            ("doubao-seedance-1-0-pro-fast-251015",),
            ("seedance-1-0-pro-fast-251015",),
            datetime(2026, 11, 24, 14, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=CAPABILITIES_1_0_PRO_FAST,
        limits=INPUT_1_0,
        pixels=pixels.PIXELS_1_0,
    ),
    Model(
        name="seedance-1.0-lite",
        dated=date(2025, 4, 28),
        clouds=_clouds(
            ("doubao-seedance-1-0-lite-t2v-250428", "doubao-seedance-1-0-lite-i2v-250428"),
            ("seedance-1-0-lite-t2v-250428", "seedance-1-0-lite-i2v-250428"),
            datetime(2026, 5, 11, 14, tzinfo=_BEIJING),
            # No date was announced; the id answered 404 on this day.
            datetime(2026, 9, 2, 14, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=CAPABILITIES_LITE,
        limits=INPUT_1_0,
        pixels=pixels.PIXELS_LITE,
    ),
)

_BY_NAME = {name: model for model in MODELS for name in (model.name, *model.aliases)}
NAMES = tuple(_BY_NAME)
"""Every name that a model goes by, ours and the vendor's."""
