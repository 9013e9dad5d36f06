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
from seedance_api.generations import queries
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import State
from seedance_api.references.admit import Admitted, References, Source
from seedance_api.references.queries import files_of_account


class Understood(msgspec.Struct, frozen=True):
    """An accepted request with where each medium, by its path, comes from: a file's id, or what was just admitted."""

    accepted: catalog.Accepted
    uploaded: dict[str, str]
    admitted: dict[str, Admitted]
    draft: Seen | None


async def accept(
    request: Request,
    sources: Sequence[Source],
    draft_id: str | None,
    *,
    principal: Principal,
    folder: Folder,
    db: Database,
    references: References,
    assets: bool,
) -> Understood:
    """Check a request, bring its media, and check it again with what they are. `assets` says whether some are taken.

    Raises AppError with every problem that can be told at once.
    """
    draft = await _find_draft(draft_id, principal, db) if draft_id is not None else None
    request = msgspec.structs.replace(request, final_of=draft.params if draft else None)
    first = catalog.check(request)
    if not isinstance(first, catalog.Accepted):
        raise refusal(first)
    if not assets:
        _refuse_assets(sources)
    uploaded, facts = await _find_uploads(sources, principal, db)
    admitted = await references.admit([one for one in sources if one.arrives], folder)
    facts |= {path: one.inspected.facts for path, one in admitted.items()}
    if not facts:
        return Understood(first, uploaded, admitted, draft)
    second = catalog.check(_with_facts(request, facts))
    if not isinstance(second, catalog.Accepted):
        raise refusal(second)
    return Understood(second, uploaded, admitted, draft)


def refusal(problems: Sequence[Problem | catalog.Problem]) -> AppError:
    """One error that lists every problem."""
    shown = [one if isinstance(one, Problem) else _public(one) for one in problems]
    message = shown[0].message if len(shown) == 1 else f"{len(shown)} things are wrong with the request; see `errors`."
    return AppError("invalid_request", message, problems=shown)


def _public(problem: catalog.Problem) -> Problem:
    public = msgspec.convert(msgspec.to_builtins(problem), Problem)
    # the catalogue knows a draft by its order, the customer by its id
    return msgspec.structs.replace(public, path="draft_id") if public.path == "final_of" else public


async def _find_draft(draft_id: str, principal: Principal, db: Database) -> Seen:
    found = await queries.seen_by_ids(db, [draft_id]) if is_id("vid", draft_id) else []
    draft = found[0] if found else None
    mine = draft and draft.account_id == principal.account_id and draft.livemode == principal.livemode
    reason = None
    if draft is None or not mine:
        reason = "There is no such video in this account."
    elif draft.state is not State.COMPLETED or not draft.params.draft:
        reason = "That video is not a completed draft."
    elif draft.prompt is None:
        reason = "The inputs of that draft are deleted by now; a final take must follow within a day."
    if reason is not None or draft is None:
        raise refusal([Problem(path="draft_id", code="unsupported_value", message=reason or "")])
    return draft


def _refuse_assets(sources: Sequence[Source]) -> None:
    """An asset is an upstream's own; the sandbox has none."""
    problems = [
        Problem(
            path=one.path,
            code="bad_media",
            message=f"`{one.path}`: the sandbox has no assets; give an address, a file's id or a `data:` URL.",
        )
        for one in sources
        if one.asset is not None
    ]
    if problems:
        raise refusal(problems)


async def _find_uploads(
    sources: Sequence[Source], principal: Principal, db: Database
) -> tuple[dict[str, str], dict[str, Facts]]:
    wanted = {one.path: one for one in sources if one.file_id is not None}
    ids = [file_id for file_id in {one.file_id or "" for one in wanted.values()} if is_id("file", file_id)]
    files = (
        {file.id: file for file in await files_of_account(db, principal.account_id, principal.livemode, ids)}
        if ids
        else {}
    )
    problems: list[Problem] = []
    for path, one in wanted.items():
        file = files.get(one.file_id or "")
        if file is None:
            problems.append(
                Problem(
                    path=path,
                    code="bad_media",
                    message="There is no such file in this account, or it has expired.",
                )
            )
        elif one.kind is not None and file.kind is not one.kind:
            message = f"That file is not {_A[one.kind]} but {_A[file.kind]}."
            problems.append(Problem(path=path, code="bad_media", message=message))
    if problems:
        raise refusal(problems)
    return (
        {path: one.file_id or "" for path, one in wanted.items()},
        {path: files[one.file_id or ""].facts for path, one in wanted.items()},
    )


_A = {Kind.IMAGE: "an image", Kind.VIDEO: "a video", Kind.AUDIO: "a sound"}


def _with_facts(request: Request, facts: dict[str, Facts]) -> Request:
    def known(media: Sequence[Media]) -> list[Media]:
        return [msgspec.structs.replace(one, facts=facts.get(one.path)) for one in media]

    return msgspec.structs.replace(
        request, images=known(request.images), videos=known(request.videos), audios=known(request.audios)
    )
