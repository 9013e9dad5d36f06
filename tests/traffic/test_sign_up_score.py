"""How much a sign-up looks like one of many by the same person, case by case."""

import pytest

from seedance_api.traffic.sign_up_score import SignUp, is_disposable, mailbox_of, network_of, score_sign_up

ME = "me@example.org"


@pytest.mark.parametrize(
    ("sign_up", "points", "reasons", "verdict"),
    [
        (SignUp(email=ME), 0, [], "accept"),
        (SignUp(email=ME, network_hour=2, network_day=9), 0, [], "accept"),
        (SignUp(email="me+seedance@example.org"), 10, ["tagged_address"], "accept"),
        (SignUp(email="+me@example.org"), 0, [], "accept"),
        (SignUp(email=ME, network_hour=3), 20, ["network_hour"], "accept"),
        (SignUp(email=ME, network_hour=9, network_day=10), 40, ["network_hour", "network_day"], "accept"),
        (
            SignUp(email="me+1@example.org", network_hour=9, network_day=49),
            50,
            ["network_hour", "network_day", "tagged_address"],
            "no_free_credit",
        ),
        (SignUp(email=ME, network_hour=10), 50, ["network_hour"], "no_free_credit"),
        (SignUp(email=ME, network_day=50), 50, ["network_day"], "no_free_credit"),
        (SignUp(email=ME, network_hour=10, network_day=50), 100, ["network_hour", "network_day"], "review"),
        (SignUp(email="me@mailinator.com"), 50, ["disposable_domain"], "no_free_credit"),
        (SignUp(email=ME, same_mailbox=1), 50, ["same_mailbox"], "no_free_credit"),
        (SignUp(email="me+1@gmail.com", same_mailbox=7), 60, ["same_mailbox", "tagged_address"], "no_free_credit"),
        (
            SignUp(email="me@mailinator.com", same_mailbox=1),
            100,
            ["disposable_domain", "same_mailbox"],
            "review",
        ),
    ],
)
def test_points_come_with_their_reasons(sign_up: SignUp, points: int, reasons: list[str], verdict: str) -> None:
    score = score_sign_up(sign_up)
    assert (score.points, [reason.code for reason in score.reasons], score.verdict) == (points, reasons, verdict)
    assert sum(reason.points for reason in score.reasons) == score.points


def test_a_thousand_sign_ups_from_one_network_get_nothing_for_free_from_the_eleventh_on() -> None:
    verdicts = [
        score_sign_up(SignUp(email=f"{n}@example.org", network_hour=n, network_day=n)).verdict for n in range(1000)
    ]
    assert verdicts.index("no_free_credit") == 10
    assert verdicts.index("review") == 50
    assert set(verdicts[50:]) == {"review"}


@pytest.mark.parametrize(
    ("email", "mailbox"),
    [
        ("Me@Example.ORG", "me@example.org"),
        (" me@example.org. ", "me@example.org"),
        ("me+a+b@example.org", "me@example.org"),
        ("m.e@example.org", "m.e@example.org"),
        ("m.e+x@gmail.com", "me@gmail.com"),
        ("M.E@GoogleMail.com", "me@gmail.com"),
        ("me@pm.me", "me@proton.me"),
        ("me@mac.com", "me@icloud.com"),
        ("+x@example.org", "+x@example.org"),
        ("...@gmail.com", "...@gmail.com"),
        ("ｍｅ@example.org", "me@example.org"),  # full-width letters
        ("me@bücher.example", "me@xn--bcher-kva.example"),
        ("nonsense", "@nonsense"),
    ],
)
def test_addresses_of_one_mailbox_are_alike(email: str, mailbox: str) -> None:
    assert mailbox_of(email) == mailbox


@pytest.mark.parametrize(
    ("email", "disposable"),
    [
        ("me@mailinator.com", True),
        ("me@MAILINATOR.com.", True),
        ("me@box.mailinator.com", True),
        ("me@mailinator.com.example", False),
        ("me@xyz-mailinator.example", False),
        ("me@gmail.com", False),
        ("me@proton.me", False),
        ("me@com", False),
        ("me@" + "a" * 300 + ".example", False),
        ("me@" + "a." * 1000, False),
        ("", False),
    ],
)
def test_domains_of_the_list_and_those_below_are_disposable(email: str, disposable: bool) -> None:
    assert is_disposable(email) == disposable


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", None),
    ],
)
def test_sign_ups_are_counted_by_network(address: str, network: str | None) -> None:
    assert network_of(address) == network
