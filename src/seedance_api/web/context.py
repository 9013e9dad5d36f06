"""What the handlers use. `app/answer.py` makes it once."""

from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from obstore.store import ObjectStore

from seedance_api.accounts.authenticate import Authenticator, Principal
from seedance_api.delivery.address import Addresses
from seedance_api.delivery.certificate import Certificate
from seedance_api.delivery.link import link_key
from seedance_api.foundation.concurrency_limit import ConcurrencyLimit
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.intake import Intake
from seedance_api.foundation.outbound import Outbound
from seedance_api.generations.commands import Creating
from seedance_api.generations.follow import Changes, Streams
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.generations.read import Reader
from seedance_api.providers.provider import is_sandbox
from seedance_api.references.admit import References
from seedance_api.references.upload import Uploads
from seedance_api.traffic.failed_keys import FailedKeys
from seedance_api.traffic.rate_limits import RateLimits
from seedance_api.traffic.request_log import RequestLog
from seedance_api.web.body import AnyRequest
from seedance_api.web.budget import Budget
from seedance_api.web.finished import FinishedAnswers
from seedance_api.webhooks.probe import Prober


class Verifying:
    """What `POST /v1/verify` uses. Files on the disk at once are bounded: four of the largest in each process."""

    def __init__(self, *, certificate: Certificate, confine: Confine, max_bytes: int) -> None:
        self.certificate = certificate
        self.confine = confine
        self.max_bytes = max_bytes
        self.budget = Budget(4 * max_bytes)


_TURN_SECONDS = 5.0


class Context:
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
        rate_limits: RateLimits,
        failed_keys: FailedKeys,
        finished: FinishedAnswers,
        max_endpoints: int,
    ) -> None:
        self.db = db
        self.request_log = RequestLog(db)
        self.authenticate = authenticate
        self.creating = creating
        self.store = store
        self.disk = disk
        self.intake = intake
        self.upload = Uploads(db=db, references=references, keep_seconds=file_retention_seconds)
        self.base = (public_url or listening_url).rstrip("/")
        """The address in front of `/v1` in links: the configured one, else the one we listen on. Never what a request
        says."""
        self.streams = streams
        self.pepper = pepper
        self.addresses = Addresses(store=store, key=link_key(pepper), redirect_seconds=redirect_seconds, clock=db.clock)
        self.verifying = verifying
        self.posting = posting
        self.rate_limits = rate_limits
        self.failed_keys = failed_keys
        self.finished = finished
        self.max_endpoints = max_endpoints
        self.probe = Prober(db=db, outbound=posting, pepper=pepper)
        self.pseudonyms = Pseudonyms(pepper, public_url)
        self.budget = Budget()
        self.creates = ConcurrencyLimit(256, 256)
        """Creates and quotes, once their bodies are here. A transaction writes up to 64."""
        self.files = ConcurrencyLimit(64, 256)
        """Uploads and verifications, once their bodies are here. A few of them are decoded at a time."""
        self.reader = Reader(db)
        self.changes = Changes()

    def turn(self, limit: ConcurrencyLimit) -> AbstractAsyncContextManager[None]:
        """A turn at work that is limited. Raises BusyError, which is answered with 503."""
        return limit.turn(_TURN_SECONDS)

    @property
    def is_ready(self) -> bool:
        """Whether more requests may be sent here: the process is not stopping, and no queue is full."""
        full = self.creates.is_full or self.files.is_full or self.db.is_full
        return not (full or self.changes.stopped)

    def is_sandbox(self, principal: Principal) -> bool:
        """Whether this key's videos are previews by the sandbox."""
        return not principal.livemode or any(map(is_sandbox, self.creating.router.offers))


def context_of(request: AnyRequest) -> Context:
    """The tools, from a request."""
    context: Context = request.app.state["context"]
    return context


def client_address_of(request: AnyRequest) -> str | None:
    """Whom the request comes from, behind the operator's proxies; None where that is not known."""
    address: str | None = cast("dict[str, Any]", request.scope)["client_address"]
    return address


def principal_of(request: AnyRequest) -> Principal:
    """Who is calling; the outer face has established it for every route under /v1."""
    scope = cast("dict[str, Any]", request.scope)
    principal: Principal = scope["principal"]
    return principal
