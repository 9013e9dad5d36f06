"""What a client writes is neither in the request log nor in the lines that the service writes: no forged line, no
forged address, no word of it; and every request has its one row all the same."""

import json
import re

from security.attack import ask, log, parsed, raw, rows
from seedance_api.api.routes import ROUTES
from seedance_api.web.addresses import METHODS
from seedance_api.web.route import routes_of
from stage import Service, until

CANARY = "canary-3f9c"
FORGED = f"\x1b[2J{CANARY}', now()); DROP TABLE request_log; --"
TARGETS = [
    f"/v1/videos/{CANARY}",
    f"/v1/videos/%0d%0a{CANARY}%0d%0a",
    f"/v1/videos/vid_%27);%20DROP%20TABLE%20request_log;--{CANARY}",
    f"/v1/{CANARY}%00",
    f"/{CANARY}/%1b[31m",
    f"/v1/models?{CANARY}=%0a",
    "/v1/" + CANARY * 200,
    "/%7B%22event%22:%22" + CANARY + "%22%7D",
    f"/v1/webhook_endpoints/%F0%9F%92%A5{CANARY}/deliveries",
]
WORDS = [CANARY.upper(), f"X'{CANARY}", "get", "A" * 500 + CANARY]
ADDRESSES = [
    f"{CANARY}, 203.0.113.5",
    f"203.0.113.5%0d%0a{CANARY}",
    FORGED,
    "203.0.113.5\t" + CANARY,
    "203.0.113.5/0",
    "0x7f.1, 2130706433, 127.1",
    "::1'); DELETE FROM request_log; --",
    "[::ffff:203.0.113.5%25" + CANARY + "]",
    ", ".join(f"203.0.113.{n % 256}" for n in range(2000)),
    "203.0.113.5, " + "x" * 4000,
    "",
]
ENDPOINTS = {f"{method} {route.path}" for route in routes_of(ROUTES) for method in (*METHODS, "OTHER")}
ENDPOINTS |= {f"{method} (unknown)" for method in (*METHODS, "OTHER")}


def logged(service: Service, ids: list[str]) -> list[dict]:
    """The rows of these requests, once all of them are written."""
    sql = "SELECT * FROM request_log WHERE id = ANY ($1)"
    until(lambda: len(rows(service.database_url, sql, ids)) >= len(ids), 30)
    return [dict(one) for one in rows(service.database_url, sql, ids)]


def test_no_word_of_a_client_is_logged(service: Service) -> None:
    ids: list[str] = []
    before = len(log(service))
    for target in TARGETS:
        ids.append(ask(service, "GET", target).headers["x-request-id"])
        ids.append(ask(service, "POST", target, Content_Length="0").headers["x-request-id"])
    for word in WORDS:
        answer = raw(service, f"{word} /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), seconds=5)
        if b"x-request-id" in answer:  # the server itself refuses what is no method
            ids.append(parsed(answer).headers["x-request-id"])
    hostile = {
        "User_Agent": FORGED, "Referer": f"https://{CANARY}/", "X_Request_Id": f"req_{CANARY}", "Forwarded": FORGED,
        "X_Real_Ip": CANARY, "Traceparent": CANARY, "Idempotency_Key": CANARY, "Prefer": CANARY, "Cookie": CANARY,
        "If_None_Match": CANARY, "Range": CANARY,
    }  # fmt: skip
    asked = ({name: each} for name, value in hostile.items() for each in (value, CANARY))
    answers = [ask(service, "GET", "/v1/models", **headers) for headers in asked]
    # the server itself refuses control characters
    ids += [answer.headers["x-request-id"] for answer in answers if "x-request-id" in answer.headers]
    assert len(ids) >= 2 * len(TARGETS) + len(hostile)
    ids.append(ask(service, "GET", "/v1/models", key=f"sda_test_{CANARY}").headers["x-request-id"])
    assert all(re.fullmatch("req_[0-9a-z]{26}", one) for one in ids)
    found = logged(service, ids)
    assert len(found) == len(ids), "each has one row"
    assert {one["endpoint"] for one in found} <= ENDPOINTS
    for table in ("request_log", "request_hour"):
        assert not rows(service.database_url, f"SELECT FROM {table} t WHERE t::text ILIKE $1", f"%{CANARY}%")
    written = log(service)[before:]
    assert CANARY not in written.lower()
    for line in written.splitlines():
        assert isinstance(json.loads(line), dict), "a line that we did not write"


def test_an_address_is_one_that_was_seen_or_none(service: Service) -> None:
    """Whatever stands in `X-Forwarded-For`, the log has an address: of it, read from the right, or the connection's.

    The tests' own address is that of a proxy."""
    ids: dict[str, str] = {}
    for value in ADDRESSES:
        answer = ask(service, "GET", "/v1/models", X_Forwarded_For=value)
        if answer.status_code == 200:  # the server refuses heads that are too long
            ids[answer.headers["x-request-id"]] = value
    assert len(ids) >= len(ADDRESSES) - 1
    for one in logged(service, list(ids)):
        given, address = ids[one["id"]], str(one["address"])
        assert re.fullmatch(r"[0-9a-f.:]+(/32|/128)?", address), given
        assert address == "127.0.0.1" or address in given.rpartition(",")[2], (given, address)
