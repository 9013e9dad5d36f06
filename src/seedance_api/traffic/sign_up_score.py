"""Score: how much a sign-up looks like one of many by the same person. Pure: facts in, points and their reasons out.

It is a score and no wall: a listed domain, or an office behind one network, may be an honest customer's. What follows
is for the caller to do: give no free credit before there is a payment method, or have the operator look.
"""

import unicodedata
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Literal

import msgspec

ReasonCode = Literal["disposable_domain", "same_mailbox", "tagged_address", "network_hour", "network_day"]
Verdict = Literal["accept", "no_free_credit", "review"]

NO_FREE_CREDIT_AT = 50
"""From here on nothing is given away before there is a payment method: one strong reason, or several weak ones."""
REVIEW_AT = 100
"""From here on the operator should look first: two strong reasons, such as a flood from one network."""
DISPOSABLE_POINTS = 50
"""Whoever signs up so gives an address that he will not read; it is the usual way to farm free credit."""
SAME_MAILBOX_POINTS = 50
"""The mailbox has an account already, or had one that was closed."""
TAGGED_POINTS = 10
"""`me+x@…`: many people do so to sort their mail, so that it says little by itself."""
HOUR_POINTS = ((3, 20), (10, 50))
"""Other sign-ups from the network within an hour, from so many on: a team has a few, a course of students ten."""
DAY_POINTS = ((10, 20), (50, 50))
"""The same within a day. A mobile carrier's network has many customers, but few of ours on one day."""
_MAX_DOMAIN, _MAX_LABELS = 253, 10
"""Characters of a domain (RFC 1035), and how many names of it are looked up."""
_DOTLESS = frozenset({"gmail.com"})
"""Where dots in front of the `@` mean nothing (support.google.com/mail/answer/7436150)."""
_SAME_DOMAIN = {
    "googlemail.com": "gmail.com",
    "protonmail.com": "proton.me",
    "pm.me": "proton.me",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
}
"""Domains whose addresses lead to the mailbox of another domain's."""


class SignUp(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a sign-up: its address, and counts without it.

    `same_mailbox`: accounts, closed ones too, whose `mailbox_of` is the same. `network_hour`, `network_day`: sign-ups
    from its `network_of` within the last hour and the last 24.
    """

    email: str
    same_mailbox: int = 0
    network_hour: int = 0
    network_day: int = 0


class Reason(msgspec.Struct, frozen=True):
    """Why there are points."""

    code: ReasonCode
    points: int


class Score(msgspec.Struct, frozen=True):
    """The sum of the points, and what they are for; the highest first."""

    points: int
    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        """What is advised."""
        if self.points >= REVIEW_AT:
            return "review"
        return "no_free_credit" if self.points >= NO_FREE_CREDIT_AT else "accept"


def score_sign_up(sign_up: SignUp) -> Score:
    """How much a sign-up looks like one of many by the same person; 0 for nothing at all."""
    points: dict[ReasonCode, int] = {
        "disposable_domain": DISPOSABLE_POINTS if is_disposable(sign_up.email) else 0,
        "same_mailbox": SAME_MAILBOX_POINTS if sign_up.same_mailbox else 0,
        "tagged_address": TAGGED_POINTS if "+" in sign_up.email.rpartition("@")[0].strip("+") else 0,
        "network_hour": _points_of(sign_up.network_hour, HOUR_POINTS),
        "network_day": _points_of(sign_up.network_day, DAY_POINTS),
    }
    reasons = [Reason(code, number) for code, number in points.items() if number]
    return Score(sum(points.values()), tuple(sorted(reasons, key=lambda reason: -reason.points)))


def mailbox_of(email: str) -> str:
    """The mailbox behind an address, for counting and not for mail: without case, tag, and dots that mean nothing."""
    name, _, domain = unicodedata.normalize("NFKC", email.strip()).lower().rpartition("@")
    domain = _ascii(domain)
    domain = _SAME_DOMAIN.get(domain, domain)
    name = name.partition("+")[0] or name
    if domain in _DOTLESS:
        name = name.replace(".", "") or name
    return f"{name}@{domain}"


def is_disposable(email: str) -> bool:
    """Whether the domain, or one above it, is on the list of disposable ones. The list is of the installed package
    `disposable-email-domains`: an upgrade of it renews the list, and nothing is fetched."""
    from disposable_email_domains import blocklist  # noqa: PLC0415 a megabyte, and only sign-ups need it

    labels = _ascii(email.strip().lower().rpartition("@")[2]).split(".")[-_MAX_LABELS:]
    return any(".".join(labels[at:]) in blocklist for at in range(len(labels) - 1))


def network_of(address: str) -> str | None:
    """The network that sign-ups are counted by: the /24, or of IPv6 the /64; None for what is no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    inner = found.ipv4_mapped if found.version == 6 else None
    if found.version == 6 and inner is None:
        return str(IPv6Network((found, 64), strict=False))
    return str(ip_network(f"{inner or found}/24", strict=False))


def _points_of(count: int, steps: tuple[tuple[int, int], ...]) -> int:
    return max((points for least, points in steps if count >= least), default=0)


def _ascii(domain: str) -> str:
    """A domain as it is looked up: without its root, an international one in its ASCII form, cut where it is none."""
    domain = domain[-_MAX_DOMAIN:]
    try:
        return domain.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        return domain.rstrip(".")
