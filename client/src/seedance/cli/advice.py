"""What an error means for the user's money, and what to do about it."""

from __future__ import annotations

from seedance.cli.money import amount
from seedance.errors import APIError, AuthenticationError, VideoFailed
from seedance.objects import Video

LESS = "fewer seconds, or a lower --resolution"
# The service says itself what is short; here is what the command can add.
BY_CODE = {
    "insufficient_balance": f"To ask for less: {LESS}. What there is: seedance balance",
    "limit_reached": f"To ask for less: {LESS}. All limits: seedance balance",
    "max_cost_exceeded": f"Raise --max-cost, or ask for less: {LESS}.",
    "no_price": "Take another model or --resolution, or have the operator set a price.",
}


def what_to_do(error: Exception) -> list[str]:
    """Lines to print below the error."""
    if isinstance(error, VideoFailed):
        lines = [outcome(error.video), advice_in_words(error.video) if error.video.status == "failed" else ""]
        return [line for line in lines if line]
    if isinstance(error, AuthenticationError):
        return ["Log in with: seedance login"]
    if isinstance(error, APIError) and error.code in BY_CODE:
        return ["Nothing was made or charged.", BY_CODE[error.code]]
    return []


def outcome(video: Video) -> str:
    """What a video that was not made has cost."""
    cost = video.cost
    if cost is None or cost.charged is None:
        return "Nothing was charged." if video.error and video.error.payer in {"nobody", "operator"} else ""
    if cost.charged:
        back = f", {amount(cost.refunded)} of it refunded" if cost.refunded else ""
        return f"{amount(cost.charged)} {cost.currency} was charged{back}."
    back = f" The {amount(cost.released)} {cost.currency} held for it is yours again." if cost.released else ""
    return f"Nothing was charged.{back}"


def advice_in_words(video: Video) -> str:
    """Whether making it again may help, in the service's words if it has any."""
    error = video.error
    if error is None or error.advice or error.retry is None:
        return (error and error.advice) or ""
    return "Making it again may help." if error.retry else "Making it again will not help."
