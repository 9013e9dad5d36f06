"""Judge: whether a key is used otherwise than before. Pure: facts in, changes out.

A change is told where it would be wrong to sleep on it, and not where a customer merely has more to do: what is told
too often is not read. The figures below are chosen for that; none of them blocks anything.
"""

from typing import Any, Literal

import msgspec

from seedance_api.foundation.money import format_amount, format_price

ChangeKind = Literal["key_network", "key_spending", "key_failing", "key_denied", "key_moderated"]
"""What may change: where a key is used, what it spends, and how many of its requests and videos are refused."""

SPENDING_TIMES = 10
"""An hour's spending is told above so many usual ones: twice or five times are a launch, ten times seldom are."""
MIN_SPENDING_HOURS = 5
"""A key that spent in fewer hours than these has nothing usual; its account's hours are taken instead."""
SHARE_TIMES = 5
"""A share of refusals is told above so many usual ones. So nobody is told of a key a fifth of whose requests always
fail, such as one that polls for what is not there yet."""
MIN_FAILED, FAILED_SHARE = 20, 0.5
"""Failed requests within the hour: every second one, of a program that used to work, or of somebody who tries it."""
MIN_USUAL_REQUESTS = 100
"""Before so many a failure is no change: who writes his first program with a key makes mistakes."""
MIN_DENIED, DENIED_SHARE = 20, 0.1
"""Requests within the hour for which the key has not the scope, or which came from where it may not be used."""
MIN_MODERATED, MODERATED_SHARE = 10, 0.3
"""Videos of the hour that moderation refused. A new key counts: whoever stole one uses it so at once."""
MAX_NETWORKS = 20
"""A key that was used from more networks within 30 days is used everywhere; one more says nothing."""
SHOWN_NETWORKS = 5


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """What a key did within the last hour. `spent` is what its videos cost or may still cost, in micro-dollars.

    `failed` requests have a status of 400 to 498, of which the `denied` have 401 or 403.
    """

    requests: int = 0
    failed: int = 0
    denied: int = 0
    videos: int = 0
    moderated: int = 0
    spent: int = 0


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What it did in the 14 days before. Of spending: the sum, and the number of hours in which there was any."""

    requests: int = 0
    failed: int = 0
    videos: int = 0
    moderated: int = 0
    spent: int = 0
    hours: int = 0
    account_spent: int = 0
    account_hours: int = 0


class NewNetworks(msgspec.Struct, frozen=True, kw_only=True):
    """Networks that a key was first used from just now: some of them, and how many there are.

    `known`: how many others it was used from within 30 days. `used_before`: whether it was used more than 7 days ago.
    """

    networks: tuple[str, ...]
    count: int
    known: int
    used_before: bool


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed: in a sentence for the key's owner, and in numbers for the operator, without any network."""

    kind: ChangeKind
    says: str
    detail: dict[str, Any]


def judge_networks(new: NewNetworks) -> Change | None:
    """Whether that a key was used from these networks is news."""
    if not new.used_before or new.known > MAX_NETWORKS:
        return None
    shown = ", ".join(new.networks[:SHOWN_NETWORKS]) + (" and others" if new.count > SHOWN_NETWORKS else "")
    says = f"It was used from where it was not used in the last 30 days: {shown}."
    return Change(kind="key_network", says=says, detail={"networks": new.count, "known_networks": new.known})


def judge_hour(hour: Hour, usual: Usual, *, currency: str, floor: int) -> list[Change]:
    """Whether what a key did within the hour is news. Spending below `floor`, in micro-dollars, never is."""
    found = (
        _spending(hour, usual, currency, floor),
        _failing(hour, usual),
        _denied(hour, usual),
        _moderated(hour, usual),
    )
    return [change for change in found if change is not None]


def _spending(hour: Hour, usual: Usual, currency: str, floor: int) -> Change | None:
    enough = usual.hours >= MIN_SPENDING_HOURS
    spent, hours = (usual.spent, usual.hours) if enough else (usual.account_spent, usual.account_hours)
    typical = spent // hours if hours else 0
    if hour.spent <= max(SPENDING_TIMES * typical, floor):
        return None
    before = f"in an hour in which it orders any, they usually cost {format_price(typical, currency)}"
    says = f"Videos for up to {format_price(hour.spent, currency)} were ordered with it within an hour; {before}."
    if not enough:
        says = says.replace("in which it orders any", "in which your account orders any")
    detail = {"spent": format_amount(hour.spent), "usual": format_amount(typical), "currency": currency}
    return Change(kind="key_spending", says=says, detail=detail)


def _failing(hour: Hour, usual: Usual) -> Change | None:
    share = _share(usual.failed, usual.requests)
    if usual.requests < MIN_USUAL_REQUESTS or hour.failed < MIN_FAILED:
        return None
    if not _leaps(_share(hour.failed, hour.requests), share, FAILED_SHARE):
        return None
    counted = f"{hour.failed:,} of {hour.requests:,} requests with it"
    says = f"{counted} failed within an hour (status 4xx); usually {share:.0%} do."
    return Change(kind="key_failing", says=says, detail={"requests": hour.requests, "failed": hour.failed})


def _denied(hour: Hour, usual: Usual) -> Change | None:
    # of the requests that failed before, not all were denied: what leaps above all of them leaps above those
    if hour.denied < MIN_DENIED:
        return None
    if not _leaps(_share(hour.denied, hour.requests), _share(usual.failed, usual.requests), DENIED_SHARE):
        return None
    counted = f"{hour.denied:,} of {hour.requests:,} requests with it"
    says = f"{counted} were refused within an hour: it is not for them, or not for use from there (status 403)."
    return Change(kind="key_denied", says=says, detail={"requests": hour.requests, "denied": hour.denied})


def _moderated(hour: Hour, usual: Usual) -> Change | None:
    share = _share(usual.moderated, usual.videos)
    if hour.moderated < MIN_MODERATED or not _leaps(_share(hour.moderated, hour.videos), share, MODERATED_SHARE):
        return None
    says = f"{hour.moderated:,} of {hour.videos:,} videos ordered with it within an hour were refused by moderation."
    return Change(kind="key_moderated", says=says, detail={"videos": hour.videos, "moderated": hour.moderated})


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _leaps(now: float, usual: float, least: float) -> bool:
    return now >= least and now > SHARE_TIMES * usual
