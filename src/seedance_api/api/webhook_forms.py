"""What the addresses of webhooks take: bodies and queries, with everything that is wrong in them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from seedance_api.catalog.characters import find_control
from seedance_api.catalog.words import either, got
from seedance_api.foundation.address import is_address, shown
from seedance_api.foundation.errors import Problem
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.outbound import Outbound
from seedance_api.generations.accept import refusal
from seedance_api.web.decode import decode_query
from seedance_api.webhooks.endpoints import Wanted
from seedance_api.webhooks.kinds import KINDS, Kind
from seedance_api.webhooks.sign import Scheme

URL_MOST = 2048
_NAME_MOST, _DESCRIPTION_MOST = 200, 1000
_EVERY = "*"
"""What has the form of a type of event may be named; anything else may be a secret in the wrong place."""
One = TypeVar("One")
_KINDS: dict[str, Kind] = {one: one for one in KINDS}
_SCHEMES: dict[str, Scheme] = {"v1": "v1", "v1a": "v1a"}


class UpdateEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a change; what is left out stays as it is."""

    url: str | None = None
    """Where events go: https, and port 443 or 8443."""
    event_types: list[str] | None = None
    """Which events; `["*"]` is all that there are now."""
    name: str | None = None
    """A name of your own, up to 200 characters."""
    description: str | None = None
    """What it is for, up to 1,000 characters."""
    signatures: list[str] | None = None
    """How deliveries are signed: `v1` (HMAC-SHA256, the default), `v1a` (Ed25519), or both."""
    enabled: bool | None = None
    """`false` disables it, `true` enables it again."""


class CreateEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a new endpoint."""

    url: str | None = None
    """Where events go: https, and port 443 or 8443."""
    event_types: list[str] | None = None
    """Which events; `["*"]` is all that there are now."""
    name: str | None = None
    """A name of your own, up to 200 characters."""
    description: str | None = None
    """What it is for, up to 1,000 characters."""
    signatures: list[str] | None = None
    """How deliveries are signed: `v1` (HMAC-SHA256, the default), `v1a` (Ed25519), or both."""


class RotateSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a rotation."""

    keep_old_secret_active_for_24_hours: bool | None = None
    """Sign with both secrets for a day. Otherwise the old one ends now."""


class TestEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a test."""

    event_type: Annotated[str | None, Meta(extra_json_schema={"enum": list(KINDS)})] = None
    """Of which type the sample is."""


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a list."""

    limit: int = 20
    after: str | None = None
    type: str | None = None
    state: str | None = None


def read_wanted(
    form: CreateEndpoint | UpdateEndpoint, posting: Outbound, *, needed: bool
) -> tuple[Wanted, list[Problem]]:
    """What an endpoint is to be, and everything that is wrong with it."""
    problems: list[Problem] = []
    if form.url is not None:
        problems += check_url(form.url, "url", posting)
    elif needed:
        problems.append(Problem(path="url", code="missing", message="`url` is needed: where events are to go."))
    kinds = _read_several("event_types", form.event_types, _KINDS, problems)
    if form.event_types is None and needed:
        message = "`event_types` is needed: a list of types, or `*` for all."
        problems.append(Problem(path="event_types", code="missing", message=message, allowed=list(KINDS)))
    signs = _read_several("signatures", form.signatures, _SCHEMES, problems)
    for name, text, most in (("name", form.name, _NAME_MOST), ("description", form.description, _DESCRIPTION_MOST)):
        if text is None:
            continue
        found = find_control(text, one_line=True)
        if len(text) > most or found is not None:
            given = f"it has {len(text)}" if len(text) > most else f"it holds {found}"
            message = f"`{name}` must be one line of at most {most} characters, but {given}."
            problems.append(Problem(path=name, code="out_of_range", message=message))
    wanted = Wanted(
        url=form.url,
        event_types=kinds,
        name=form.name,
        description=form.description,
        signs=signs,
        enabled=form.enabled if isinstance(form, UpdateEndpoint) else None,
    )
    return wanted, problems


def check_url(url: str, path: str, posting: Outbound) -> list[Problem]:
    """Why an address is none that webhooks can go to. Where its name leads is judged at each attempt."""
    if len(url) > URL_MOST:
        return [
            Problem(
                path=path,
                code="bad_url",
                message=f"`{path}` must be at most {URL_MOST} characters, but has {len(url)}.",
            )
        ]
    if not url.isascii():
        message = f"`{path}` must be ASCII: write the name in Punycode, and the rest percent-encoded."
        return [Problem(path=path, code="bad_url", message=message)]
    if not is_address(url):
        message = f"`{path}`: {shown(url)} is not an address; give one such as https://example.com/events."
        return [Problem(path=path, code="bad_url", message=message)]
    blocked = posting.refuse(url)
    return [Problem(path=path, code="bad_url", message=f"`{path}`: {blocked.message}.")] if blocked else []


def read_kind(text: str | None, problems: list[Problem]) -> Kind | None:
    """A type of event, or a problem more."""
    found = _KINDS.get(text or "")
    if found is None:
        message = f"`event_type` must be {either(list(KINDS))}{got(text)}."
        problems.append(Problem(path="event_type", code="unsupported_value", message=message, allowed=list(KINDS)))
    return found


def _read_several(
    path: str, given: Sequence[str] | None, known: Mapping[str, One], problems: list[Problem]
) -> tuple[One, ...] | None:
    if given is None:
        return None
    if given == [_EVERY]:
        return tuple(known.values())
    wrong = [at for at, one in enumerate(given) if one not in known]
    for at in wrong[:20]:
        message = f"`{path}[{at}]` must be {either(list(known))}{got(given[at])}."
        problems.append(Problem(path=f"{path}[{at}]", code="unsupported_value", message=message, allowed=list(known)))
    if not given or len(given) > len(known) * 2:
        message = f"`{path}` must have 1 to {len(known) * 2} entries{got(len(given))}."
        problems.append(Problem(path=path, code="out_of_range", message=message))
    return tuple(one for name, one in known.items() if name in given)


def read_list(query: Mapping[str, Any], prefix: str, **choices: Sequence[str]) -> ListQuery:
    """The query of a list whose ids have this prefix. Raises AppError with every parameter that is wrong."""
    page, problems = decode_query(ListQuery, query)
    if not 1 <= page.limit <= 100:
        message = f"`limit` must be 1 to 100{got(page.limit)}."
        problems.append(Problem(path="limit", code="unsupported_value", message=message, allowed="1 to 100"))
    if page.after is not None and not is_id(prefix, page.after):
        message = "`after` must be an id, such as the `last_id` of the previous page."
        problems.append(Problem(path="after", code="unsupported_value", message=message))
    for name in ("type", "state"):
        value: str | None = getattr(page, name)
        if value is None:
            continue
        allowed = choices.get(name)
        if allowed is None:
            message = f"There is no field `{name}`."
            problems.append(Problem(path=name, code="unknown_field", message=message, allowed=["limit", "after"]))
        elif value not in allowed:
            message = f"`{name}` must be {either(allowed)}{got(value)}."
            problems.append(Problem(path=name, code="unsupported_value", message=message, allowed=list(allowed)))
    if problems:
        raise refusal(problems)
    return page
