"""Shares: how many places an API process has at what all accounts use, and how many of them one account may have.

No account can have all: another's request of the same kind finds a place, or is the next to get one.
"""

from seedance_api.foundation.fair_queue import FairQueue
from seedance_api.foundation.outbound import CONNECTIONS


def inspecting() -> FairQueue:
    """Children that look into media, of accounts. Each takes up to 1.5 GiB and a processor."""
    return FairQueue(3, share=2, max_waiting=256, max_seconds=60)


def fetching() -> FairQueue:
    """Connections to where media are fetched from, of accounts: a server that hangs has one for up to two minutes."""
    return FairQueue(CONNECTIONS, share=CONNECTIONS // 4, max_waiting=1000, max_seconds=10)


def verifying() -> FairQueue:
    """Children that look at files for anybody, of client addresses. Who waits has his file on our disk meanwhile."""
    return FairQueue(2, share=1, max_waiting=64, max_waiting_of_one=8, max_seconds=30)
