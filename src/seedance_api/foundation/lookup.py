"""Lookups of names, with the deadline that `getaddrinfo` has not, and so many at once of one owner."""

import socket
import threading
from collections import Counter
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any

import ssrfguard

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

DNS_SLOTS = 256
ZONE_SLOTS = 8
_Answer = tuple[int, int, int, str, tuple[Any, ...]]  # a row of getaddrinfo


def timed(lookup: ssrfguard.Resolver, seconds: float) -> ssrfguard.Resolver:
    """Give `lookup` the deadline that `getaddrinfo` has not.

    A stalled lookup cannot be stopped, only left behind: each has a daemon thread, `DNS_SLOTS` at most, and those of
    one zone `ZONE_SLOTS`: whose name server does not answer holds up himself.
    """
    slots = _Slots()

    def look_up(host: str, port: int, *rest: int) -> list[_Answer]:
        zone = _zone(host)
        if not slots.take(zone, seconds):
            raise socket.gaierror(socket.EAI_AGAIN, "too many lookups are waiting")
        answer: Future[list[_Answer]] = Future()

        def ask() -> None:
            try:
                answer.set_result(list(lookup(host, port, *rest)))
            except (OSError, ValueError) as error:  # ValueError: a label that IDNA cannot encode
                answer.set_exception(socket.gaierror(socket.EAI_NONAME, type(error).__name__))
            finally:
                slots.give_back(zone)

        threading.Thread(target=ask, name="lookup", daemon=True).start()
        try:
            return answer.result(timeout=seconds)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "the lookup took too long") from None

    return look_up


class _Slots:
    """Places for lookups: so many in all, and of one zone."""

    def __init__(self) -> None:
        self._zones: Counter[str] = Counter()
        self._changed = threading.Condition()

    def take(self, zone: str, seconds: float) -> bool:
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(zone), seconds):
                return False
            self._zones[zone] += 1
            return True

    def give_back(self, zone: str) -> None:
        with self._changed:
            self._zones[zone] -= 1
            self._zones += Counter[str]()  # forgets those of which there is none
            self._changed.notify_all()

    def _is_free(self, zone: str) -> bool:
        return self._zones[zone] < ZONE_SLOTS and self._zones.total() < DNS_SLOTS


def _zone(host: str) -> str:
    """Whose name it is: what somebody registered, below `com` or `co.uk`."""
    name = host.rstrip(".").lower()
    return _suffixes().privatesuffix(name) or name


@cache
def _suffixes() -> "PublicSuffixList":
    """The suffixes under which registries sell names, as they came with the package.

    Who offers names below his own, as `github.io`, has the name servers for all of them.
    """
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 slow to load; the first lookup is in a thread

    return PublicSuffixList(only_icann=True)
