"""`POST /v1/keys/revoke_leaked`: whoever has found a key has it revoked, and learns nothing of it."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx

from security.attack import rows
from seedance_api.accounts.keys import PREFIX, KeyMode, mint
from stage import Service, until

Start = Callable[..., Service]


def report(service: Service, body: Any) -> httpx.Response:
    """A report, without a key of one's own."""
    return httpx.post(f"{service.url}/v1/keys/revoke_leaked", json=body, timeout=60, trust_env=False)


def status_of(service: Service, key: str) -> int:
    with service.client(key) as client:  # a connection of its own: whichever process takes it
        return client.get("/v1/models").status_code


def listed(service: Service, key: str) -> dict[str, Any]:
    found = service.command("key", "list", "--account", service.account["email"])["keys"]
    return next(one for one in found if key.split("_")[2].startswith(one["handle"]))


def test_a_key_that_was_found_is_revoked_everywhere_and_nothing_is_told(start_service: Start) -> None:
    service = start_service(workers="2")
    key, other = service.new_key("live"), service.new_key()
    for _ in range(8):  # both processes remember it
        assert status_of(service, key) == 200
    first = report(service, {"key": f" {key}\n"})
    assert (first.status_code, first.json()) == (200, {"object": "leaked_key_report", "received": True})
    until(lambda: [status_of(service, key) for _ in range(8)] == [401] * 8, 20)
    again, unknown = report(service, {"key": key}), report(service, {"key": mint(KeyMode.LIVE).text})
    assert first.content == again.content == unknown.content
    assert again.headers.keys() == unknown.headers.keys()
    assert status_of(service, other) == 200
    mine = listed(service, key)
    assert (mine["revoked"], mine["revoked_reason"]) == (True, "reported_leaked")
    (told,) = rows(service.database_url, "SELECT kind, account_id, detail::text, letter::text FROM notice")
    assert (told["kind"], told["account_id"]) == ("key_leaked", service.account["id"])
    assert json.loads(told["detail"]) == {"key_id": mine["id"], "mode": "live"}
    log = service.errors.read_text()
    assert '"event": "key.revoked"' in log
    assert key not in log + str(told)
    assert key[-38:-6] not in log + str(told)


def test_what_is_no_key_is_refused_and_not_repeated(service: Service) -> None:
    key = mint(KeyMode.TEST).text
    for wrong in (key[:-1], key[:-1] + ("a" if key[-1] != "a" else "b"), "", "sk-123456", f"{PREFIX}live_", "x" * 9000):
        answer = report(service, {"key": wrong})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
        assert wrong[9:] not in answer.text or not wrong[9:]
    for body in ({}, {"key": None}, {"key": [key]}, {"key": {"text": key}}, {"key": 5}, {"key": key, "more": 1}, [key]):
        answer = report(service, body)
        assert answer.status_code == 400, body
        assert key[9:] not in answer.text


def test_the_operator_reports_a_key_by_standard_input(service: Service) -> None:
    key = service.new_key()

    def run(text: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "seedance_api", "key", "report-leaked", "--json"]
        return subprocess.run(
            command, input=text, env=service.environment, capture_output=True, text=True, timeout=120, check=False
        )

    wrong = run("sda_test_nonsense\n")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "is no API key of this service" in wrong.stderr
    done = run(f"{key}\n")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"id": listed(service, key)["id"], "account_id": service.account["id"], "revoked": True},
    )
    assert json.loads(run(key).stdout) == {"id": None, "account_id": None, "revoked": False}
    until(lambda: status_of(service, key) == 401, 20)
