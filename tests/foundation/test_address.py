"""Any text as an address: a judgement, never an exception, and never one from the libraries below."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.foundation.address import Blocked, host_of, next_hop, parse, policy, shown, vet
from seedance_api.foundation.call import Caller

RULES = policy(allow_http=True, extra_ports=frozenset(), allow_networks=(), deny_networks=())
HERE = httpx.URL("https://example.com/a")

# The parser takes these names, and `idna` refuses to read them.
UNREADABLE = [
    "xn--a.com",
    "xn--",
    "xn--0",
    "xn--ls8h.la",
    "xn--a-.com",
    "XN--A.com",
    "xn--" + "a" * 59,
]
HOSTS = [
    *UNREADABLE,
    *("b.xn--a", "xn--é.com", "xn--mnchen-3ya.example", "é.com", "a\u200d.com"),
    *("example.com", "a" * 64, ".".join(["a" * 60] * 5), "a..b", ".a", "a.", "", "a_b", "%41"),
    *("[::1]", "[::ffff:8.8.8.8]", "[v1.a]", "[", "[]", "1.2.3", "0x7f.1"),
]
AFTER = [
    *("", ":443/", ":/", ":0", ":65536", ":-1", ":a", ":４４３", ":" + "4" * 500),
    *("/\ud800", "/é", "/%", "/[", "/" + "a" * 9000),
]

hosts = (
    st.sampled_from(HOSTS)
    | st.text(max_size=80)
    | st.from_regex(r"xn--[a-z0-9-]{0,20}(\.[a-z-]{1,8})?", fullmatch=True)
)
urls = st.builds(
    lambda scheme, user, host, after: scheme + user + host + after,
    st.sampled_from(["https://", "http://", "HTTPS://", "//", "", "ftp://"]),
    st.sampled_from(["", "u@", "u:p@", "@"]),
    hosts,
    st.sampled_from(AFTER) | st.text(max_size=40),
)


@given(url=urls)
def test_any_text_is_judged(url: str) -> None:
    for judged in (vet(url, RULES), next_hop(HERE, url, RULES)):
        if not isinstance(judged, Blocked):
            assert judged.host
            assert judged.port != 0
        else:
            assert judged.message
    assert isinstance(host_of(url), str)


@pytest.mark.parametrize("host", UNREADABLE)
def test_a_name_that_cannot_be_read_is_no_address(host: str) -> None:
    judged = vet(f"https://{host}/", RULES)
    assert isinstance(judged, Blocked)
    assert judged.code == "url"
    assert "xn--" in judged.message
    assert isinstance(next_hop(HERE, f"https://{host}/", RULES), Blocked)
    assert isinstance(next_hop(HERE, f"//{host}:8443/", RULES), Blocked)
    assert parse(f"https://{host}:22/") is None
    assert host_of(f"https://{host}/") == ""
    with pytest.raises(ValueError, match="not a URL"):
        Caller(base_url=f"https://{host}", bearer="x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("boat.png", "`boat.png`"),
        ("./boat.png", "`./boat.png`"),
        ("C:\\boat.png", "`C:\\boat.png`"),
        ("localhost:3000", "`localhost:3000`"),
        ("example.com/a?signature=secret", "`example.com/a`"),
        ("é" * 81, "`" + "é" * 80 + "…`"),
        ("", "an empty text"),
        ("a boat on a lake", "a text"),
        ("user:secret@example.com", "a text"),
        ("sda_test_1", "a text"),
        ("a\nb", "a text"),
        ("`a`", "a text"),
        ('{"url": "https://a"}', "JSON in quotes"),
        ("iVBORw0KGgo", "base64"),
        ("Zm9v" * 20, "base64"),
        ("image/png;base64,Zm9v", "base64"),
    ],
)
def test_what_stands_for_an_address_is_shown_where_it_may_be(text: str, said: str) -> None:
    assert shown(text) == said
