"""Bind: the address that a server can listen at, or why there is none."""

import errno
import socket


class AddressError(Exception):
    """Nothing can listen at the address; the text says why."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.advice = advice


def listening_address(host: str, port: int) -> tuple[str, int]:
    """The IP address that `host` means, and `port`, or a free one for 0. Raises AddressError if it cannot be had.

    Granian takes IP addresses alone, and one that is taken ends it with the trace of another language.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise AddressError(
            f"the host {host!r} is no IP address and cannot be resolved",
            "Name an address of this machine with --host: 127.0.0.1 for itself alone, 0.0.0.0 for all its networks",
        ) from None
    family, *_, address = found[0]
    try:
        with socket.create_server(address[:2], family=family) as probe:
            return str(address[0]), probe.getsockname()[1]
    except OSError as error:
        raise _why_not(host, port, error) from None


def _why_not(host: str, port: int, error: OSError) -> AddressError:
    match error.errno:
        case errno.EADDRINUSE:
            return AddressError(
                f"port {port} of {host} is in use",
                "Choose another with --port or SEEDANCE_PORT; --port 0 takes a free one",
            )
        case errno.EADDRNOTAVAIL:
            return AddressError(
                f"{host} is not an address of this machine", "Name one of its own with --host or SEEDANCE_HOST"
            )
        case errno.EACCES:
            return AddressError(
                f"port {port} may not be used by this user", "Choose one above 1023 with --port or SEEDANCE_PORT"
            )
        case _:
            return AddressError(f"nothing can listen at {host}, port {port}: {error.strerror}", "Choose another")
