"""What looks like an amount and is none is refused; what is one comes back as it was written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.foundation.money import MAX_AMOUNT, MICRO, amount_of_number, format_amount, is_currency, parse_amount

MICROS = st.integers(0, MAX_AMOUNT) | st.sampled_from([0, 1, MICRO - 1, MICRO, MICRO + 1, MAX_AMOUNT - 1, MAX_AMOUNT])


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("0", 0),
        ("0.0", 0),
        ("0.000000", 0),
        ("0.000001", 1),
        ("0.1", 100_000),
        ("0.10", 100_000),
        ("1", 1_000_000),
        ("12.5", 12_500_000),
        ("12.50", 12_500_000),
        ("007", 7_000_000),
        ("000000000000000001.5", 1_500_000),
        ("999999.999999", 999_999_999_999),
        ("1000000", 1_000_000_000_000),
        ("1000000.000000", 1_000_000_000_000),
    ],
)
def test_amounts_are_read(text: str, micro: int) -> None:
    assert parse_amount(text) == micro
    assert amount_of_number(text) == micro


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "\t", "\n", " 1", "1 ", "1\n", "1\r\n", "\ufeff1", "1\u00a0", "1\0", "1 000", "1_000", "1,000", "1,5",
        "1'000", "-1", "-0", "-0.01", "\u22121", "+1", "+0", "--1", "(1)", ".5", "5.", ".", "1.2.3", "1..2",
        "0.0000001", "1.0000000", "1.0000001", "1e3", "1E3", "1e-3", "1e", "e1", "0e0", "0x10", "0b1", "1f", "1d",
        "NaN", "nan", "-NaN", "sNaN", "Infinity", "-Infinity", "inf", "Inf", "None", "null", "true", "True",
        "$1", "1$", "USD 1", "1 USD", "1/2", "\u00bd", "1%", "one",
        "\uff11", "\uff11.\uff15", "1\uff0e5", "\u0661\u0662", "\u0967", "\u00b2", "\U0001d7cf", "1.\u0665",
        "0000000000000000001", "9" * 19, "9" * 400, "1." + "0" * 400,
    ],
)  # fmt: skip
def test_what_only_looks_like_an_amount_is_refused(text: str) -> None:
    for read in (parse_amount, amount_of_number):
        with pytest.raises(ValueError, match="at most six decimals, such as"):
            read(text)


@pytest.mark.parametrize("text", ["1000000.000001", "1000001", "999999999999999999", "999999999999999999.999999"])
def test_more_than_a_million_is_refused(text: str) -> None:
    for read in (parse_amount, amount_of_number):
        with pytest.raises(ValueError, match="must be at most 1,000,000"):
            read(text)


@pytest.mark.parametrize(
    ("number", "micro"),
    [
        (0, 0),
        (0.0, 0),
        (3, 3_000_000),
        (1_000_000, MAX_AMOUNT),
        (1e6, MAX_AMOUNT),
        (1e2, 100_000_000),
        (0.1, 100_000),
        (0.2, 200_000),
        (0.29, 290_000),
        (1.1, 1_100_000),
        (4.35, 4_350_000),
        (1.005, 1_005_000),
        (1e-6, 1),
        (0.000123, 123),
        (2.5e-05, 25),
        (999_999.999999, 999_999_999_999),
    ],
)
def test_a_number_is_taken_as_it_is_written(number: float, micro: int) -> None:
    assert amount_of_number(number) == micro


@pytest.mark.parametrize(
    "number",
    [
        -1, -0.5, -0.0, -1e-9, -(10**30), 1e-7, 1.5e-6, 5e-324, 0.1 + 0.2, 1 / 3, 1.0000001, 1_000_001, 1e6 + 0.5, 1e15,
        1e16, 1e17, 1e18, 1e19, 1e308, 2**63, 10**400, float("nan"), float("inf"), float("-inf"),
    ],
)  # fmt: skip
def test_numbers_that_are_no_amounts_are_refused(number: float) -> None:
    with pytest.raises(ValueError):
        amount_of_number(number)


@given(MICROS)
def test_what_is_written_is_read_back(micro: int) -> None:
    text = format_amount(micro)
    assert parse_amount(text) == micro
    assert amount_of_number(text) == micro
    assert Decimal(text) == Decimal(micro) / MICRO
    assert amount_of_number(text.rstrip("0").rstrip(".") or "0") == micro


@given(st.integers(0, 999_999), st.integers(0, 6), st.data())
def test_every_written_form_of_an_amount_means_the_same(whole: int, places: int, data: st.DataObject) -> None:
    text = f"{whole}"
    if places:
        text += f".{data.draw(st.integers(0, 10**places - 1)):0{places}}"
    assert parse_amount(text) == Decimal(text) * MICRO
    # a float with as many digits is written the same way, so JSON's number is the same amount as its text
    assert amount_of_number(float(text)) == parse_amount(text)


@given(st.text() | st.from_regex(r"[-+]?[0-9 .,eE_\uff10-\uff19]{0,25}\Z"))
def test_any_text_is_an_amount_in_bounds_or_a_value_error(text: str) -> None:
    try:
        micro = parse_amount(text)
    except ValueError:
        return
    assert 0 <= micro <= MAX_AMOUNT
    assert text.isascii()
    assert Decimal(text) * MICRO == micro


@given(st.floats() | st.integers())
def test_any_number_is_an_amount_in_bounds_or_a_value_error(number: float) -> None:
    try:
        micro = amount_of_number(number)
    except ValueError:
        return
    assert 0 <= micro <= MAX_AMOUNT
    assert Decimal(str(number)) * MICRO == micro


@pytest.mark.parametrize(
    ("micro", "text"),
    [
        (0, "0.000000"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (12_500_000, "12.500000"),
        (-12_500_000, "-12.500000"),
        (-999_999, "-0.999999"),
        (MAX_AMOUNT, "1000000.000000"),
        (2**63 - 1, "9223372036854.775807"),
    ],
)
def test_amounts_are_written_with_six_decimals(micro: int, text: str) -> None:
    assert format_amount(micro) == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_what_is_written_is_exact(micro: int) -> None:
    assert Decimal(format_amount(micro)) * MICRO == micro


def test_a_currency_is_three_capital_letters() -> None:
    assert all(is_currency(text) for text in ("USD", "CNY", "EUR", "XXX"))
    wrong = ["", "US", "USDT", "usd", "Usd", "U5D", "USD\n", " USD", "USD ", "\u00dcSD", "\uff35\uff33\uff24", "U D"]
    assert not any(is_currency(text) for text in wrong)
