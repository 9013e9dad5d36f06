"""Which characters a text may hold. Whatever people write may: emoji, joiners, spaces of every script."""

import re

# Unicode's control characters (Cc) but line feed and tab, and halves of surrogate pairs, which no UTF-8 text can hold.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_OR_BREAK = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def find_control(text: str, *, one_line: bool = False) -> str | None:
    """The first control character of a text and where it stands, in words; None where there is none.

    Line feed and tab may be in a text, but not in one of one line.
    """
    found = (_CONTROL_OR_BREAK if one_line else _CONTROL).search(text)
    return None if found is None else f"the control character U+{ord(found[0]):04X} (character {found.start() + 1})"
