"""Check each parameter against the model and the mode, and give the ones that are absent their values."""

from typing import Any, cast
from urllib.parse import urlsplit

from fakes.ark import flags
from fakes.ark.errors import ArkError, invalid
from fakes.ark.intake.body import Body
from fakes.ark.intake.order import Content
from fakes.ark.models import Model

_MOST_SEED = 2**32 - 1


def check_fields(body: Body, model: Model) -> None:
    """A field that the API knows but the model does not take."""
    for name in body:
        if name not in model.fields:
            raise invalid(name, f"not supported for model {model.ids[0]}", "InvalidParameter.UnsupportedParameter")


def common(body: Body, model: Model) -> None:
    """What does not depend on the mode."""
    callback = urlsplit(str(body.get("callback_url", "http://x")))
    if callback.scheme not in {"http", "https"} or not callback.netloc:
        raise invalid("callback_url", "must be a http or https URL")
    if len(body.get("safety_identifier", "")) > 64:
        raise invalid("safety_identifier", "must have at most 64 characters")
    if not -1 <= body.get("seed", -1) <= _MOST_SEED:
        raise invalid("seed", f"must be within -1 and {_MOST_SEED}")
    if not 0 <= body.get("priority", 0) <= 9:
        raise invalid("priority", "must be within 0 and 9")
    least = 1 if model.is_second else 3600
    if not least <= body.get("execution_expires_after", 172_800) <= 259_200:
        raise invalid("execution_expires_after", "must be within 3600 and 259200")
    if body.get("draft") and not model.draft:
        raise invalid("draft", f"not supported for model {model.ids[0]}")
    if body.get("output_format", "mp4") not in {"mp4", "mov"}:
        raise invalid("output_format", "must be mp4 or mov")


def service_tier(body: Body, model: Model) -> str:
    """The tier."""
    tier = body.get("service_tier", "default")
    if model.is_first and tier not in {"default", "flex"}:
        return "default"  # even nonsense passes
    if tier not in {"default", "flex"}:
        raise invalid("service_tier", "must be default or flex")
    if tier == "flex" and not model.flex:
        raise invalid("service_tier", f"must be empty for model {model.ids[0]}")
    if tier == "flex" and body.get("priority"):
        raise invalid("priority", "cannot be used with flex")
    if tier == "flex" and body.get("draft"):
        raise invalid("service_tier", "cannot be flex for a draft")
    return tier


def resolution(body: Body, content: Content, model: Model, mode: str) -> str:
    """The tier of pixels; a flag counts where the body says nothing."""
    is_draft = bool(body.get("draft"))
    allowed = ("480p",) if is_draft else model.resolutions
    if model.family == "1.0 lite i2v" and mode == "r2v":
        allowed = ("480p", "720p")
    given, where = body.get("resolution"), "resolution"
    if given is None:
        given, where = content.flags.get("resolution"), f"contents[{content.flags_at}].text.resolution"
    if given is None:
        return "480p" if is_draft else model.default_resolution
    if given.lower() not in allowed:
        raise invalid(where, f"{given} is not supported for model {model.ids[0]} in {mode}")
    return given.lower()


def ratio(body: Body, content: Content, model: Model, mode: str) -> tuple[str, bool]:
    """The ratio, and whether the caller has fixed it."""
    takes_adaptive = not model.is_first or (mode in {"i2v", "flf2v"})
    default = "adaptive" if takes_adaptive else "16:9"
    given = body.get("ratio")
    if given is not None:
        if given not in model.ratios or (given == "adaptive" and not takes_adaptive):
            raise invalid("ratio", f"{given} is not supported for model {model.ids[0]} in {mode}")
    else:  # a bad flag is swallowed
        given = content.flags.get("ratio")
        if given is None or given not in model.ratios or (given == "adaptive" and not takes_adaptive):
            return default, False
    fixed = given != "adaptive"
    if model.family == "2.5" and mode in {"i2v", "flf2v"} and fixed:
        raise constraint("ratio", f"must be adaptive for model {model.ids[0]} in {mode}")
    return given, fixed


def length(body: Body, content: Content, model: Model, mode: str) -> tuple[int, int | None, bool]:
    """Seconds, or frames, which beat them; and whether the caller has fixed the seconds."""
    frames = body.get("frames")
    if frames is None and "frames" in model.fields:
        flag = flags.as_integer(content.flags.get("frames", ""))
        frames = flag if flag is not None and _takes_frames(flag) else None
    elif frames is not None and not _takes_frames(frames):
        raise invalid("frames", "must be 25 + 4n within 29 and 289")
    seconds, where = body.get("duration"), "duration"
    if seconds is None and "duration" in content.flags:
        where = f"contents[{content.flags_at}].text.duration"
        seconds = flags.as_integer(content.flags["duration"])
        if seconds is None:
            raise invalid(where, "must be an integer")
    if seconds is None:
        return model.default_seconds, frames, False
    decides = seconds == -1 and model.decides
    if not decides and not model.shortest <= seconds <= model.longest:
        why = f"must be within {model.shortest} and {model.longest}"
        raise invalid(where, f"{why} for model {model.ids[0]} in {mode}")
    return seconds, frames, seconds != -1


def _takes_frames(frames: int) -> bool:
    return 29 <= frames <= 289 and (frames - 25) % 4 == 0


def seed(body: Body, content: Content) -> int:
    """The seed; −1 for one of the model's choice."""
    given = body.get("seed")
    if given is None:
        flag = flags.as_integer(content.flags.get("seed", ""))
        given = flag if flag is not None and -1 <= flag <= _MOST_SEED else -1
    return given


def web_search(body: Body, mode: str) -> bool:
    """Whether the model may search."""
    tools = cast("list[Any]", body.get("tools", []))
    if any(tool != {"type": "web_search"} for tool in tools):
        raise invalid("tools", "only web_search is supported")
    if tools and mode != "t2v":
        raise invalid("tools", "web_search takes text only")
    return bool(tools)


def constraint(param: str, why: str) -> ArkError:
    """The refusal of numbers that contradict the kind of task."""
    return invalid(param, why, "InvalidParameter.TaskTypeConstraint")


def task_type(body: Body, content: Content, mode: str, *, fixes_ratio: bool, fixes_seconds: bool) -> str:
    """What 2.5 is to do with its references."""
    kind = body.get("omni_reference_task_type", "auto")
    if kind not in {"auto", "reference", "edit", "extend"}:
        raise invalid("omni_reference_task_type", "must be auto, reference, edit or extend")
    if kind in {"auto", "reference"}:
        return kind
    if mode != "r2v" or not content.count("video"):
        raise constraint("omni_reference_task_type", f"{kind} needs a reference video")
    if fixes_ratio:
        raise constraint("ratio", f"must be adaptive for {kind}")
    if kind == "edit" and fixes_seconds:
        raise constraint("duration", "must be -1 for edit")
    return kind
