"""Understand a create: from a body, JSON or form, to the command that the verb takes, with everything wrong in it."""

from collections.abc import Mapping

from seedance_api.api.video_form import CreateVideo, decode_video
from seedance_api.api.video_media import read_media
from seedance_api.api.webhook_forms import check_url
from seedance_api.catalog import check as catalog
from seedance_api.catalog.characters import find_control
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Media, Request
from seedance_api.catalog.words import got
from seedance_api.foundation.errors import Problem
from seedance_api.foundation.money import amount_of_number
from seedance_api.foundation.outbound import Outbound
from seedance_api.generations.accept import refusal
from seedance_api.generations.commands import CreateGeneration
from seedance_api.web.body import Body


def understand(body: Body, posting: Outbound) -> tuple[CreateVideo, CreateGeneration]:
    """The fields of a body, and the command that they are. Raises AppError with every field that is wrong."""
    form, problems = decode_video(body)
    media, sources = read_media(form, body, problems)
    request = _request(form, media)
    _check_own_fields(form, problems)
    if form.webhook_url is not None:
        problems += check_url(form.webhook_url, "webhook_url", posting)
    if problems:
        raise refusal([*problems, *_catalogue_problems(form, request, problems)])
    return form, CreateGeneration(
        request=request,
        sources=tuple(sources),
        draft_id=form.draft_id,
        metadata=form.metadata or {},
        keep_seconds=form.expires_after,
        max_cost=None if form.max_cost is None else amount_of_number(form.max_cost),
        webhook_url=form.webhook_url,
    )


def _request(form: CreateVideo, media: Mapping[Kind, list[Media]]) -> Request:
    return Request(
        model=form.model,
        prompt=form.prompt,
        duration=form.duration,
        seconds=form.seconds,
        resolution=form.resolution,
        ratio=form.ratio or form.aspect_ratio,
        size=form.size,
        images=media[Kind.IMAGE],
        videos=media[Kind.VIDEO],
        audios=media[Kind.AUDIO],
        seed=form.seed,
        generate_audio=form.generate_audio,
        camera_fixed=form.camera_fixed,
        watermark=form.watermark,
        return_last_frame=form.return_last_frame,
        draft=form.draft,
        service_tier=form.service_tier,
        frames=form.frames,
        task_type=form.task_type,
    )


def _check_own_fields(form: CreateVideo, problems: list[Problem]) -> None:
    if form.ratio and form.aspect_ratio and form.ratio != form.aspect_ratio:
        problems.append(
            Problem(path="aspect_ratio", code="conflict", message="`aspect_ratio` contradicts `ratio`; send only one.")
        )
    if form.expires_after is not None and not 3600 <= form.expires_after <= 604_800:
        message = f"`expires_after` must be 3600 to 604800 seconds{got(form.expires_after)}."
        problems.append(Problem(path="expires_after", code="out_of_range", message=message, allowed="3600 to 604800"))
    if form.max_cost is not None:
        try:
            amount_of_number(form.max_cost)
        except ValueError as error:
            message = f"`max_cost` {error}{got(form.max_cost)}."
            problems.append(Problem(path="max_cost", code="out_of_range", message=message))
    _check_metadata(form.metadata or {}, problems)


def _check_metadata(entries: Mapping[str, str], problems: list[Problem]) -> None:
    if len(entries) > 16 or any(not 0 < len(key) <= 64 or len(value) > 512 for key, value in entries.items()):
        message = "`metadata` takes at most 16 entries, keys of 1 to 64 and values of up to 512 characters."
        problems.append(Problem(path="metadata", code="out_of_range", message=message))
        return
    for at, (key, value) in enumerate(entries.items(), start=1):
        found = find_control(key) or find_control(value)
        if found is not None:
            part = "key" if find_control(key) else "value"
            message = f"`metadata`: the {part} of entry {at} holds {found}; of those only line feed and tab are taken."
            problems.append(Problem(path="metadata", code="unsupported_value", message=message))


def _catalogue_problems(form: CreateVideo, request: Request, problems: list[Problem]) -> list[catalog.Problem]:
    """What else is wrong, so that the caller hears everything at once; a field that has a problem has one only."""
    if form.draft_id is not None:
        return []
    found = catalog.check(request)
    if isinstance(found, catalog.Accepted):
        return []
    named = {problem.path.split("[")[0].split(".")[0] for problem in problems}
    return [problem for problem in found if problem.path.split("[")[0] not in named]
