"""What a create and a quote take: the decoded request, and the parts of the application that they use."""

import msgspec

from seedance_api.billing.books import Books
from seedance_api.catalog.request import Request
from seedance_api.foundation.db import Database
from seedance_api.generations.write import Writer
from seedance_api.references.admit import References
from seedance_api.references.source import Source
from seedance_api.routing.router import Router


class CreateGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded request. Each source has the `path` of the medium in `request` that it brings."""

    request: Request
    sources: tuple[Source, ...] = ()
    draft_id: str | None = None
    metadata: dict[str, str] = {}
    keep_seconds: int | None = None
    max_cost: int | None = None
    """Micro-dollars of the account's currency."""
    webhook_url: str | None = None
    """What is told how it ended; judged already."""


class Creating(msgspec.Struct, frozen=True, kw_only=True):
    """What a create needs. `router` knows the providers of live keys; it is empty where no upstream is configured."""

    db: Database
    writer: Writer
    books: Books
    references: References
    router: Router
    retention_seconds: int
    grace_seconds: int
    deadline_seconds: int
    max_pending: int = 10_000
    max_pending_test: int = 500
    """Unfinished generations of one account, of live and of test keys."""
