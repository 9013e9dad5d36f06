"""Magic words in the prompt, which stand for what a moderator, or the model itself, would see in it.

`[ark:CODE]` refuses the create with that code, `[ark:fail CODE]` fails the task with it, `[ark:seconds 30]` sets how
long it takes, `[ark:stuck]` lets it run for ever, `[ark:reads edit]` is what the model takes the prompt for.
"""

import re
from dataclasses import dataclass

from fakes.ark.errors import ArkError

_WORD = re.compile(r"\[ark:([A-Za-z.]+)(?: ([A-Za-z0-9.]+))?\]")


@dataclass(slots=True)
class Spell:
    """What the magic words of a prompt ask for."""

    fail: str | None = None
    seconds: float | None = None
    stuck: bool = False
    reads: str | None = None


def read(prompt: str) -> Spell:
    """Obey the magic words; raises what a refused create answers."""
    spell = Spell()
    for word, value in _WORD.findall(prompt):
        if word == "fail":
            spell.fail = value or "InternalServiceError"
        elif word == "seconds":
            spell.seconds = float(value)
        elif word == "stuck":
            spell.stuck = True
        elif word == "reads":
            spell.reads = value
        else:
            raise ArkError(word, _message(word))
    return spell


def _message(code: str) -> str:
    kinds = {"InputImage": "input image", "InputVideo": "input video", "InputAudio": "input audio"}
    kind = next((text for beginning, text in kinds.items() if code.startswith(beginning)), "input text")
    return f"The request failed because the {kind} may contain sensitive information"


def failure(code: str) -> dict[str, str]:
    """The `error` of a task that failed with this code."""
    if code.startswith("Output"):
        return {"code": code, "message": "The request failed because the output may contain sensitive information."}
    return {"code": code, "message": f"The task failed: {code}."}
