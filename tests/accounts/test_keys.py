import random

from hypothesis import given
from hypothesis import strategies as st

from seedance_api.accounts.keys import KeyMode, mint, parse


def test_a_minted_key_parses_and_hides_in_its_repr() -> None:
    for mode in KeyMode:
        key = mint(mode)
        found = parse(key.text)
        assert found == key
        assert len(key.text) == len("sda_live_") + 46
        assert key.text not in repr(key)


def test_one_wrong_letter_is_always_found() -> None:
    key = mint(KeyMode.TEST).text
    for place in range(len("sda_test_"), len(key)):
        for letter in "0aZ":
            if key[place] != letter:
                assert parse(key[:place] + letter + key[place + 1 :]) is None


def test_a_test_key_is_no_live_key() -> None:
    assert parse(mint(KeyMode.TEST).text.replace("test", "live")) is None


@given(st.text(max_size=80))
def test_nothing_else_parses(text: str) -> None:
    assert parse(text) is None
    assert parse("sda_test_" + text) is None


def test_a_million_guesses_are_cheap_to_refuse() -> None:
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    chance = random.Random(1)
    guesses = ("sda_live_" + "".join(chance.choices(letters, k=46)) for _ in range(20_000))
    assert not any(parse(guess) for guess in guesses)
