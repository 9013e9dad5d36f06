"""What is told of finished videos: most reads are of those, and the answer is the same until something changes it."""

from typing import NamedTuple

from seedance_api.accounts.authenticate import Principal
from seedance_api.foundation.heard_cache import HeardCache
from seedance_api.web.respond import Tagged

MAX_ITEMS = 10_000
MAX_BYTES = 4096
"""What is longer is not remembered: an answer has 1 to 2 kB, and no more than 50 MB are kept in all."""
SECONDS = 60.0
"""Notices of retirement go by the date, and nothing tells of that."""


class Finished(NamedTuple):
    """An answer, and what it depends on beside the video: the account, the mode of the key, and the currency."""

    whose: tuple[str, bool, str]
    answer: Tagged


class FinishedAnswers(HeardCache[str, Finished]):
    """The answers by the ids of the videos."""

    def answer(self, principal: Principal, video_id: str) -> Tagged | None:
        """The answer, where it is known and is for this caller."""
        known = self.get(video_id)
        return known.answer if known is not None and known.whose == _whose(principal) else None

    def remember(self, principal: Principal, video_id: str, answer: Tagged, epoch: int) -> None:
        """Remember one that was looked up since `epoch`."""
        if len(answer.body) <= MAX_BYTES:
            self.put(video_id, Finished(_whose(principal), answer), epoch)


def _whose(principal: Principal) -> tuple[str, bool, str]:
    return principal.account_id, principal.livemode, principal.currency
