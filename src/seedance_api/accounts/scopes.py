"""What a key may be for: scopes, and the networks that it may be used from."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Literal, get_args

from seedance_api.catalog.words import got
from seedance_api.foundation.errors import AppError, Problem

Scope = Literal["videos:read", "videos:write", "files", "webhooks", "billing:read", "billing:write", "keys"]
"""What a route needs of a key. A key without scopes may do everything."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
MAX_NETWORKS = 50


def check_restrictions(scopes: Sequence[str], networks: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both as they are stored: in order, each once, networks with their prefix. Raises AppError 400 with all that is
    wrong."""
    problems = [
        Problem(
            path="scope", code="unsupported_value", message=f"`scope` must be one of {', '.join(SCOPES)}{got(one)}."
        )
        for one in scopes
        if one not in SCOPES
    ]
    found: dict[str, None] = {}
    for network in networks:
        try:
            found[str(ip_network(network.strip()))] = None
        except ValueError:
            message = f"`network` must be an address or a network such as 203.0.113.0/24{got(network)}."
            problems.append(Problem(path="network", code="unsupported_value", message=message))
    if len(found) > MAX_NETWORKS:
        message = f"A key may have at most {MAX_NETWORKS} networks{got(len(found))}."
        problems.append(Problem(path="network", code="out_of_range", message=message))
    if problems:
        raise AppError("invalid_request", problems=problems)
    return tuple(scope for scope in SCOPES if scope in scopes), tuple(found)


def is_within(address: str | None, networks: Sequence[str]) -> bool:
    """Whether a client's address is in one of these networks; one that nobody knows is in none."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if found.version == 6 else None
    return any((mapped or found) in ip_network(network) for network in networks)
