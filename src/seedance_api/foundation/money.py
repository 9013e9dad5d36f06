"""Money: whole micro-dollars inside (millionths of whatever the currency is), decimal strings outside."""

import re
from decimal import Decimal

MICRO = 1_000_000
MAX_AMOUNT = 1_000_000 * MICRO
"""The most that one amount may be: a million. It bounds what a slip of the finger can do."""
_FORM = re.compile(r"(\d{1,18})(?:\.(\d{1,6}))?\Z", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


def parse_amount(text: str) -> int:
    """`12.5` as 12,500,000. Raises ValueError with the reason for anything else than 0 to a million.

    No sign, exponent, blank, NaN or more than six decimals: a thing that looks like an amount and is none is refused.
    """
    match = _FORM.match(text)
    if match is None:
        raise ValueError("must be a decimal number with at most six decimals, such as 12.50")
    micro = int(match[1]) * MICRO + int((match[2] or "").ljust(6, "0"))
    if micro > MAX_AMOUNT:
        raise ValueError("must be at most 1,000,000")
    return micro


def format_amount(micro: int) -> str:
    """12,500,000 as `12.500000`; negative ones get a minus."""
    whole, rest = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{rest:06}"


def format_price(micro: int, currency: str) -> str:
    """12,500,000 as `12.50 USD`, for people: the one form in which commands and messages show an amount.

    Every decimal that says something, and at least two; `format_amount` is the form for programs.
    """
    whole, _, rest = format_amount(abs(micro)).partition(".")
    return f"{'-' if micro < 0 else ''}{int(whole):,}.{rest.rstrip('0').ljust(2, '0')} {currency}"


def amount_of_number(value: float | str) -> int:
    """An amount from JSON, text or number. A number is taken as it is written, so 0.1 is a tenth. Raises ValueError."""
    if isinstance(value, str):
        return parse_amount(value)
    # 0.0000001 is written 1e-07, and has too many decimals either way
    return parse_amount(f"{Decimal(str(value)):f}")


def is_currency(text: str) -> bool:
    """Whether it has the form of an ISO 4217 code."""
    return bool(_CURRENCY.match(text))
