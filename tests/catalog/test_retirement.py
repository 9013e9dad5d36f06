"""The end of a model: warned of before, refused after, at the hour on each of the vendor's clouds."""

from datetime import UTC, date, datetime, timedelta

import pytest

from catalog.asking import M15, M25, MINI, PRO, PRO_FAST, accepted, ask, only, told
from seedance_api.catalog.check import Accepted
from seedance_api.catalog.models import MODELS, find
from seedance_api.catalog.retirement import retirement
from seedance_api.routing.router import Offer, Router

SECOND = timedelta(seconds=1)
ENDS = [
    (model.name, cloud.cloud, cloud.ends_at) for model in MODELS for cloud in model.clouds if cloud.ends_at is not None
]


def test_nothing_is_said_of_a_model_that_stays() -> None:
    for name in (M25, MINI, "no such model"):
        assert retirement(name, date(2026, 11, 24)) is None


def test_a_model_that_ends_on_one_cloud_is_warned_of_with_its_dates_and_its_successor() -> None:
    before, after = (retirement(PRO, date(2026, 11, day)) for day in (23, 24))
    assert before is not None
    assert after is not None
    end = datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert (before.deprecated_at, before.sunset_at) == (after.deprecated_at, after.sunset_at) == (end, end)
    assert before.notice.code == "model_retiring"
    assert before.notice.message == (
        "The vendor is retiring seedance-1.0-pro: on Volcengine Ark it ends on 2026-11-24 at 06:00 UTC, "
        "on BytePlus ModelArk no date is known. Use seedance-2.0-mini instead."
    )
    assert "it ended on 2026-11-24" in after.notice.message


def test_of_two_ends_the_first_deprecates_and_the_next_is_the_sunset() -> None:
    volcengine, byteplus = datetime(2026, 9, 21, 6, tzinfo=UTC), datetime(2026, 11, 11, 9, tzinfo=UTC)
    for day, sunset in ((date(2026, 9, 20), volcengine), (date(2026, 9, 21), byteplus), (date(2026, 11, 10), byteplus)):
        found = retirement(M15, day)
        assert found is not None
        assert (found.deprecated_at, found.sunset_at) == (volcengine, sunset)
        assert found.deprecated_at <= found.sunset_at  # RFC 9745 §4
    assert retirement(M15, date(2026, 11, 11)) is None  # it is refused


@pytest.mark.parametrize(("name", "cloud", "ends_at"), ENDS)
def test_at_the_hour_of_its_end_a_cloud_serves_it_no_more(name: str, cloud: str, ends_at: datetime) -> None:
    router = Router(offers={"it": Offer(models={name: ends_at})})
    assert router.sells(name, now=ends_at - SECOND)
    assert not router.sells(name, now=ends_at)
    assert not router.sells(name, now=ends_at + SECOND)
    # the vendor tells it in Beijing time, and there it is the same day
    assert ends_at.utcoffset() == timedelta(0)
    assert (ends_at + timedelta(hours=8)).date() == ends_at.date()


@pytest.mark.parametrize("name", [model.name for model in MODELS if all(cloud.ends_at for cloud in model.clouds)])
def test_the_catalogue_refuses_it_from_the_day_on_which_the_last_cloud_ends(name: str) -> None:
    model = find(name)
    assert model is not None
    last = max(cloud.ends_at for cloud in model.clouds if cloud.ends_at is not None)
    midnight = last.replace(hour=0, minute=0)
    eve, day = (midnight - SECOND).date(), midnight.date()
    assert isinstance(ask(eve, model=name), Accepted)
    assert retirement(name, eve) is not None
    for alias in (name, *model.aliases):
        problem = only(day, model=alias)
        assert told(problem) == ("retired_model", "model")
        assert f"use {model.replacement} instead" in problem.message
    assert retirement(name, day) is None


@pytest.mark.parametrize("name", [PRO, PRO_FAST])
def test_while_one_cloud_has_no_end_it_is_taken_and_warned_of(name: str) -> None:
    for day in (date(2026, 11, 23), date(2026, 11, 24), date(2027, 6, 1)):
        assert accepted(day, model=name).model == name
        assert retirement(name, day) is not None
