"""Shares: so many uploads under way of one account, and so many bytes of them together."""

import asyncio

from seedance_api.foundation.errors import AppError

_WAIT_SECONDS = 10.0
"""How long an upload waits for one of its account to end: a burst of small ones is over by then."""
_WAITING = 4
"""As many times `max_uploads` may be under way or waiting."""
_RETRY_SECONDS = 5


class _Share:
    """What an account has of the scratch folders."""

    def __init__(self, max_uploads: int) -> None:
        self.slots = asyncio.Semaphore(max_uploads)
        self.uploads = 0
        """Under way and waiting."""
        self.size = 0


class Shares:
    """What the accounts have of a process's scratch folders: `max_uploads` each at once, with `max_bytes` together."""

    def __init__(self, *, max_uploads: int, max_bytes: int) -> None:
        self._max_uploads = max_uploads
        self._max_bytes = max_bytes
        self._shares: dict[str, _Share] = {}

    async def admit(self, account_id: str) -> None:
        """Count an upload, after a wait for one of the account's to end when it has too many. Raises AppError 429."""
        share = self._shares.setdefault(account_id, _Share(self._max_uploads))
        refused = _too_many(f"The account has {self._max_uploads} uploads under way, as many as are allowed.")
        if share.uploads >= self._max_uploads * _WAITING:
            raise refused
        share.uploads += 1
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await share.slots.acquire()
        except TimeoutError:
            self._leave(account_id)
            raise refused from None
        except asyncio.CancelledError:
            self._leave(account_id)
            raise

    def charge(self, account_id: str, size: int) -> None:
        """Count bytes of an upload that was admitted. Raises AppError 429."""
        share = self._shares[account_id]
        if share.size + size > self._max_bytes:
            max_mib = self._max_bytes >> 20
            raise _too_many(f"The account's uploads under way would have more than the {max_mib} MiB that are allowed.")
        share.size += size

    def dismiss(self, account_id: str, size: int) -> None:
        """An upload with so many bytes is over."""
        share = self._shares[account_id]
        share.size -= size
        share.slots.release()
        self._leave(account_id)

    def _leave(self, account_id: str) -> None:
        self._shares[account_id].uploads -= 1
        if not self._shares[account_id].uploads:
            del self._shares[account_id]


def _too_many(message: str) -> AppError:
    headers = {"Retry-After": str(_RETRY_SECONDS), "Connection": "close"}
    return AppError("too_many_uploads", f"{message} Try again when one of them has ended.", headers=headers)
