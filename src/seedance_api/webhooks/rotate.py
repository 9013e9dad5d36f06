"""Rotate: let a new secret sign for an endpoint, or for the `webhook_url` of an account's requests."""

import msgspec

from seedance_api.foundation.db import Database
from seedance_api.foundation.idempotency import Done, Once, done_before, is_first
from seedance_api.webhooks import endpoint_queries
from seedance_api.webhooks.rows import Secret, account_subject

ROTATION_SECONDS = 86_400


class Rotated(msgspec.Struct, frozen=True):
    """The version that the request, or an earlier one with its key, has made: none of those after it.

    What version 0.1.0 noted tells none.
    """

    version: int | None
    replayed: bool


async def rotate_secret(db: Database, subject: str, once: Once | None, *, keep_old: bool) -> Rotated:
    """Let the next secret sign for a subject, and the one before as well for a day if it is to be kept."""
    if done := await done_before(db, once):
        return _earlier(done)
    try:
        async with db.transaction() as connection:
            version = await endpoint_queries.rotate_secret(connection, subject, ROTATION_SECONDS if keep_old else 0)
            if not await is_first(connection, once, {"version": version}):
                raise _RepeatError  # noqa: TRY301 it rolls the transaction back
    except _RepeatError:
        return _earlier(await done_before(db, once))
    return Rotated(version, replayed=False)


async def account_secret(db: Database, account_id: str, livemode: bool) -> Secret:
    """What signs for the `webhook_url` of an account's requests. There is one from the first day."""
    return await endpoint_queries.secret_of(db, account_subject(account_id, livemode=livemode))


class _RepeatError(Exception):
    """Another request with this key was first."""


def _earlier(done: Done | None) -> Rotated:
    return Rotated((done.answer or {}).get("version") if done else None, replayed=True)
