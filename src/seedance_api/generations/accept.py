"""Accept: from a decoded request to an order, with every medium found or admitted and its facts checked."""

from collections.abc import Sequence

import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.catalog import check as catalog
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts, Media, Request
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.intake import Folder
from seedance_api.generations import drafts
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.queries import inputs, reads
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import State
from seedance_api.references import assets
from seedance_api.references.admit import References
from seedance_api.references.inspect import Inspected
from seedance_api.references.source import Source


async def accept(
    command: CreateGeneration, draft: Seen | None, *, principal: Principal, folder: Folder, parts: Creating
) -> tuple[catalog.Accepted, dict[str, Inspected]]:
    """Check a request, bring its media, and check it again with what they are; returns also what it brought, by path.

    Raises AppError with every problem that can be told at once.
    """
    request, sources = (
        msgspec.structs.replace(command.request, final_of=draft.params if draft else None),
        command.sources,
    )
    accepted = _check(request)
    if not principal.livemode or not any(offer.assets for offer in parts.router.offers.values()):
        _refuse_assets(sources)
    await _check_assets(sources, draft, principal, parts.db)
    facts = await _find_uploads(sources, principal, parts.references)
    inspected = await parts.references.admit([source for source in sources if source.arrives], folder)
    facts |= {path: medium.facts for path, medium in inspected.items()}
    return _check(_with_facts(request, facts)) if facts else accepted, inspected


def _check(request: Request) -> catalog.Accepted:
    found = catalog.check(request)
    if not isinstance(found, catalog.Accepted):
        raise refusal(found)
    return found


def refusal(problems: Sequence[Problem | catalog.Problem]) -> AppError:
    """One error that lists every problem."""
    shown = [problem if isinstance(problem, Problem) else _public(problem) for problem in problems]
    return AppError("invalid_request", problems=shown)


def _public(problem: catalog.Problem) -> Problem:
    public = msgspec.convert(msgspec.to_builtins(problem), Problem)
    # the catalogue knows a draft by its order, the customer by its id
    return msgspec.structs.replace(public, path="draft_id") if public.path == "final_of" else public


async def find_draft(draft_id: str | None, principal: Principal, db: Database) -> Seen | None:
    """The draft that a final take is asked of, if one is. Raises AppError when none can be made of it."""
    if draft_id is None:
        return None
    found = await reads.seen_by_ids(db, [draft_id]) if is_id("vid", draft_id) else []
    draft = found[0] if found else None
    mine = draft and draft.account_id == principal.account_id and draft.livemode == principal.livemode
    reason = None
    if draft is None or not mine:
        known = is_id("vid", draft_id)
        reason = (
            f"There is no video `{draft_id}` in this account."
            if known
            else "`draft_id` must be the id of a completed draft: `vid_` and 26 letters and digits."
        )
    elif draft.state is not State.COMPLETED or not draft.params.draft:
        reason = "That video is not a completed draft."
    if reason is not None or draft is None:
        raise refusal([Problem(path="draft_id", code="unsupported_value", message=reason or "")])
    if draft.prompt is None or not await drafts.is_usable(db, draft.id):
        raise AppError("draft_expired", param="draft_id")
    return draft


def _refuse_assets(sources: Sequence[Source]) -> None:
    """An asset is an upstream's own; the sandbox has none."""
    problems = [
        Problem(
            path=source.path,
            code="bad_media",
            message=f"`{source.path}`: the sandbox has no assets; give an address, a file's id or a `data:` URL.",
        )
        for source in sources
        if source.asset is not None
    ]
    if problems:
        raise refusal(problems)


async def _check_assets(sources: Sequence[Source], draft: Seen | None, principal: Principal, db: Database) -> None:
    """An asset is used by those whom the operator allows it. Whether there is another one is not told to anybody."""
    named = {source.path: source.asset for source in sources if source.asset is not None}
    inherited = await inputs.assets_of(db, draft.id) if draft is not None else []
    refused = await assets.refused(db, principal.account_id, {*named.values(), *inherited})
    message = "This account has no such asset. Ask the operator of the service to allow it."
    paths = [path for path, asset in named.items() if asset in refused]
    if refused.intersection(inherited):
        paths.append("draft_id")
        message = "The draft was made of an asset that this account may not use any more."
    if paths:
        problems = [Problem(path=path, code="not_found", message=message) for path in paths]
        raise AppError("not_found", message, problems=problems)


async def _find_uploads(sources: Sequence[Source], principal: Principal, references: References) -> dict[str, Facts]:
    """The facts of the files that the request names by their ids, by path."""
    wanted = {source.path: (source.file_id, source.kind) for source in sources if source.file_id is not None}
    ids = [file_id for file_id in {file_id for file_id, _ in wanted.values()} if is_id("file", file_id)]
    files, lost = await references.find(ids, principal)
    problems: list[Problem] = []
    for path, (file_id, kind) in wanted.items():
        file = files.get(file_id)
        if file is None:
            message = "There is no such file in this account, or it has expired."
            problems.append(Problem(path=path, code="bad_media", message=message))
        elif file.id in lost:
            message = "Our copy of that file is lost. Upload the same file again: then this id works again, too."
            problems.append(Problem(path=path, code="file_lost", message=message))
        elif kind is not None and file.kind is not kind:
            message = f"That file is not {_A[kind]} but {_A[file.kind]}."
            problems.append(Problem(path=path, code="bad_media", message=message))
    if problems:
        raise refusal(problems)
    return {path: files[file_id].facts for path, (file_id, _) in wanted.items()}


_A = {Kind.IMAGE: "an image", Kind.VIDEO: "a video", Kind.AUDIO: "a sound"}


def _with_facts(request: Request, facts: dict[str, Facts]) -> Request:
    def known(media: Sequence[Media]) -> list[Media]:
        return [msgspec.structs.replace(medium, facts=facts.get(medium.path)) for medium in media]

    return msgspec.structs.replace(
        request, images=known(request.images), videos=known(request.videos), audios=known(request.audios)
    )
