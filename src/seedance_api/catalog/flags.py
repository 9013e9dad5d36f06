"""The vendor's old way of setting parameters: flags in the prompt, such as `a cat --rs 720p --dur 5`.

They are taken out of the prompt and become ordinary fields. Upstream swallows and bills most wrong ones
(ModelArk 1520757, "parameters in the prompt"; seen on the live service), so none is ever passed on.
"""

import re
from typing import Literal, assert_never

import msgspec

from seedance_api.catalog.problem import Code, Problem

Field = Literal["resolution", "ratio", "duration", "frames", "fps", "seed", "camera_fixed", "watermark"]

FLAGS: dict[str, Field] = {
    "rs": "resolution",
    "resolution": "resolution",
    "rt": "ratio",
    "ratio": "ratio",
    "dur": "duration",
    "duration": "duration",
    "frames": "frames",
    "fps": "fps",
    "seed": "seed",
    "cf": "camera_fixed",
    "camerafixed": "camera_fixed",
    "wm": "watermark",
    "watermark": "watermark",
}

_BOOLEANS = {"true": True, "false": False}
_WORD = re.compile(r"\S+")
_WHOLE_NUMBER = re.compile(r"(-?[0-9]{1,10})(?:\.0{0,9})?")
_LIKE_A_VALUE = re.compile(r"-?[0-9].*|true|false|adaptive", re.IGNORECASE | re.DOTALL)


class Fields(msgspec.Struct, kw_only=True):
    """What the flags asked for; None means no flag."""

    resolution: str | None = None
    ratio: str | None = None
    duration: int | None = None
    frames: int | None = None
    fps: int | None = None
    seed: int | None = None
    camera_fixed: bool | None = None
    watermark: bool | None = None


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt without its flags, what they asked for, and which flag asked (`resolution` → `--rs`)."""

    prompt: str
    fields: Fields
    sources: dict[str, str]
    problems: tuple[Problem, ...]


class _Flag(msgspec.Struct, frozen=True):
    name: str
    value: str | None
    equals: bool
    words: int


def parse(prompt: str) -> Parsed:
    """Take the flags out of a prompt. One pass over its words, whatever they are."""
    words = [match.span() for match in _WORD.finditer(prompt)]
    taken = _Taken()
    kept: list[str] = []
    kept_to = position = 0
    while position < len(words):
        flag = _flag_at(prompt, words, position)
        if flag is None or flag.name not in FLAGS:
            taken.look_at_stranger(flag)
            position += 1
            continue
        taken.take(flag)
        start, end = words[position][0], words[position + flag.words - 1][1]
        kept.append(prompt[kept_to:start].rstrip())
        kept_to = end
        position += flag.words
    clean = "".join((*kept, prompt[kept_to:])).strip() if kept else prompt
    return Parsed(prompt=clean, fields=taken.fields, sources=taken.sources, problems=tuple(taken.problems.values()))


def _flag_at(prompt: str, words: list[tuple[int, int]], position: int) -> _Flag | None:
    start, end = words[position]
    if not prompt.startswith("--", start, end):
        return None
    name, equals, value = prompt[start + 2 : end].partition("=")
    name = name.lower()
    if equals:
        return _Flag(name, value or None, equals=True, words=1)
    if position + 1 == len(words) or prompt.startswith("--", words[position + 1][0]):
        return _Flag(name, None, equals=False, words=1)
    return _Flag(name, prompt[slice(*words[position + 1])], equals=False, words=2)


class _Taken:
    """What has been read so far. At most one problem of each kind for each flag: a flood stays small."""

    def __init__(self) -> None:
        self.fields = Fields()
        self.sources: dict[str, str] = {}
        self.problems: dict[tuple[str, Code], Problem] = {}

    def take(self, flag: _Flag) -> None:
        field = FLAGS[flag.name]
        if flag.value is None:
            self._problem(flag.name, Code.MISSING, f"`--{flag.name}` in the prompt needs a value")
            return
        match field:
            case "resolution" | "ratio":
                self._set_text(flag.name, field, flag.value.lower())
            case "duration" | "frames" | "fps" | "seed":
                self._set_number(flag.name, field, flag.value)
            case "camera_fixed" | "watermark":
                self._set_switch(flag.name, field, flag.value)
            case _:
                assert_never(field)

    def look_at_stranger(self, flag: _Flag | None) -> None:
        """An unknown flag is prose, unless it looks like a slip of a known one."""
        if flag is None or flag.value is None or not (flag.equals or _LIKE_A_VALUE.fullmatch(flag.value)):
            return
        meant = next((known for known in FLAGS if _one_slip_apart(flag.name, known)), None)
        if meant is not None:
            self._problem(
                meant,
                Code.UNSUPPORTED_PARAMETER,
                f"A flag in the prompt is unknown; did you mean `--{meant}`? "
                "Write it without the two dashes if it is part of the text",
                allowed=tuple(f"--{known}" for known in FLAGS),
            )

    def _set_text(self, name: str, field: Literal["resolution", "ratio"], value: str) -> None:
        before: str | None = getattr(self.fields, field)
        self._set(name, field, value, before)

    def _set_number(self, name: str, field: Literal["duration", "frames", "fps", "seed"], value: str) -> None:
        whole = _WHOLE_NUMBER.fullmatch(value)
        if whole is None:
            self._bad(name, "a whole number")
        elif field == "fps" and int(whole[1]) != 24:
            self._bad(name, "24")
        else:
            before: int | None = getattr(self.fields, field)
            self._set(name, field, int(whole[1]), before)

    def _set_switch(self, name: str, field: Literal["camera_fixed", "watermark"], value: str) -> None:
        switch = _BOOLEANS.get(value.lower())
        if switch is None:
            self._bad(name, "true or false")
            return
        before: bool | None = getattr(self.fields, field)
        self._set(name, field, switch, before)

    def _set(self, name: str, field: Field, value: str | int, before: str | int | None) -> None:
        if before is not None and before != value:
            self._problem(
                name,
                Code.CONFLICT,
                f"`--{name}` in the prompt contradicts an earlier `{self.sources[field]}`",
            )
            return
        setattr(self.fields, field, value)
        self.sources[field] = f"--{name}"

    def _bad(self, name: str, allowed: str) -> None:
        self._problem(name, Code.UNSUPPORTED_VALUE, f"`--{name}` in the prompt must be {allowed}", allowed=allowed)

    def _problem(self, name: str, code: Code, message: str, allowed: tuple[str, ...] | str | None = None) -> None:
        problem = Problem(path="prompt", code=code, message=message + ".", allowed=allowed)
        self.problems.setdefault((name, code), problem)


def _one_slip_apart(name: str, known: str) -> bool:
    """One letter wrong, missing, too many or two swapped. Two-letter flags are too short to guess at."""
    name = name.replace("_", "").replace("-", "") if len(name) <= len(known) + 2 else name
    if len(known) < 3 or abs(len(name) - len(known)) > 1:
        return False
    same = 0
    while same < min(len(name), len(known)) and name[same] == known[same]:
        same += 1
    one, other = name[same:], known[same:]
    return (
        one[1:] == other[1:]
        or one[1:] == other
        or one == other[1:]
        or (one[1::-1] == other[:2] and one[2:] == other[2:])
    )
