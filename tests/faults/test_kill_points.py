"""F01–F07: killed at a kill-point, the end is that of an undisturbed run: one video, paid once."""

import ast
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from faults.kit import FINAL, SHORT, consistent
from sample import Sample
from security.attack import rows
from seedance_api.foundation import kill_points
from stage import Service, free_port, until
from webhooks.kit import standing_receiver

_SOURCE = Path(kill_points.__file__).parents[1]
_BODY = SHORT | {"ratio": "16:9", "return_last_frame": True}
_CORE = {"create.committed", "advance.sent", "settle.charged", "deliver.sent"}
"""Where something has happened that is not written down yet: these are in every run."""


def test_every_point_stands_in_the_code_once_and_no_other() -> None:
    found = [
        node.args[0].value
        for path in _SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr, getattr(node.func.value, "id", "")) == ("reach", "kill_points")
        and isinstance(node.args[0], ast.Constant)
    ]
    assert sorted(map(str, found)) == sorted(kill_points.POINTS)


@pytest.mark.timeout(1200)  # in a soak
def test_killed_at_any_point_the_end_is_that_of_an_undisturbed_run(
    start_service: Callable[..., Service],
    tmp_path: Path,
    schedules: Callable[[int], None],
    sample: Sample,
) -> None:
    points = sample.some(kill_points.POINTS, _CORE, kind=lambda point: point.partition(".")[0])
    tmp_path.chmod(0o755)
    port = free_port("127.0.0.2")
    service = start_service(
        live_sandbox="true", kill_points=str(tmp_path), workers="2", lease_seconds="1", fetch_http="true",
        fetch_allow_networks="127.0.0.2/32", webhook_ports=str(port), grace_seconds="0",
    )  # fmt: skip
    service.credit("10")
    key = service.new_key("live")
    with standing_receiver(port) as there:
        told = {"url": there.url, "event_types": ["video.completed"]}
        with service.client(key) as client:
            assert client.post("/v1/webhook_endpoints", json=told).status_code == 200
        kill_at_each(service, key, tmp_path, points)
        # every end was told, whatever died: at least once, each with one id
        until(lambda: {came.event["data"]["id"] for came in there.came} == set(final_events(service)), 60)
        assert {came.event["data"]["id"]: came.headers["webhook-id"] for came in there.came} == final_events(service)
    schedules(len(points))


def final_events(service: Service) -> dict[str, str]:
    """The id of the final event of each generation."""
    found = rows(service.database_url, "SELECT id, data ->> 'id' AS video FROM event WHERE type = 'video.completed'")
    return {one["video"]: one["id"] for one in found}


def kill_at_each(service: Service, key: str, tmp_path: Path, points: list[str]) -> None:
    undisturbed = end_of(service, key, "undisturbed")
    assert undisturbed["status"] == "completed"
    for point in points:
        armed = tmp_path / point
        armed.touch()
        assert end_of(service, key, point) == undisturbed, point
        until(lambda armed=armed: not armed.exists(), 60)  # a schedule that died is taken up again after 30 s
    count = rows(service.database_url, "SELECT count(*) AS n FROM generation")[0]["n"]
    assert count == len(points) + 1
    service.doctor()
    consistent(service, collect_first=True)


def end_of(service: Service, key: str, name: str) -> dict[str, object]:
    """What became of one create by a client that does not give up: its outcome, and everything about its money."""
    before = balance(service, key)
    video = insist(service, key, name)
    sql = "SELECT state FROM generation WHERE id = $1"
    until(lambda: rows(service.database_url, sql, video)[0]["state"] in FINAL, 60)
    after = balance(service, key)
    seen = ask(service, key, f"/v1/videos/{video}")
    (hold,) = rows(service.database_url, "SELECT * FROM hold WHERE generation_id = $1", video)
    transfers = rows(service.database_url, "SELECT kind, amount FROM transfer WHERE generation_id = $1", video)
    attempts = rows(service.database_url, "SELECT state FROM attempt WHERE generation_id = $1", video)
    content = httpx.get(seen["urls"]["content"], headers={"Authorization": f"Bearer {key}"}, trust_env=False)
    return {
        "status": seen["status"],
        "cost": seen["cost"],
        "size": seen["size"],
        "hold": {name: hold[name] for name in ("state", "amount", "charged", "waived", "refunded", "tokens")},
        "transfers": sorted((one["kind"], one["amount"]) for one in transfers),
        "succeeded": [one["state"] for one in attempts].count("succeeded"),
        "open": sum(one["state"] in ("planned", "sent", "acknowledged", "unknown") for one in attempts),
        "spent": round(1e6 * (float(before["available"]) - float(after["available"]))),
        "held": after["held"],
        "content": content.status_code,
        "bytes": len(content.content),
    }


def insist(service: Service, key: str, name: str) -> str:
    """Create with an idempotency key until there is an answer, as good clients do."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": name}
    end = time.monotonic() + 40
    while time.monotonic() < end:
        try:
            answer = httpx.post(
                f"{service.url}/v1/videos",
                json=_BODY | {"prompt": "A pond"},
                headers=headers,
                timeout=20,
                trust_env=False,
            )
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code == 200:
            return answer.json()["id"]
        assert answer.headers["x-should-retry"] == "true", answer.text
    raise AssertionError("no answer")


def ask(service: Service, key: str, path: str) -> dict:
    """A GET that bears a process which is just being replaced."""

    def once() -> dict | None:
        try:
            answer = httpx.get(
                f"{service.url}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False
            )
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    found = until(once, 30)
    assert isinstance(found, dict)
    return found


def balance(service: Service, key: str) -> dict:
    """The account's money."""
    return ask(service, key, "/v1/balance")
