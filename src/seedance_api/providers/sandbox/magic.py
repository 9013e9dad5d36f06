"""Magic values: what to write in a prompt to see a particular outcome, like a card network's test cards."""

import re
from dataclasses import dataclass
from enum import StrEnum

from seedance_api.providers.provider import Refused


class Spell(StrEnum):
    """What `[sandbox:…]` can ask for."""

    FAIL = "fail"
    INPUT_MODERATED = "input_moderated"
    OUTPUT_MODERATED = "output_moderated"
    OVERLOADED = "overloaded"
    UNCLEAR = "unclear"
    STALL = "stall"
    SLOW = "slow"
    VANISH = "vanish"
    BROKEN = "broken"


SPELLS: dict[Spell, str] = {
    Spell.FAIL: "The render starts and then fails with the code `provider_failed`.",
    Spell.INPUT_MODERATED: "The work is refused at the start with the code `input_moderated`.",
    Spell.OUTPUT_MODERATED: "The video is rendered and then withheld with the code `output_moderated`.",
    Spell.OVERLOADED: "The work is refused as `provider_overloaded`, retryable, for three seconds; then taken.",
    Spell.UNCLEAR: "The work is taken, but the answer is lost: it has to be looked for.",
    Spell.STALL: "The work is taken and never gets anywhere, until it is canceled or its deadline passes.",
    Spell.SLOW: "The render takes at least that long (1 to 600 seconds), with true progress.",
    Spell.VANISH: "The work is taken, and then the provider no longer knows it.",
    Spell.BROKEN: "The video is finished, but the file is cut off in the middle.",
}
"""Each magic value and what it does: the only list, read by the parser, the documents and the tests."""


@dataclass(frozen=True)
class Magic:
    """What a prompt asks of the sandbox. `slow_seconds` is 0 without `slow`."""

    spells: frozenset[Spell] = frozenset()
    slow_seconds: int = 0

    def __contains__(self, spell: Spell) -> bool:
        return spell in self.spells


def read_magic(prompt: str) -> Magic | Refused:
    """Find every magic value in a prompt; refuse the ones that are not in the list."""
    spells: set[Spell] = set()
    slow_seconds = 0
    for name, value in _TAG.findall(prompt):
        spell = _SPELL_BY_NAME.get(name.strip().lower())
        seconds = _seconds(value)
        if spell is None or (spell is Spell.SLOW) != bool(value) or (spell is Spell.SLOW and seconds == 0):
            return _REFUSAL
        spells.add(spell)
        slow_seconds = max(slow_seconds, seconds)
    return Magic(frozenset(spells), slow_seconds)


def without_magic(prompt: str) -> str:
    """The prompt as it is to be seen."""
    return " ".join(_TAG.sub(" ", prompt).split())


def _seconds(value: str) -> int:
    number = value.removeprefix("=").strip()
    if not number.isascii() or not number.isdigit() or len(number) > 3:
        return 0
    return int(number) if 1 <= int(number) <= 600 else 0


_TAG = re.compile(r"\[sandbox:([^\]=]{0,100})(=[^\]]{0,100})?\]", re.IGNORECASE)
_SPELL_BY_NAME = {spell.value: spell for spell in Spell}
_KNOWN = ", ".join("slow=1…600" if spell is Spell.SLOW else spell.value for spell in Spell)
_REFUSAL = Refused(
    code="invalid_sandbox_value",
    message=f"The prompt holds a [sandbox:…] value that does not exist. Known are: {_KNOWN}.",
)
