"""F35: hosts are stopped and started one after the other under load, and no request but one in flight notices."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from faults.kit import SHORT, completes, do
from stage import Service, free_port, fresh_database

_PAUSE = 0.1


class Load:
    """Creates and reads through whichever host answers, as a load balancer would choose it."""

    def __init__(self, hosts: list[Service]) -> None:
        self._hosts = hosts
        self._over = threading.Event()
        self.made: list[str] = []
        self.wanted = 0
        self.bad: list[str] = []
        self.refused = 0
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(2)]

    def __enter__(self) -> "Load":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join()

    def _run(self, number: int) -> None:
        at = 0
        headers = {"Authorization": f"Bearer {self._hosts[0].key}"}
        with httpx.Client(headers=headers, timeout=30, trust_env=False) as client:
            while not self._over.is_set():
                at += 1
                self._ask(client, at, "GET", "/v1/videos", key=None)
                if at % 5 == 0 and len(self.made) < self.wanted:
                    body = SHORT | {"prompt": f"{number} {at}"}
                    answer = self._ask(client, at, "POST", "/v1/videos", json=body, key=f"{number} {at}")
                    if answer is not None:
                        self.made.append(answer.json()["id"])
                time.sleep(_PAUSE)

    def _ask(
        self, client: httpx.Client, at: int, method: str, path: str, *, key: str | None, json: object = None
    ) -> httpx.Response | None:
        headers = {"Idempotency-Key": key} if key else {}
        for turn in range(200):
            host = self._hosts[(at + turn) % len(self._hosts)]
            try:
                answer = client.request(method, host.url + path, json=json, headers=headers)
            except httpx.TransportError:  # it is down, or went down with this connection: the balancer takes another
                self.refused += 1
                time.sleep(0.01)
                continue
            if answer.status_code != 200:
                self.bad.append(f"{answer.status_code} {answer.text}")
            return answer
        self.bad.append("nobody answers")
        return None


def test_F35_hosts_are_replaced_one_by_one_under_load(postgres: str, tmp_path: Path) -> None:  # noqa: N802
    with fresh_database(postgres) as url:
        (tmp_path / "objects").mkdir()
        shared: dict[str, Any] = {"storage_url": f"file://{tmp_path}/objects"}
        hosts: list[Service] = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            if hosts:  # a second host marks videos with the certificate of the first
                shutil.copytree(tmp_path / "one/data/secrets", tmp_path / name / "data/secrets")
            hosts.append(Service(url, tmp_path / name, port=free_port("127.0.0.1"), **shared))
        try:
            with Load(hosts) as load:
                for host in hosts:
                    load.wanted += 6
                    assert host.stop() == 0
                    do(
                        url, f"ALTER TABLE account ADD COLUMN of_a_later_version_{load.wanted} text"
                    )  # a migration of N+1
                    host.start()
                    deadline = time.monotonic() + 60
                    while len(load.made) < load.wanted and time.monotonic() < deadline:
                        time.sleep(0.05)
            assert load.bad == [], load.bad[:3]
            assert load.refused > 0, "somebody met a host that was down"
            assert len(set(load.made)) == len(load.made) >= 12
            completes(hosts[0], load.made)
        finally:
            codes = [one.stop() for one in hosts if one.process.poll() is None]
        assert codes == [0, 0]
