import base64
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.references.link import EXTENSIONS, LONGEST_SECONDS, Linked, link, link_key, sign, verify

KEY = link_key(b"p" * 32)
NOW = 1_795_500_000
HERE = Linked("files/obj_01k5rdxk0gf4v9h2m7c3n8qpwz", "image/png", NOW + 60)


def test_a_link_leads_to_what_it_was_made_for_until_it_ends() -> None:
    token = sign(KEY, HERE)
    assert verify(KEY, token, NOW) == HERE
    assert verify(KEY, token, NOW + 59.9) == HERE
    assert verify(KEY, token, NOW + 60) is None
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.png", token)


def test_the_address_is_below_the_public_one_and_has_no_more_than_a_token() -> None:
    for base in ("https://video.example.com/api", "https://video.example.com/api/"):
        address = link(base, KEY, HERE.object_key, HERE.media_type, 600, now=time.time())
        place, _, token = address.rpartition("/")
        assert place == "https://video.example.com/api/v1/media"
        assert re.fullmatch(r"[A-Za-z0-9._-]+", token)


def test_any_other_character_makes_another_token_and_no_good_one() -> None:
    token = sign(KEY, HERE)
    for at, here in enumerate(token):
        for other in {"A", "B", "_", "-", ".", "~", chr(ord(here) ^ 1)} - {here}:
            assert verify(KEY, token[:at] + other + token[at + 1 :], NOW) is None


def test_every_flipped_bit_is_found() -> None:
    text, _, ending = sign(KEY, HERE).rpartition(".")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        forged = base64.urlsafe_b64encode(bytes(flipped)).rstrip(b"=").decode()
        assert verify(KEY, f"{forged}.{ending}", NOW) is None


@pytest.mark.parametrize(
    "token",
    ["", ".", ".png", "x", "x.png", "A" * 43 + ".png", "A" * 100_000, "A" * 100_000 + ".png", "../../etc/passwd",
     "é.png", "\0.png", sign(KEY, HERE) + "\n", sign(KEY, HERE) + "/", "/" + sign(KEY, HERE),
     sign(KEY, HERE).replace(".", "=."), sign(KEY, HERE).removesuffix(".png"), sign(KEY, HERE)[:-3] + "mp4",
     sign(KEY, HERE)[:-3] + "PNG", sign(link_key(b"q" * 32), HERE), sign(b"p" * 32, HERE)],
    ids=lambda token: ascii(token[:20]),
)  # fmt: skip
def test_what_we_did_not_sign_is_refused(token: str) -> None:
    assert verify(KEY, token, NOW) is None


def test_the_parts_of_two_tokens_do_not_fit_together() -> None:
    def parts(token: str) -> tuple[bytes, bytes]:
        text = token.rpartition(".")[0]
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return raw[:32], raw[32:]

    mac, _ = parts(sign(KEY, HERE))
    for other in (
        Linked("files/obj_01k5rdxk0gf4v9h2m7c3n8qpwy", HERE.media_type, HERE.expires_at),
        Linked(HERE.object_key, "image/webp", HERE.expires_at),
        Linked(HERE.object_key, HERE.media_type, HERE.expires_at + 1),
    ):
        _, said = parts(sign(KEY, other))
        forged = base64.urlsafe_b64encode(mac + said).rstrip(b"=").decode()
        assert verify(KEY, f"{forged}.{other.extension}", NOW) is None


@pytest.mark.parametrize(
    "key",
    ["", "/", "/etc/passwd", "../secrets/pepper", "files/../../secrets/pepper", "files//a", "files/", "files/.hidden",
     "files/a\n", "files/a b", "files\\a", "files/ä", "files/%2e%2e/a", "a" * 401],
)  # fmt: skip
def test_only_keys_that_stay_in_the_store_are_signed(key: str) -> None:
    with pytest.raises(ValueError, match="reference media"):
        sign(KEY, Linked(key, "image/png", NOW + 60))


def test_only_media_are_linked_to_and_not_for_ever() -> None:
    with pytest.raises(ValueError, match="reference media"):
        link("https://x", KEY, HERE.object_key, "text/html", 60, now=time.time())
    for seconds in (0, -1, LONGEST_SECONDS + 1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a while"):
            link("https://x", KEY, HERE.object_key, HERE.media_type, seconds, now=time.time())
    endless = Linked(HERE.object_key, HERE.media_type, NOW + LONGEST_SECONDS + 1)
    assert verify(KEY, sign(KEY, endless), NOW) is None


def test_the_key_is_for_links_alone() -> None:
    assert link_key(b"p" * 32) == KEY != link_key(b"q" * 32)
    assert KEY != b"p" * 32


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    assert verify(KEY, text, NOW) is None


@given(st.binary(max_size=300))
def test_nothing_unsigned_gets_through(said: bytes) -> None:
    assert verify(KEY, base64.urlsafe_b64encode(said).rstrip(b"=").decode() + ".png", NOW) is None


@given(
    st.lists(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", fullmatch=True), min_size=1, max_size=5),
    st.sampled_from(sorted(EXTENSIONS)),
    st.integers(1, LONGEST_SECONDS),
)
def test_whatever_is_signed_is_understood(key: list[str], media_type: str, seconds: int) -> None:
    linked = Linked("/".join(key), media_type, NOW + seconds)
    assert verify(KEY, sign(KEY, linked), NOW) == linked
