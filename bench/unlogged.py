"""The service without request log and rate limits: what status reads with them are compared with."""

from litestar.types import ASGIApp

from seedance_api.app import answer
from seedance_api.traffic.gcra import Quota, Standing
from seedance_api.traffic.rate_limits import RateClass, RateLimits
from seedance_api.traffic.request_log import RequestLog
from seedance_api.traffic.rows import Request
from seedance_api.web import context

_STANDING = Standing(Quota(1000), 0.0, 1000, 0.0, 0.0)


class NoLog(RequestLog):
    """Writes nothing."""

    def __call__(self, request: Request) -> None:
        """Log nothing."""
        del request


class NoLimits(RateLimits):
    """Counts nothing."""

    async def admit_address(self, network: str) -> None:
        """Count nothing."""
        del network

    async def admit(self, rate: RateClass, subject: str, *, is_account: bool, multiplier: int = 1) -> Standing:
        """Count nothing."""
        del rate, subject, is_account, multiplier
        return _STANDING


def api() -> ASGIApp:
    """The application, for one server process."""
    assert answer.RateLimits is RateLimits, "it has changed"
    assert context.RequestLog is RequestLog, "it has changed"
    answer.RateLimits = NoLimits
    context.RequestLog = NoLog
    return answer.api()
