"""What is wrong with how a command was called, where Typer says it in the words of its parser or not enough."""

from typing import Any

import typer


def in_words(error: typer.BadParameter) -> str:
    """The message of the error: of a number what was given and an example; of a missing option the line to type."""
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if found:
        return _number(found[0], error)
    if not error.message and error.ctx is not None:
        needed = [word for one in error.ctx.command.params if one.required for word in _words(one)]
        return f"Type: {' '.join((error.ctx.command_path, *needed))}"
    return error.message


def _words(parameter: Any) -> list[str]:
    """An option with what goes into it, or an argument."""
    value = parameter.metavar or str(parameter.name).upper()
    return [parameter.opts[0], value] if parameter.opts[0].startswith("-") else [value]


def _number(problem: dict[str, Any], error: typer.BadParameter) -> str:
    given, kind = problem["input"], problem["type"]
    if kind.startswith("int"):
        return f"{given!r} is not a whole number, such as 5"
    if kind.startswith("float"):
        return f"{given!r} is not a number, such as 1.5"
    bounds = problem.get("ctx", {})
    match kind:
        case "greater_than_equal":
            return f"{given} is too small; the least is {bounds['ge']:g}"
        case "less_than_equal":
            return f"{given} is too large; the most is {bounds['le']:g}"
        case _:
            return error.message
