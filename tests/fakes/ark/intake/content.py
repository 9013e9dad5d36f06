"""Read the content: prompt, references, their roles, and the mode that they make."""

from typing import Any, cast

from fakes.ark import flags, moderation
from fakes.ark.errors import ArkError, invalid, missing
from fakes.ark.intake.order import Content, Medium
from fakes.ark.models import Model

_KINDS = {"image_url": "image", "video_url": "video", "audio_url": "audio"}
_ROLES = {
    "image": ("first_frame", "last_frame", "reference_image"),
    "video": ("reference_video",),
    "audio": ("reference_audio",),
}


def read(items: list[Any]) -> Content:
    """Take the items apart."""
    content, texts = Content(), list[str]()
    for index, item in enumerate(items):
        where = f"content[{index}]"
        if not isinstance(item, dict):
            raise invalid(where, "must be an object")
        fields = cast("dict[str, Any]", item)
        kind = fields.get("type")
        if kind == "text":
            texts.append(_text(fields, where))
            content.flags_at = index
        elif kind in _KINDS:
            content.media.append(_medium(fields, str(kind), where))
        elif kind == "draft_task":
            content.draft_id = _draft(fields, where)
        else:
            raise invalid(f"{where}.type", "must be text, image_url, video_url, audio_url or draft_task")
    content.prompt, content.flags = flags.split("\n".join(texts))
    if content.draft_id and len(items) > 1:
        raise invalid("content", "draft_task must be the only item")
    if not content.draft_id and not content.media and not content.prompt:
        raise missing("content.text")
    content.spell = moderation.read(content.prompt)
    return content


def _text(item: dict[str, Any], where: str) -> str:
    text = item.get("text")
    if not isinstance(text, str):
        raise invalid(f"{where}.text", "must be a string")
    return text


def _draft(item: dict[str, Any], where: str) -> str:
    draft = item.get("draft_task")
    draft_id = cast("dict[str, Any]", draft).get("id") if isinstance(draft, dict) else None
    if not isinstance(draft_id, str) or not draft_id:
        raise invalid(f"{where}.draft_task.id", "must be the id of a draft task")
    return draft_id


def _medium(item: dict[str, Any], name: str, where: str) -> Medium:
    kind, path, holder = _KINDS[name], f"{where}.{name}", item.get(name)
    url = cast("dict[str, Any]", holder).get("url") if isinstance(holder, dict) else None
    if not isinstance(url, str):
        raise invalid(path, "must be an object with a url")
    if not url:
        raise ArkError(f"Invalid{kind.title()}URL.EmptyURL", f"The {kind} URL is empty", path)
    _check_url(url, kind, path)
    role = item.get("role") or ""
    if not isinstance(role, str) or (role and role not in _ROLES[kind]):
        raise invalid(f"{where}.role", f"must be one of {', '.join(_ROLES[kind])}")
    return Medium(path=path, kind=kind, role=role, url=url)


def _check_url(url: str, kind: str, path: str) -> None:
    if url.startswith(("http://", "https://")) or (url.startswith("asset://") and len(url) > 8):
        return
    head = url[:80].partition(",")[0]
    is_data = head.startswith(f"data:{kind}/") and head == head.lower() and head.endswith(";base64")
    if not is_data or kind == "video":
        raise ArkError(f"Invalid{kind.title()}URL.InvalidFormat", f"The {kind} URL has an invalid format", path)


def mode_of(content: Content, model: Model) -> str:
    """The server's name for what the roles make, checked against the model."""
    media = content.media
    roles = {medium.role for medium in media}
    if not media:
        mode = "t2v"
    elif any(role.startswith("reference_") for role in roles) or {medium.kind for medium in media} != {"image"}:
        mode = "r2v"
        _check_references(content, roles)
    elif "last_frame" in roles or len(media) > 1:
        mode = "flf2v"
        _check_frames(media)
    else:
        mode, media[0].role = "i2v", "first_frame"
    if mode not in model.modes:
        raise invalid("content", f"model {model.ids[0]} does not support {mode}")
    if mode == "r2v":
        _count(content, model)
    return mode


def _check_references(content: Content, roles: set[str]) -> None:
    if roles & {"first_frame", "last_frame"}:
        raise invalid("content", "first/last frame content cannot be mixed with reference media content")
    for medium in content.media:
        if not medium.role:
            raise invalid(f"{medium.path.partition('.')[0]}.role", "role must be specified for reference media in r2v")


def _check_frames(media: list[Medium]) -> None:
    roles = sorted(medium.role for medium in media)
    if roles != ["first_frame", "last_frame"]:
        raise invalid("content", "one first_frame and one last_frame with their roles are required in flf2v")


def _count(content: Content, model: Model) -> None:
    for kind, most in (("image", model.images), ("video", model.videos), ("audio", model.audios)):
        if content.count(kind) > most:
            raise invalid("content", f"at most {most} reference {kind} items for model {model.ids[0]} in r2v")
    if content.count("audio") == len(content.media) and not model.audio_alone:
        raise invalid("content", "reference audio needs a reference image or video in r2v")
