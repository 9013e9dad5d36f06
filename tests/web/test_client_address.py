"""Whom a request comes from: nobody is believed but the operator's proxies, and they only about what they have seen."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.web.client_address import ClientAddress

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))


def told(peer: str | None, *lines: str, header: str = "x-forwarded-for") -> str | None:
    ask = ClientAddress(PROXIES, header)  # pyright: ignore[reportArgumentType]
    return ask(peer, [(header.encode(), line.encode("latin-1")) for line in lines])


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["192.0.2.1"], "198.51.100.7"),  # not from a proxy: not believed
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.9, 192.0.2.1"], "192.0.2.1"),  # what the client wrote stands before it
        ("10.0.0.1", ["203.0.113.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),  # two proxies deep
        ("10.0.0.1", ["203.0.113.9", "192.0.2.1"], "192.0.2.1"),  # two lines are one list
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # a client inside
        ("10.0.0.1", [", 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1, garbage, 10.0.0.2"], "10.0.0.2"),  # nothing is known of what is before garbage
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        ("10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("2001:db8:ffff::1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["192.0.2.1\x00"], "10.0.0.1"),
        ("10.0.0.1", ["x" * 10_000 + ", 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1, " * 5000 + "10.0.0.2"], "192.0.2.1"),
        (None, ["192.0.2.1"], None),
        ("unix:", [], None),
    ],
)
def test_chains(peer: str | None, lines: list[str], client: str | None) -> None:
    assert told(peer, *lines) == client


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("for=192.0.2.1", "192.0.2.1"),
        ('for="[2001:db8::1]:4711"; proto=https', "2001:db8::1"),
        ("for=203.0.113.9, For=192.0.2.1;by=10.0.0.9", "192.0.2.1"),
        ("for=_hidden", "10.0.0.1"),
        ("by=192.0.2.1", "10.0.0.1"),
        ("for=192.0.2.1, for=10.0.0.2", "192.0.2.1"),
    ],
)
def test_forwarded(line: str, client: str) -> None:
    assert told("10.0.0.1", line, header="forwarded") == client


def test_the_header_that_the_proxies_do_not_write_is_not_read() -> None:
    ask = ClientAddress(PROXIES, "forwarded")
    assert ask("10.0.0.1", [(b"x-forwarded-for", b"192.0.2.1")]) == "10.0.0.1"
    assert ClientAddress(PROXIES)("10.0.0.1", [(b"forwarded", b"for=192.0.2.1")]) == "10.0.0.1"


@given(
    st.text(alphabet=st.characters(max_codepoint=255), max_size=300), st.sampled_from(["x-forwarded-for", "forwarded"])
)
def test_whatever_a_client_writes_it_stays_the_one_that_the_proxy_saw(written: str, header: str) -> None:
    own = "192.0.2.1" if header == "x-forwarded-for" else "for=192.0.2.1"
    assert told("10.0.0.1", f"{written}, {own}", header=header) == "192.0.2.1"
    assert told("198.51.100.7", written, header=header) == "198.51.100.7"
