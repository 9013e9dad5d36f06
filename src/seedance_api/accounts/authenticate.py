"""Who is calling: from a bearer token to a principal."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from seedance_api.accounts import queries
from seedance_api.accounts.keys import PREFIX, KeyMode, is_key, parse
from seedance_api.accounts.scopes import SCOPES, is_within
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import UNREACHABLE, Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.heard_cache import HeardCache
from seedance_api.foundation.secrets import digest, same

_CACHE_SECONDS = 5.0
_MAX_CACHED = 10_000
_ASK_SECONDS = 2.0
_BEARER = "Bearer "
_ABSENT = b"\0" * 32


class Principal(msgspec.Struct, frozen=True):
    """The account and the key that a request is made with."""

    account_id: str
    key_id: str
    livemode: bool
    currency: str = "USD"
    regions: tuple[str, ...] | None = None
    """Where its prompts and media may be sent; None allows every region."""
    keep_seconds: int | None = None
    grace_seconds: int | None = None
    """How long its videos stay, before and after delivery; None takes the installation's."""
    rate_multiplier: int = 1
    """How many times the installation's rate limits it has."""
    scopes: frozenset[str] | None = None
    """What the key may be used for; None: everything."""
    networks: tuple[str, ...] | None = None
    """Where it may be used from; None: everywhere."""

    def check(self, scope: str | None, address: str | None) -> None:
        """Raises AppError 403 where the key may not be used for this, or not from there."""
        if self.networks is not None and not is_within(address, self.networks):
            message = (
                "The API key may not be used from this address: it is restricted to networks of its account's choice."
            )
            raise AppError("address_not_allowed", message)
        if scope is not None and self.scopes is not None and scope not in self.scopes:
            has = ", ".join(f"`{one}`" for one in SCOPES if one in self.scopes)
            message = (
                f"The API key has not the scope `{scope}`, which this request needs; it has {has}. Use another key."
            )
            raise AppError("missing_scope", message)


class Authenticator:
    """Turns bearer tokens into principals.

    A mistyped key costs no query. A good one is remembered for 5 seconds and forgotten at once when it is revoked
    (NOTIFY) or its account changes, or when notifications may have been missed. While `hears` says that nobody would
    hear of a revocation, none is remembered. At most 10,000 keys are remembered.

    Of a handle that came with a wrong secret the digest of the right key is remembered, so that further wrong ones can
    be told from it without a query; of at most 10,000.
    """

    def __init__(self, *, db: Database, pepper: bytes, hears: Callable[[], bool] = lambda: True) -> None:
        self._db = db
        self._pepper = pepper
        self._known: HeardCache[str, Principal] = HeardCache(hears=hears, max_items=_MAX_CACHED, seconds=_CACHE_SECONDS)
        self._tried: dict[str, bytes] = {}
        """By the handle of a refused key, the digest of the right one; of none where no such key lives."""
        self._by_handle: Batch[str, queries.KnownKey | None] = Batch(self._load)

    async def __call__(self, header: str | None) -> Principal:
        """The principal of an `Authorization` header. Raises AppError 401."""
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise AppError("missing_key", f"{_what_was_sent(header or '')} {HOW}", headers=CHALLENGE)
        return self._known.get(token) or await self._look_up(token)

    @property
    def epoch(self) -> int:
        """Counts the moments at which some key may have been revoked."""
        return self._known.epoch

    def recall(self, header: str) -> Principal | None:
        """The principal of an `Authorization` header that is remembered, without a query."""
        return self._known.get(header[len(_BEARER) :]) if header.startswith(_BEARER) else None

    def knows(self, header: str) -> bool:
        """Whether the key in an `Authorization` header has been right before and not been forgotten, or is the right
        one of a handle that came with wrong secrets."""
        token = header.partition(" ")[2]
        if token in self._known:
            return True
        handle = self.tried_handle(header)
        return handle is not None and same(self._tried[handle], digest(self._pepper, token))

    def tried_handle(self, header: str) -> str | None:
        """The handle of the key in an `Authorization` header, if it is remembered for having come with a wrong one."""
        if not self._tried:
            return None
        plain = parse(header.partition(" ")[2])
        return plain.handle if plain is not None and plain.handle in self._tried else None

    def forget(self, key_id: str) -> None:
        """A key was revoked, or its account was changed."""
        self._known.forget_where(lambda principal: principal.key_id == key_id)
        self._tried.clear()

    def forget_all(self) -> None:
        """Some revocations may have been missed."""
        self._known.forget_all()
        self._tried.clear()

    async def _look_up(self, token: str) -> Principal:
        plain = parse(token)
        if plain is None:
            raise AppError("invalid_key", _what_is_wrong(token), headers=CHALLENGE)
        epoch = self.epoch
        key = await self._by_handle(plain.handle)
        matches = is_key(plain, self._pepper, key and key.digest)
        if key is None or not matches or key.revoked_at is not None or key.mode != plain.mode:
            if epoch == self.epoch:
                self._remember_tried(plain.handle, key)
            raise _refusal()
        principal = Principal(
            key.account_id,
            key.id,
            key.mode is KeyMode.LIVE,
            key.currency,
            key.regions,
            key.keep_seconds,
            key.grace_seconds,
            key.rate_multiplier,
            None if key.scopes is None else frozenset(key.scopes),
            key.networks,
        )
        self._known.put(token, principal, epoch)
        return principal

    def _remember_tried(self, handle: str, key: queries.KnownKey | None) -> None:
        if len(self._tried) >= _MAX_CACHED:
            del self._tried[next(iter(self._tried))]
        self._tried[handle] = key.digest if key is not None and key.revoked_at is None else _ABSENT

    async def _load(self, handles: list[str]) -> list[queries.KnownKey | None | Exception]:
        keys = {key.handle: key for key in await queries.keys_by_handle(self._db, handles)}
        return [keys.get(handle) for handle in handles]


class Standing:
    """Whether the key that a long answer began with still stands: an event stream, or a download.

    It is asked before each piece that is sent. The answer is looked up anew when some key was revoked, and every
    5 seconds. While the database cannot be asked, an answer that was allowed goes on.
    """

    def __init__(self, authenticate: Authenticator, header: str | None) -> None:
        self._authenticate = authenticate
        self._header = header
        self._stands = True
        self._epoch = authenticate.epoch
        self._until = time.monotonic() + _CACHE_SECONDS

    async def __call__(self) -> bool:
        """False from the moment on at which the key is revoked, or its account gone."""
        if self._stands and (self._epoch != self._authenticate.epoch or time.monotonic() >= self._until):
            self._epoch, self._until = self._authenticate.epoch, time.monotonic() + _CACHE_SECONDS
            self._stands = await self._look()
        return self._stands

    async def check(self) -> None:
        """Raises AppError 401 from that moment on."""
        if not await self():
            raise _refusal()

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self._authenticate(self._header)
        except AppError:
            return False
        except UNREACHABLE:
            return True
        return True


CHALLENGE = {"WWW-Authenticate": "Bearer"}
HOW = "Send it as: Authorization: Bearer sda_…"
_SCHEMES = frozenset({"token", "key", "basic", "digest", "apikey", "api-key", "negotiate"})
"""What other services call it; only these are repeated, for anything else may be a secret."""


def _what_was_sent(header: str) -> str:
    word = header.partition(" ")[0]
    if not header:
        return "No API key was sent."
    if word.startswith(PREFIX):
        return "The API key stands in `Authorization` without `Bearer`."
    if word.lower() in _SCHEMES:
        return f"The API key was sent as `Authorization: {word} …`, and this service takes `Bearer`."
    if word.lower() == "bearer":
        return "`Authorization: Bearer` was sent without an API key."
    return "`Authorization` was sent, but not as `Bearer` and an API key."


_AROUND = {'"': "quotes", "'": "quotes", "`": "quotes", "<": "angle brackets", "{": "braces", "[": "brackets"}


def _what_is_wrong(token: str) -> str:
    if token.strip() != token:
        return f"The API key has spaces around it. {HOW}"
    if token[0] in _AROUND:
        return f"The API key stands in {_AROUND[token[0]]}; send it without. {HOW}"
    if token.lower().startswith("bearer "):
        return f"`Authorization` says `Bearer` twice. {HOW}"
    if token.startswith("$"):
        return f"`Authorization` has the name of a variable instead of its value, an API key. {HOW}"
    if token.lower().startswith(PREFIX) and not token.startswith(PREFIX):
        return f"The API key is in another case: capitals and small letters differ. Copy it as it was shown. {HOW}"
    if not token.startswith(PREFIX):
        return f"The API key is none of this service: its keys begin with {PREFIX}test_ or {PREFIX}live_. {HOW}"
    return "The API key is mistyped or incomplete. Copy all of it, and nothing else."


def _refusal() -> AppError:
    return AppError("invalid_key", "The API key is unknown or was revoked. Use another one.", headers=CHALLENGE)
