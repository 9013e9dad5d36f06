"""F33: a machine whose clock is ten minutes off. Money, windows and retries go by the database's clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from faults.kit import SHORT
from security.attack import rows
from stage import Service, finished, fresh_database

_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.mark.skipif(_LIBRARY is None, reason="libfaketime is not installed (on Debian: apt-get install faketime)")
@pytest.mark.parametrize("off", ["+10m", "-10m"])
def test_ten_minutes_off(
    postgres: str, tmp_path_factory: pytest.TempPathFactory, off: str, schedules: Callable[[int], None]
) -> None:
    with fresh_database(postgres) as url:
        service = Service(url, tmp_path_factory.mktemp("clock"), started=False, live_sandbox="true")
        service.command("account", "create", "clock@example.org")
        service.credit("1", "clock@example.org")
        service.command("account", "limit", "clock@example.org", "--day", "0.5")
        key = service.new_key("live", "clock@example.org")
        service.environment |= {"LD_PRELOAD": str(_LIBRARY), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        service.start()
        try:
            with service.client(key) as client:
                body = SHORT | {"prompt": "A pond", "ratio": "16:9"}
                video = client.post("/v1/videos", json=body).json()["id"]
                retry = client.post("/v1/videos", json=body, headers={"x-stainless-retry-count": "1"})
                assert retry.json()["id"] == video
                assert finished(client, video)["status"] == "completed"
                usage = client.get("/v1/usage").json()
                (row,) = rows(url, "SELECT (now() AT TIME ZONE 'UTC')::date AS today, now() AS now")
                assert [one["day"] for one in usage["data"]] == [row["today"].isoformat()]
                assert usage["totals"]["charged"] == "0.023814"
                seen = client.get(f"/v1/videos/{video}").json()
                stamped = datetime.fromtimestamp(seen["created_at"], UTC)
                assert abs((row["now"] - stamped).total_seconds()) < 60
                (limit,) = client.get("/v1/balance").json()["limits"]
                assert limit["spent"] == "0.023814"
            service.environment = {
                name: value for name, value in service.environment.items() if name not in ("LD_PRELOAD", "FAKETIME")
            }
            service.doctor()
        finally:
            service.stop()
    schedules(1)
