"""What answers say about a provider's health: pure."""

import pytest

from seedance_api.providers.provider import (
    Busy,
    Capabilities,
    Capacity,
    NotSent,
    Refused,
    Started,
    StartOutcome,
    Unclear,
)
from seedance_api.routing.admission import slots_of
from seedance_api.routing.circuit_breaker import CircuitBreaker, Trouble, after_start, room, wait_seconds


def breaker(**said: object) -> CircuitBreaker:
    return CircuitBreaker(provider="p", model="", **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [Started({"id": "1"}), Refused("invalid_for_provider", "m")])
def test_an_answer_about_the_request_says_nothing_against_the_provider(answer: StartOutcome) -> None:
    assert after_start(answer, breaker(failures=5), "m") is None


def test_a_provider_is_left_alone_for_as_long_as_it_asks() -> None:
    asked = after_start(Busy("rate", wait_seconds=17), breaker(), "m")
    assert asked == Trouble("", 1, 17, 0.5, "rate")
    assert after_start(Busy("rate", wait_seconds=1e9), breaker(), "m") == Trouble("", 1, 3600, 0.5, "rate")
    alone = after_start(Busy("rate", wait_seconds=2, model_only=True), breaker(), "m")
    assert alone is not None
    assert alone.model == "m"


def test_pauses_double_and_end_at_a_minute() -> None:
    pauses = [after_start(Busy("full"), breaker(failures=n), "m") for n in range(9)]
    assert [one.wait_seconds for one in pauses if one] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_a_person_must_repair_is_not_tried_every_second() -> None:
    found = after_start(Busy("the key is refused", operator=True), breaker(), "m")
    assert found is not None
    assert found.wait_seconds >= 300


@pytest.mark.parametrize("answer", [NotSent("refused"), Unclear("timeout")])
def test_one_bad_connection_opens_no_breaker_and_three_do(answer: StartOutcome) -> None:
    found = [after_start(answer, breaker(failures=n), "m") for n in range(4)]
    assert [one.wait_seconds > 0 for one in found if one] == [False, False, True, True]
    assert {one.share for one in found if one} == {1.0}


def test_trouble_halves_the_share_and_never_takes_all() -> None:
    share = 1.0
    for _ in range(20):
        found = after_start(Busy("full"), breaker(share=share), "m")
        assert found is not None
        share = found.share
    assert share == 0.05
    assert room(10, share) == 1
    assert room(10, 0.5) == 5
    assert room(10, 1.0) == 10


def test_slots_follow_the_breakers_of_the_provider_and_of_the_model() -> None:
    capabilities = Capabilities(models={"a": Capacity(concurrency=10), "b": Capacity(concurrency=4)}, check_seconds=1)
    assert slots_of(capabilities, []) == {"a": 10, "b": 4}
    opened = CircuitBreaker(provider="p", model="a", wait_seconds=3)
    assert slots_of(capabilities, [opened]) == {"a": 0, "b": 4}
    assert slots_of(capabilities, [CircuitBreaker(provider="p", model="", wait_seconds=3)]) == {"a": 0, "b": 0}
    assert slots_of(capabilities, [CircuitBreaker(provider="p", model="", share=0.5)]) == {"a": 5, "b": 2}
    assert wait_seconds([opened, CircuitBreaker(provider="p", model="", wait_seconds=9)], "a") == 9
