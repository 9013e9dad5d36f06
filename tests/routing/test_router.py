"""Who may make an order: the model, its end, and where the data may go."""

from datetime import UTC, datetime

import msgspec

from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.order import Order
from seedance_api.catalog.request import Request
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.routing.router import Offer, Router, allowed

NOW = datetime(2026, 11, 24, 5, 59, 59, tzinfo=UTC)
END = datetime(2026, 11, 24, 6, tzinfo=UTC)


def order(model: str) -> Order:
    accepted = check(Request(prompt="x"))
    assert isinstance(accepted, Accepted)
    return msgspec.structs.replace(accepted.order, model=model)


ROUTER = Router(
    offers={
        "first": Offer(models={"a": None, "b": END}, region="cn"),
        "second": Offer(models={"a": None}, region="ap"),
        "here": Offer(models={"c": None}, region=None),
    }
)


def test_the_preferred_one_that_serves_the_model_comes_first() -> None:
    assert ROUTER.able(order("a"), None) == ["first", "second"]
    assert ROUTER.able(order("z"), None) == []


def test_data_goes_only_where_it_may() -> None:
    assert ROUTER.able(order("a"), ["ap"]) == ["second"]
    assert ROUTER.able(order("a"), []) == []
    assert ROUTER.able(order("c"), ["ap"]) == ["here"]
    assert allowed("cn", None)
    assert not allowed("cn", ["ap"])


def test_a_model_is_served_until_the_second_it_ends() -> None:
    assert ROUTER.able(order("b"), None, now=NOW) == ["first"]
    assert ROUTER.able(order("b"), None, now=END) == []
    assert ROUTER.sells("b", now=NOW)
    assert not ROUTER.sells("b", now=END)


def test_a_seal_is_the_same_for_ever_and_says_nothing() -> None:
    seals = Pseudonyms(b"p" * 32, "https://video.example.org/")
    assert seals.customer("acc_1") == seals.customer("acc_1") != seals.customer("acc_2")
    assert len(seals.customer("acc_1")) == 64
    assert "acc_1" not in seals.customer("acc_1")
    assert Pseudonyms(b"q" * 32).customer("acc_1") != seals.customer("acc_1")
    assert "p" * 8 not in repr(seals)


def test_a_callback_is_good_for_its_own_attempt_only() -> None:
    seals = Pseudonyms(b"p" * 32, "https://video.example.org/")
    url = seals.callback_url("att_1")
    assert url is not None
    attempt, token = url.removeprefix("https://video.example.org/v1/callbacks/").split("/")
    assert seals.is_callback(attempt, token)
    assert not seals.is_callback("att_2", token)
    assert not seals.is_callback(attempt, token[:-1] + ("0" if token[-1] != "0" else "1"))
    assert not seals.is_callback(attempt, "é")
    assert Pseudonyms(b"p" * 32).callback_url("att_1") is None
