"""Input media: what each piece is for, how they are used together, and whether the model takes them."""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from seedance_api.catalog.capabilities import Model, References
from seedance_api.catalog.order import Kind, Mode, Role
from seedance_api.catalog.problem import Code, Report, active_models
from seedance_api.catalog.request import Facts, Media, Request
from seedance_api.catalog.words import either

# No model takes more of a kind than this; what is beyond is only counted, not looked at one by one.
_LOOKED_AT = 64

_ROLES: dict[Kind, dict[str, Role]] = {
    Kind.IMAGE: {
        "first_frame": Role.FIRST_FRAME,
        "last_frame": Role.LAST_FRAME,
        "reference": Role.REFERENCE,
        "reference_image": Role.REFERENCE,
    },
    Kind.VIDEO: {"reference": Role.REFERENCE, "reference_video": Role.REFERENCE},
    Kind.AUDIO: {"reference": Role.REFERENCE, "reference_audio": Role.REFERENCE},
}

_LISTS = {Kind.IMAGE: "images", Kind.VIDEO: "videos", Kind.AUDIO: "audios"}


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of media with its role settled."""

    kind: Kind
    role: Role
    path: str
    facts: Facts | None = None


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Every piece in its role. `mode` is None when the roles make no sense together."""

    mode: Mode | None
    media: tuple[Placed, ...]

    def of(self, kind: Kind, role: Role | None = None) -> list[Placed]:
        """The pieces of a kind, and of a role if one is named."""
        return [piece for piece in self.media if piece.kind is kind and role in (None, piece.role)]


def place(request: Request, report: Report) -> Placement:
    """Settle what each piece of media is for, and with it the mode."""
    lists = (request.images, request.videos, request.audios)
    given = [piece for media in lists for piece in media[:_LOOKED_AT]]
    alone = len(given) == 1
    before = len(report.problems)
    placed = [_place(piece, alone=alone, report=report) for piece in given]
    media = tuple(piece for piece in placed if piece is not None)
    sound = len(report.problems) == before
    frames = [piece for piece in media if piece.role is not Role.REFERENCE]
    if frames and len(frames) < len(media):
        report.add(
            Code.CONFLICT,
            frames[0].path,
            "is a first or last frame, which cannot be mixed with references: "
            "give every image the role `reference`, or send the frames alone.",
        )
        sound = False
    if frames:
        sound = _frames_make_sense(frames, report) and sound
    return Placement(mode=_mode(media) if sound else None, media=media)


def _place(piece: Media, *, alone: bool, report: Report) -> Placed | None:
    roles = _ROLES[piece.kind]
    if piece.role is not None:
        role = roles.get(piece.role)
        if role is None:
            names = tuple(roles)
            says = f"must be {either(names)}."
            report.add(Code.UNSUPPORTED_VALUE, f"{piece.path}.role", says, value=piece.role, allowed=names)
            return None
    elif piece.kind is not Kind.IMAGE:
        role = Role.REFERENCE
    elif alone:
        role = Role.FIRST_FRAME
    else:
        says = (
            "is needed with several pieces of media: `first_frame`, `last_frame` or `reference`. "
            f"In a form, send `{_LISTS[piece.kind]}[][role]` once for each picture, in their order."
        )
        allowed = ("first_frame", "last_frame", "reference")
        report.add(Code.MISSING, f"{piece.path}.role", says, allowed=allowed)
        return None
    return Placed(kind=piece.kind, role=role, path=piece.path, facts=piece.facts)


def _frames_make_sense(frames: Sequence[Placed], report: Report) -> bool:
    before = len(report.problems)
    for role in (Role.FIRST_FRAME, Role.LAST_FRAME):
        for extra in [piece for piece in frames if piece.role is role][1:]:
            report.add(
                Code.TOO_MANY, f"{extra.path}.role", "must not repeat: only one image can have this role.", value=role
            )
    if all(piece.role is Role.LAST_FRAME for piece in frames):
        report.add(Code.MISSING, "images", "has a last frame but no first frame.")
    return len(report.problems) == before


def _mode(media: Sequence[Placed]) -> Mode:
    roles = {piece.role for piece in media}
    if not roles:
        return Mode.TEXT
    if Role.REFERENCE in roles:
        return Mode.REFERENCE
    return Mode.FIRST_LAST if Role.LAST_FRAME in roles else Mode.FIRST_FRAME


def check_use(request: Request, placement: Placement, model: Model, report: Report) -> None:
    """Whether the model takes media in this way, and so many of them."""
    mode = placement.mode
    references = model.capabilities.references
    if mode is not None and mode is not Mode.REFERENCE and not model.takes(mode):
        what = "a first frame" if mode is Mode.FIRST_FRAME else "a last frame"
        instead = ", or send the first frame alone" if model.takes(Mode.FIRST_FRAME) else ""
        use = "Use " + either(active_models(lambda other: other.takes(mode), report.today))
        report.add(
            Code.UNSUPPORTED_VALUE,
            "images",
            message=f"`images` must not hold {what}: {model.name} does not take one. {use}{instead}.",
            value=mode,
            allowed=tuple(rules.mode.value for rules in model.capabilities.modes),
            taken_by=lambda other: other.takes(mode),
        )
    for kind, media in _by_kind(request):
        as_references = mode is Mode.REFERENCE or kind is not Kind.IMAGE or len(media) > 2
        if media and as_references:
            _check_count(kind, len(media), model, report)
    lone_audio = mode is Mode.REFERENCE and not request.images and not request.videos
    if lone_audio and references is not None and references.audios and not references.audio_alone:
        report.add(
            Code.MISSING,
            "audios",
            f"needs an image or a video beside it on {model.name}.",
            taken_by=lambda other: (
                other.capabilities.references is not None and other.capabilities.references.audio_alone
            ),
        )


def _by_kind(request: Request) -> tuple[tuple[Kind, Sequence[Media]], ...]:
    return (Kind.IMAGE, request.images), (Kind.VIDEO, request.videos), (Kind.AUDIO, request.audios)


def _check_count(kind: Kind, count: int, model: Model, report: Report) -> None:
    maximum = max_references(model.capabilities.references, kind)
    if count <= maximum:
        return
    report.add(
        Code.TOO_MANY if maximum else Code.UNSUPPORTED_PARAMETER,
        _LISTS[kind],
        f"may hold at most {maximum} references on {model.name}."
        if maximum
        else f"cannot hold references on {model.name}.",
        value=count,
        allowed=f"at most {maximum}",
        taken_by=lambda other: count <= max_references(other.capabilities.references, kind),
    )


def max_references(references: References | None, kind: Kind) -> int:
    """How many references of a kind are taken; none where the model takes none at all."""
    if references is None:
        return 0
    match kind:
        case Kind.IMAGE:
            return references.images
        case Kind.VIDEO:
            return references.videos
        case Kind.AUDIO:
            return references.audios
        case _:
            assert_never(kind)
