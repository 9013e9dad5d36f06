"""Why a server was not reached, in words."""

from __future__ import annotations

import errno
import socket
import ssl
import urllib.request
from collections.abc import Iterator

import httpx

from seedance.errors import ConnectionFailed
from seedance.flow import Call

BY_NUMBER = {
    errno.ECONNREFUSED: "connection refused; is the service running there?",
    errno.ECONNRESET: "the connection was reset",
    errno.EHOSTUNREACH: "there is no route to the host",
    errno.ENETUNREACH: "the network is unreachable",
}


def connection_failed(call: Call, error: httpx.RequestError) -> ConnectionFailed:
    """The error to raise. No text of it holds the key, a query or a proxy's password."""
    url = error.request.url.copy_with(query=None)
    return ConnectionFailed(f"{call.method} {url} got no answer{proxy_note(url, error)}: {reason_of(error)}")


def reason_of(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    for cause in causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                why = (cause.verify_message or "it cannot be verified").rstrip(".")
                return f"its certificate is not accepted: {why}"
            case ssl.SSLError() if cause.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE"}:
                return "it does not speak TLS; does the base URL begin with http://?"
            case socket.gaierror():
                return "the host name cannot be resolved; check the base URL"
            case OSError() if cause.errno in BY_NUMBER:
                return BY_NUMBER[cause.errno]
            case _:
                pass
    return str(error) or type(error).__name__


def is_outage(error: httpx.RequestError) -> bool:
    """Whether it may pass by itself: a name that does not exist and a certificate that does not fit will not."""
    lasting = any(
        isinstance(cause, ssl.SSLError) or (isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN)
        for cause in causes(error)
    )
    return isinstance(error, httpx.NetworkError | httpx.TimeoutException | httpx.RemoteProtocolError) and not lasting


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it: httpx keeps what the system said below its own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def proxy_note(url: httpx.URL, error: httpx.RequestError) -> str:
    """Whoever connects through a proxy of his environment may have forgotten it."""
    if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(url.host):
        return ""
    place = proxy.rpartition("@")[2].rpartition("://")[2]
    return f" through the proxy {place} of your environment"
