"""Kill and freeze the service while it takes money, and count afterwards: `python -m bench.storm --kills 100`.

Starts a service of its own with two API processes, creates short videos with a live key as a good client does (an
idempotency key each, tried again until there is an answer), and meanwhile kills API processes, the worker, now and then
the whole `serve`, and whoever comes by at one of the places between two steps (`foundation/kill_points.py`).
With `--freezes` it stops processes beside that for 2 to 60 s (SIGSTOP, as a host that swaps or migrates does), ends
backends of PostgreSQL, and lets every connection to PostgreSQL fall silent while new ones pass. A second account
has money for a few videos only, so most of its creates are refused. In the end everything must become final, and
`doctor --invariants` is asked with every id that was ever answered. Exit codes: 0 all is well, 1 something is lost or
wrong, 2 the time was over before all kills were done.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import psutil

from bench.__main__ import interrupt
from bench.freezes import Freezes, Proxy
from bench.race import SHORT, judge, tell
from bench.service import Service, kill, violations
from bench.stage import Stage
from seedance_api.foundation.kill_points import POINTS, Point

_FINAL = ("completed", "failed", "canceled")
_UNFINISHED = 6
_CREATORS = 3
_DRAIN_SECONDS = 180
_RICH, _POOR = "storm@example.org", "drought@example.org"
_REST_SECONDS = 10.0
"""How long a worker is spared after one was killed: else nothing would ever be finished, and no money settled."""
_SMALL = {"api": 4, "point": 3}
_ALL = {"api": 1, "worker": 3, "point": 6, "serve": 1}
_CREATING = tuple(point for point in POINTS if point.startswith("create."))


class Seen(msgspec.Struct):
    """What the client saw. Everything in it was answered to it."""

    asked: int = 0
    tries: int = 0
    videos: dict[str, str] = {}
    """The id that was answered, by idempotency key."""
    ended: dict[str, str] = {}
    """The status of each finished video."""
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    errors: Counter[str] = msgspec.field(default_factory=Counter)
    kills: Counter[str] = msgspec.field(default_factory=Counter)
    freezes: Counter[str] = msgspec.field(default_factory=Counter)
    unfinished: int = 0
    wrong: list[str] = []

    def __str__(self) -> str:
        ended = Counter(self.ended.values())
        states = ", ".join(f"{ended[state]} {state}" for state in _FINAL)
        return (
            f"{self.kills.total()} kills, {self.freezes.total()} freezes, "
            f"{self.asked} creates: {len(self.videos)} accepted ({states}), "
            f"{self.refused.total()} refused; {self.tries - self.asked} tried again"
        )


def main() -> int:
    """Storm, then count."""
    asked = read_arguments()
    signal.signal(signal.SIGTERM, interrupt)
    random.seed(asked.seed)
    until = time.monotonic() + asked.minutes * 60
    seen = Seen()
    try:
        with Stage(quick=True) as stage:
            points = stage.folder / "points"
            points.mkdir()
            service = Service(
                stage, workers=2, lease_seconds="3", drain_seconds="5", log_level="error", kill_points=str(points)
            )
            with Proxy(service.database_url) as proxy:
                service.environment["SEEDANCE_DATABASE_URL"] = proxy.url
                service.start()
                keys = _make_accounts(service)
                stage.say(f"storm of {asked.kills} kills and {asked.freezes} freezes, seed {asked.seed}")
                try:
                    storm = Storm(stage, service, seen, points, kills=asked.kills, until=until)
                    asyncio.run(storm.run(keys, Freezes(service, proxy, seen.freezes, count=asked.freezes)))
                    return conclude(stage, service, seen, asked)
                finally:
                    if asked.log:
                        shutil.copy(service.log, asked.log)
    except KeyboardInterrupt:
        print(f"stopped after {seen}", file=sys.stderr)
        return 130


def read_arguments() -> argparse.Namespace:
    """The command line."""
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="bench.storm", description=about, epilog=more)
    parser.add_argument("--kills", type=int, default=100, help="how many [100]")
    parser.add_argument("--freezes", type=int, default=0, help="how many, beside the kills [0]")
    parser.add_argument("--minutes", type=float, default=15.0, help="the most that it may take [15]")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of what chance decides")
    parser.add_argument("--log", type=Path, help="keep the service's log there")
    asked = parser.parse_args()
    if not (1 <= asked.kills <= 10_000 and 0 <= asked.freezes <= 10_000 and 1 <= asked.minutes <= 24 * 60):
        parser.error("--kills must be 1 to 10000, --freezes 0 to 10000, --minutes 1 to 1440")
    return asked


def _make_accounts(service: Service) -> list[str]:
    """The keys of the account with enough money and of the one without. Both have limits, which count along."""
    keys: list[str] = []
    for email, money in ((_RICH, "1000"), (_POOR, "0.1")):
        key, key_id = service.account(email)
        service.command("account", "credit", email, money, "--reason", "for the storm")
        service.command("account", "limit", email, "--day", "2000", "--month", "3000")
        service.command("account", "limit", email, "--key", key_id, "--day", "2000", "--month", "3000")
        keys.append(key)
    return keys


class Storm:
    """Clients, pollers and the one who kills, until so many kills are done; then calm until all is final."""

    def __init__(self, stage: Stage, service: Service, seen: Seen, points: Path, *, kills: int, until: float) -> None:
        self._stage = stage
        self._service = service
        self._seen = seen
        self._points = points
        self._kills = kills
        self._calm_at = until - min(_DRAIN_SECONDS, 0.4 * (until - time.monotonic()))
        self._until = until
        self._worker_rests_until = 0.0
        self._over = asyncio.Event()
        self._watching: set[asyncio.Task[None]] = set()

    async def run(self, keys: list[str], freezes: Freezes) -> None:
        """The whole of it."""
        clients = [self._client(key) for key in keys]
        rich, poor = clients
        creators = [asyncio.create_task(self._create_on(rich, pause=0.1, most=_UNFINISHED)) for _ in range(_CREATORS)]
        creators.append(asyncio.create_task(self._create_on(poor, pause=0.4, most=_UNFINISHED + 2)))
        telling, reviving = asyncio.create_task(self._tell()), None
        freezing = asyncio.create_task(freezes.run(self._calm_at))
        try:
            await self._kill_on()
            await freezing
            self._over.set()
            self._stage.say("calm; waiting until everything is final")
            reviving = asyncio.create_task(self._revive_on())  # a crash loop may end it just after the last kill
            await asyncio.wait_for(asyncio.gather(*creators), max(1.0, self._until - time.monotonic()))
            while self._watching and time.monotonic() < self._until:
                await asyncio.wait(self._watching, timeout=5)
        except TimeoutError:
            self._seen.wrong.append("creates had no answer although the service was up again")
        finally:
            tasks = [*creators, telling, freezing, *([reviving] if reviving else []), *self._watching]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(client.aclose() for client in clients))

    def _client(self, key: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(base_url=self._service.url, headers=headers, timeout=20, trust_env=False)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(5)
            self._stage.say(str(self._seen))

    # The client

    async def _create_on(self, client: httpx.AsyncClient, *, pause: float, most: int) -> None:
        while not self._over.is_set():
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            if self._seen.unfinished < most:
                self._seen.unfinished += 1
                try:
                    await self._create(client)
                except BaseException:
                    self._seen.unfinished -= 1
                    raise

    async def _create(self, client: httpx.AsyncClient) -> None:
        """One create, until there is an answer. Whoever has one watches it to its end."""
        seen, key = self._seen, f"storm-{uuid.uuid4()}"
        seen.asked += 1
        answer = await self._post(client, key)
        if answer.status_code != 200:
            seen.unfinished -= 1
            return
        video = answer.json()["id"]
        seen.videos[key] = video
        if random.random() < 0.3:
            await self._repeat(client, key, video)
        watching = asyncio.create_task(self._watch(client, video, cancel=random.random() < 0.3))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    async def _repeat(self, client: httpx.AsyncClient, key: str, video: str) -> None:
        """The same request once more, as after a lost answer: it must be the same video."""
        answer = await self._post(client, key)
        found = answer.json().get("id") if answer.status_code == 200 else f"{answer.status_code} {code_of(answer)}"
        if found != video or "idempotent-replayed" not in answer.headers:
            self._seen.wrong.append(f"{key}: its repetition was answered with {found}, not with {video}")

    async def _post(self, client: httpx.AsyncClient, key: str) -> httpx.Response:
        """Send a create, again where that may help. The body is the key's own, for a twin would be noticed then."""
        body = SHORT | {"prompt": f"A kite in a storm, {key}", "metadata": {"key": key}}
        while True:
            self._seen.tries += 1
            answer = await self._send(client, "POST", "/v1/videos", json=body, headers={"Idempotency-Key": key})
            if answer.status_code == 200:
                return answer
            if answer.status_code < 500 and "retry-after" not in answer.headers:
                self._seen.refused[f"{answer.status_code} {code_of(answer)}"] += 1
                if answer.status_code != 402:
                    self._seen.wrong.append(f"{key}: refused with {answer.status_code} {code_of(answer)}")
                return answer
            await asyncio.sleep(random.uniform(0.2, 0.6))

    async def _send(self, client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
        """Send until something answers."""
        while True:
            try:
                answer = await client.request(method, path, **more)
            except httpx.TransportError as error:
                self._seen.errors[type(error).__name__] += 1
                await asyncio.sleep(random.uniform(0.1, 0.4))
                continue
            if answer.status_code >= 500:
                self._seen.errors[f"{answer.status_code} {code_of(answer)}"] += 1
            if answer.status_code == 500:
                self._seen.wrong.append(f"{method} {path}: 500, request {answer.headers.get('x-request-id')}")
            return answer

    async def _watch(self, client: httpx.AsyncClient, video: str, *, cancel: bool) -> None:
        """Ask until it is finished. A video that was answered once must be there at every later moment."""
        seen = self._seen
        if cancel:
            await self._send(client, "POST", f"/v1/videos/{video}/cancel")
        while True:
            answer = await self._send(client, "GET", f"/v1/videos/{video}")
            if answer.status_code == 200 and (status := answer.json()["status"]) in _FINAL:
                seen.ended[video] = status
                seen.unfinished -= 1
                if status == "failed":
                    seen.errors[f"failed {answer.json()['error']['code']}"] += 1
                return
            if answer.status_code < 500 and answer.status_code != 200:
                seen.wrong.append(f"{video}: asked for, and answered with {answer.status_code} {code_of(answer)}")
                return
            await asyncio.sleep(random.uniform(0.4, 0.8))

    # The storm

    async def _kill_on(self) -> None:
        """Kill until it is enough, or time to let everything become final."""
        kills, credited = self._seen.kills, 0
        while kills.total() < self._kills and time.monotonic() < self._calm_at:
            rests = time.monotonic() < self._worker_rests_until
            await asyncio.sleep(random.uniform(1.0, 4.0) if rests else random.uniform(0.3, 2.0))
            await self._revive()
            if kills.total() // 20 > credited:
                credited += 1
                command = ("account", "credit", _POOR, "0.05", "--reason", "rain", "--reference", f"rain {credited}")
                await asyncio.to_thread(self._service.command, *command)
            targets = _SMALL if rests else _ALL
            (target,) = random.choices(list(targets), weights=list(targets.values()))
            match target:
                case "api":
                    kills[target] += await asyncio.to_thread(_kill_one, self._service.apis())
                case "worker":
                    kills[target] += await asyncio.to_thread(_kill_one, self._service.worker())
                    self._spare_the_worker()
                case "serve":
                    await asyncio.to_thread(self._service.kill)
                    kills[target] += 1
                    self._spare_the_worker()
                case _:
                    await self._kill_at_point(random.choice(_CREATING if rests else POINTS))
        await self._revive()

    def _spare_the_worker(self) -> None:
        self._worker_rests_until = time.monotonic() + _REST_SECONDS

    async def _kill_at_point(self, point: Point) -> None:
        armed = self._points / point
        armed.touch()
        deadline = time.monotonic() + 4
        while armed.exists() and time.monotonic() < deadline:  # noqa: ASYNC110 a file that goes sets no event
            await asyncio.sleep(0.05)
        try:
            armed.unlink()
        except FileNotFoundError:
            self._seen.kills[f"at {point}"] += 1
            if point not in _CREATING:
                self._spare_the_worker()

    async def _revive_on(self) -> None:
        while True:
            await self._revive()
            await asyncio.sleep(1)

    async def _revive(self) -> None:
        """Start `serve` if it is not there: a supervisor's part. It ends by itself when its children die too often."""
        if self._service.is_running:
            return
        if self._service.gave_up:
            self._seen.errors["serve gave up"] += 1
            self._spare_the_worker()
        await asyncio.to_thread(self._service.kill)
        await asyncio.to_thread(self._service.start)


def _kill_one(processes: list[psutil.Process]) -> int:
    return int(bool(processes) and kill(random.choice(processes)))


def code_of(answer: httpx.Response) -> str:
    """The code of a refusal."""
    try:
        return answer.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return "without a code"


def conclude(stage: Stage, service: Service, seen: Seen, asked: argparse.Namespace) -> int:
    """Count everything and say what came out."""
    stage.say("asking the doctor")
    file = stage.folder / "accepted"
    file.write_text("".join(f"{video}\n" for video in seen.videos.values()))
    report = service.doctor(accepted=file)
    wrong = [*seen.wrong, *asyncio.run(_examine(service.database_url, seen)), *violations(report)]
    ended = Counter(seen.ended.values())
    tell("kills", f"{seen.kills.total()}: " + shown(seen.kills))
    tell("freezes", f"{seen.freezes.total()}: " + shown(seen.freezes))
    tell("creates", f"{seen.asked}, {seen.tries - seen.asked} tries more")
    tell("accepted", f"{len(seen.videos)}: " + ", ".join(f"{ended[state]} {state}" for state in _FINAL))
    tell("refused", shown(seen.refused))
    tell("met on the way", shown(seen.errors))
    tell("doctor", f"{report['violations']} violations in {report['checked']} invariants")
    well = judge(wrong, "every accepted create has its generation, each once, and every sum is right")
    is_short = seen.kills.total() < asked.kills or seen.freezes.total() < asked.freezes
    if is_short:
        done = f"{seen.kills.total()} of {asked.kills} kills and {seen.freezes.total()} of {asked.freezes} freezes"
        print(f"the time was over after {done}", file=sys.stderr)
    return 1 if not well else 2 if is_short else 0


def shown(counter: Counter[str]) -> str:
    """Counts, the most frequent first."""
    return ", ".join(f"{number} × {name}" for name, number in counter.most_common() if number) or "none"


async def _examine(url: str, seen: Seen) -> list[str]:
    """What only this client can know: one generation for each of its keys, and an end to everything."""
    connection = await asyncpg.connect(url)
    try:
        twice = await connection.fetch(
            "SELECT metadata ->> 'key' AS key, count(*) AS n FROM generation GROUP BY 1 HAVING count(*) > 1"
        )
        found = await connection.fetch("SELECT id, metadata ->> 'key' AS key FROM generation")
        made = {one["id"]: one["key"] for one in found}
        open_ones = await connection.fetch(
            "SELECT id, state, tries, due_at - now() AS due, claimed_until - now() AS claimed FROM generation"
            " WHERE finished_at IS NULL"
        )
    finally:
        await connection.close()
    return [
        *(f"{one['key']}: made {one['n']} generations" for one in twice),
        *(f"{key}: answered with {one}, which is not there" for key, one in seen.videos.items() if one not in made),
        *(f"{one}: nobody was ever told of it" for one, key in made.items() if key not in seen.videos),
        *(
            f"{one['id']}: never finished, {one['state']} after {one['tries']} tries, due in {one['due']}, "
            f"claimed for {one['claimed']}"
            for one in open_ones
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
