"""What the handlers use. `app/answer.py` makes it once."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from obstore.store import ObjectStore

from seedance_api.accounts.authenticate import Authenticator, Principal
from seedance_api.api.body import AnyRequest, Budget
from seedance_api.delivery.certificate import Certificate
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Finder
from seedance_api.foundation.ids import is_id
from seedance_api.foundation.intake import Intake
from seedance_api.foundation.limit import Limiter
from seedance_api.foundation.outbound import Outbound
from seedance_api.generations.create import Creating
from seedance_api.generations.estimates import Estimates
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.generations.queries import reads
from seedance_api.generations.rows import Seen
from seedance_api.references.admit import References

_STREAM_RETRY_SECONDS = 5
_TESTS_A_MINUTE, _TESTS_AT_ONCE = 30, 32
"""Tests of endpoints: of one account, and under way in this process. Each is a request to where a customer says."""


class Changes:
    """Wakes those who wait for a change of a generation or a key. `pg_notify` brings the changes to every process."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def tell(self, subject: str) -> None:
        """The generation or key with this id changed."""
        for event in self._waiting.get(subject, ()):
            event.set()

    def tell_all(self) -> None:
        """Anything may have changed: notifications may have been missed."""
        for events in self._waiting.values():
            for event in events:
                event.set()

    @asynccontextmanager
    async def of(self, *subjects: str) -> AsyncGenerator[asyncio.Event, None]:
        """An event that is set at each change of one of them; the caller clears it."""
        event = asyncio.Event()
        for subject in subjects:
            self._waiting[subject].add(event)
        try:
            yield event
        finally:
            for subject in subjects:
                self._waiting[subject].discard(event)
                if not self._waiting[subject]:
                    del self._waiting[subject]


class Streams:
    """The event streams that this process holds open, `most` of one account: each keeps a connection for hours."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def of(self, account_id: str) -> Generator[None]:
        """Hold one more open. Raises AppError 429."""
        if self._open[account_id] >= self._most:
            message = f"This account has {self._open[account_id]} event streams open; it may have {self._most}. "
            message += "Close one, or poll the video instead."
            raise AppError("too_many_streams", message, headers={"Retry-After": str(_STREAM_RETRY_SECONDS)})
        self._open[account_id] += 1
        try:
            yield
        finally:
            self._open[account_id] -= 1
            if not self._open[account_id]:
                del self._open[account_id]


class Verifying:
    """What `POST /v1/verify` uses. Files on the disk at once are bounded: four of the largest in each process."""

    def __init__(self, *, certificate: Certificate, confine: Confine, limiter: Limiter, most: int) -> None:
        self.certificate = certificate
        self.confine = confine
        self.limiter = limiter
        self.most = most
        self.budget = Budget(4 * most)


class Parts:
    """The handlers' tools."""

    def __init__(
        self,
        *,
        db: Database,
        authenticate: Authenticator,
        creating: Creating,
        references: References,
        store: ObjectStore,
        disk: Disk,
        intake: Intake,
        file_retention_seconds: int,
        public_url: str | None,
        listening_url: str,
        streams: Streams,
        pepper: bytes,
        redirect_seconds: int,
        verifying: Verifying,
        posting: Outbound,
    ) -> None:
        self.db = db
        self.authenticate = authenticate
        self.creating = creating
        self.references = references
        self.store = store
        self.disk = disk
        self.intake = intake
        self.file_retention_seconds = file_retention_seconds
        self.base = (public_url or listening_url).rstrip("/")
        """The address in front of `/v1` in links: the configured one, else the one we listen on. Never what a request
        says."""
        self.streams = streams
        self.pepper = pepper
        self.redirect_seconds = redirect_seconds
        """How long presigned links of the object store are good for; 0 where we send content ourselves."""
        self.verifying = verifying
        self.posting = posting
        self.testing = Limiter(a_minute=_TESTS_A_MINUTE)
        self.testing_at_once = asyncio.Semaphore(_TESTS_AT_ONCE)
        self.pseudonyms = Pseudonyms(pepper, public_url)
        self.budget = Budget()
        self.find = Finder(db)
        self.changes = Changes()
        self.estimates = Estimates(db)
        self._seen: Batch[str, Seen | None] = Batch(self._load, most=500)

    def is_sandbox(self, principal: Principal) -> bool:
        """Whether this key's videos are previews by the sandbox."""
        return not principal.livemode or "sandbox" in self.creating.router.offers

    async def seen(self, principal: Principal, video_id: str) -> Seen:
        """A generation of the caller's account and mode. Raises AppError 404: another's is as if it were not there."""
        found = await self._seen(video_id) if is_id("vid", video_id) else None
        if found is None or found.account_id != principal.account_id or found.livemode != principal.livemode:
            raise AppError("not_found", "There is no such video in this account.", param="video_id")
        return found

    async def estimated(self, found: Sequence[Seen]) -> list[Seen]:
        """The same generations, unfinished ones with what can be said of their end."""
        return await self.estimates.add(found)

    async def _load(self, ids: list[str]) -> list[Seen | None | Exception]:
        rows = await self.estimated(await reads.seen_by_ids(self.db, list(set(ids))))
        found = {seen.id: seen for seen in rows}
        return [found.get(one) for one in ids]


def parts_of(request: AnyRequest) -> Parts:
    """The tools, from a request."""
    parts: Parts = request.app.state["parts"]
    return parts


def principal_of(request: AnyRequest) -> Principal:
    """Who is calling; the outer face has established it for every route under /v1."""
    scope = cast("dict[str, Any]", request.scope)
    principal: Principal = scope["principal"]
    return principal
