"""The rate limits, and where they are counted."""

from seedance_api.settings import Settings
from seedance_api.traffic.gcra import Quota
from seedance_api.traffic.limit_stores import LimitStore, MemoryStore
from seedance_api.traffic.rate_limits import Limits, RateClass

_WEBHOOK_TESTS_PER_MINUTE = 30
"""Each is a request to where a customer says."""
BY_PROCESS = (
    "SEEDANCE_REDIS_URL is not set: each of the {workers} API processes counts rate limits for itself, so together "
    "they admit up to {workers} times as many requests"
)


def limits_of(settings: Settings) -> Limits:
    """The rate limits."""
    per_minute: dict[RateClass, int] = {
        "read": settings.reads_per_minute,
        "write": settings.writes_per_minute,
        "create": settings.creates_per_minute,
        "upload": settings.uploads_per_minute,
        "verify": settings.verify_per_minute,
        "webhook_test": _WEBHOOK_TESTS_PER_MINUTE,
    }
    classes: dict[RateClass, Quota] = {rate: Quota(requests) for rate, requests in per_minute.items()}
    return Limits(classes=classes, address=Quota(settings.address_per_minute))


def limit_store(settings: Settings) -> LimitStore:
    """Redis for all processes, or the memory of this one. Nothing is connected to yet."""
    if settings.redis_url is None:
        return MemoryStore()
    from seedance_api.traffic.redis_store import RedisStore  # noqa: PLC0415 slow to load, and many installations have none

    return RedisStore(settings.redis_url)


async def why_uncounted(store: LimitStore) -> str | None:
    """Why nothing can be counted there; None where it can."""
    try:
        await store.take([("trial", Quota(1000, 1.0))])
    except ConnectionError as error:
        return str(error)
    finally:
        await store.close()
    return None
