"""The edge: what holds for every request and every answer, whichever face makes it.

One valid `Host`, what is at which address and takes which method, authentication and limits as the route declares
them, what `sending.py` does to every answer, and that one which leaves a body unread is heard (`linger.py`). And the
hottest read: a route may be answered here, before the framework (`Operation.direct`). Clients poll
`GET /v1/videos/{id}`, and an ordinary handler costs it more than half its throughput. It is the same code, and the
framework's route of the same path serves every other way of asking for it.
"""

import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from litestar import Litestar
from litestar.types import Receive, Scope, Send

from seedance_api.accounts.authenticate import Principal
from seedance_api.foundation.connections import Connections
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.rate_limiter import neighbourhood
from seedance_api.traffic.metrics import observe_request
from seedance_api.traffic.rate_limits import limit_headers
from seedance_api.traffic.rows import Request
from seedance_api.web.addresses import Addresses, Found, endpoint_of, rate_of
from seedance_api.web.authenticate import Face
from seedance_api.web.client_address import ClientAddress
from seedance_api.web.conditions import conditions_of, none_match
from seedance_api.web.context import Context
from seedance_api.web.errors import as_app_error, send_error
from seedance_api.web.linger import Unread, asks_first, has_body
from seedance_api.web.respond import send_tagged
from seedance_api.web.sending import Sending, send_methods

_READS = frozenset({"GET", "HEAD"})
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_HTTP_1_0 = ("1.0", "1")  # ASGI's word, and granian's
_REVOKED, _CLIENT_LEFT, _BROKEN = 401, 499, 500
"""What the log says of answers that did not end as they began."""
_log = structlog.get_logger()


class Edge:
    """An ASGI application around the framework's. `connections` is told who waits for an answer.

    The framework serves the routes of the faces, and is given nothing that it would have to refuse.
    """

    def __init__(
        self,
        app: Litestar,
        faces: Iterable[Face],
        connections: Connections | None = None,
        client_address: ClientAddress | None = None,
    ) -> None:
        self._app = app
        self._addresses = Addresses(faces)
        self._connections = connections
        self._client_address = client_address or ClientAddress()

    @property
    def probes(self) -> frozenset[str]:
        """The paths that load balancers ask for."""
        return self._addresses.probes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope["headers"]
        body = Unread(receive, waits=asks_first(headers))
        if await self._counted(scope, body, send) and has_body(headers):
            await body.linger()

    async def _counted(self, scope: Any, receive: Unread, send: Send) -> bool:
        client = scope["client"]
        if self._connections is None or client is None:
            return await self._respond(scope, receive, send)
        address = client[0], int(client[1])  # granian has the port as text
        self._connections.begin(address)
        try:
            return await self._respond(scope, receive, send)
        finally:
            self._connections.end(address)

    async def _respond(self, wide: Any, receive: Unread, send: Send) -> bool:
        """Answer; False where the answer was broken off."""
        context: Context = self._app.state["context"]
        at = context.db.clock()
        request_id = wide["request_id"] = new_id("req", at=at)
        method, found = wide["method"], self._addresses.look(wide["path"])
        client = wide["client"]
        wide["client_address"] = address = self._client_address(client and client[0], wide["headers"])
        sending = Sending(wide, receive, send, request_id, shared=found is not None and found.address.shared)
        broken = 0
        try:
            await self._answer(context, wide, receive, sending, found)
        except Exception as error:  # noqa: BLE001 a bug anywhere; the server would write its text to the log
            if not sending.answered:
                await send_error(sending, wide, as_app_error(error, request_id))
            elif sending.revoked:  # the framework puts an error of its own around ours
                _log.info("request.revoked", request_id=request_id)
                broken = _REVOKED
            elif not sending.cut:  # the server breaks off an answer that is not whole
                _log.exception("request.broken_off", request_id=request_id)
                broken = _BROKEN
        finally:
            status = broken or (sending.status if sending.whole else _CLIENT_LEFT)
            latency = time.perf_counter() - sending.started
            own = max(0.0, (sending.head_seconds or latency) - receive.waited)
            key: Principal | None = wide.get("principal")
            whose = (key.account_id, key.key_id) if key else (None, None)
            endpoint = endpoint_of(method, found)
            context.request_log(
                Request(request_id, at, endpoint, *whose, address, status, int(latency * 1e6), int(own * 1e6))
            )
            observe_request(endpoint, status, own)
        return not broken

    async def _answer(self, context: Context, scope: Any, receive: Receive, send: Sending, found: Found | None) -> None:
        path, method, query = scope["path"], scope["method"], scope["query_string"]
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        _check_framing(headers)
        _check_host(headers, scope["http_version"], is_probe=found is not None and found.address.is_probe)
        if query and b"sda_" in unquote_to_bytes(query):
            raise AppError("key_in_query")
        if "//" in path:
            # the framework would take it for the same path with one slash
            raise AppError("not_found", "There is nothing at this address: it has two slashes in a row.")
        network = neighbourhood(scope["client_address"])
        caller = account = None
        multiplier = 1
        if found is None or not found.address.is_probe:
            await context.rate_limits.admit_address(network)
        authenticate = found.address.authenticate if found else self._addresses.guard(path)
        if authenticate is not None:
            caller = await authenticate(context, headers, network)
            scope["principal"] = caller.principal
            account, multiplier = caller.principal.account_id, caller.principal.rate_multiplier
        if (rate := rate_of(method, found, keyed=account is not None)) is not None:
            standing = await context.rate_limits.admit(
                rate, account or network, is_account=account is not None, multiplier=multiplier
            )
            send.limit = limit_headers(rate, standing)
        if caller is not None:
            caller.principal.check(found and found.address.scope(method), scope["client_address"])
            if found and found.address.direct and method in _READS and not query and not found.wrong_id:
                conditions = conditions_of(headers)
                if b"prefer" not in conditions:
                    answer = await found.address.direct(context, caller.principal, found.values[0])
                    await send_tagged(send, answer, none_match(conditions) if conditions else "")
                    return
            scope["standing"] = send.stands = caller.standing(context)
        at = self._addresses.take(method, path, found)
        if method == "OPTIONS":
            await send_methods(send, at.allowed, shared=at.shared)
            return
        if query:
            at.check_query(method, query)
        if method not in at.handled:
            scope["method"] = "GET"  # it was HEAD, of which only the head is sent
        await self._app(scope, receive, send)


def _check_framing(headers: list[tuple[bytes, bytes]]) -> None:
    """RFC 9112 §6.1. The web server goes by the last coding; a proxy in front may go by another, and see two requests.
    A `Content-Length` beside it the web server has dropped: nothing behind such a body is read (`sending.py`)."""
    codings = [value.strip(b" \t").lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and codings != [b"chunked"]:
        message = "The `Transfer-Encoding` is not just `chunked`. Send that, or a `Content-Length` instead."
        raise AppError("invalid_request", message, headers={"Connection": "close"})


def _check_host(headers: list[tuple[bytes, bytes]], version: str, *, is_probe: bool) -> None:
    """RFC 9112 §3.2. Nothing of ours follows from the header; a proxy or a cache in front may think otherwise."""
    hosts = [value for name, value in headers if name == b"host"]
    missing = not any(hosts)  # granian gives an empty one where there is none
    if missing and version in _HTTP_1_0 and is_probe:  # load balancers ask so
        return
    host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if host is None or int(host[1] or 0) > 65535:
        several = f"{len(hosts)} `Host` headers" if len(hosts) > 1 else "a `Host` header that is no host"
        given = "no `Host` header" if missing else several
        message = f"The request has {given}. Send exactly one: a name or an address, and perhaps a port."
        raise AppError("invalid_host", message, headers={"Connection": "close"})
