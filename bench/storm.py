"""Kill, freeze and stop things while money is taken, and count afterwards: `python -m bench.storm --kills 100`.

Starts a service of its own with two API processes, creates short videos with a live key as a good client does (an
idempotency key each, tried again until there is an answer), and meanwhile kills API processes, the worker, now and then
the whole `serve`, and whoever comes by at one of the places between two steps (`foundation/kill_points.py`). With
`--freezes` it stops processes beside that for 2 to 60 s (SIGSTOP, as a host that swaps or migrates does), ends
backends of PostgreSQL, and lets every connection to PostgreSQL fall silent while new ones pass. With `--stops`
PostgreSQL itself is stopped at once every 5 to 20 s, as by `pg_ctl stop -m immediate`, and is back after 0 to 5 s;
`--light` adds clients whose orders cost no render, so that thousands meet it. A second account has money for a few
videos only, so most of its creates are refused. In the end everything must become final, and `doctor --invariants` is
asked with every id that was ever answered. Exit codes: 0 all is well, 1 something is lost or
wrong, 2 the time was over before all of it was done.
"""

import argparse
import asyncio
import random
import shutil
import signal
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import asyncpg
import httpx
import psutil

from bench.__main__ import interrupt
from bench.customers import FINAL, Customers, Seen
from bench.freezes import Freezes, Proxy
from bench.race import judge, tell
from bench.service import Service, kill, violations
from bench.stage import Stage
from bench.stops import Stops
from seedance_api.foundation.kill_points import POINTS, Point

_UNFINISHED = 6
_CREATORS = 3
_DRAIN_SECONDS = 180
_RICH, _POOR = "storm@example.org", "drought@example.org"
_REST_SECONDS = 10.0
"""How long a worker is spared after one was killed: else nothing would ever be finished, and no money settled."""
_SMALL = {"api": 4, "point": 3}
_ALL = {"api": 1, "worker": 3, "point": 6, "serve": 1}
_CREATING = tuple(point for point in POINTS if point.startswith("create."))


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
                stage.say(
                    f"storm of {asked.kills} kills, {asked.freezes} freezes, {asked.stops} stops, seed {asked.seed}"
                )
                try:
                    stops = Stops(stage.folder / "postgres", seen.stops, count=asked.stops)
                    storm = Storm(stage, service, seen, points, stops, kills=asked.kills, until=until)
                    freezes = Freezes(service, proxy, seen.freezes, count=asked.freezes)
                    asyncio.run(storm.run(keys, freezes, light=asked.light))
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
    parser.add_argument("--stops", type=int, default=0, help="how many of PostgreSQL, beside the kills [0]")
    parser.add_argument("--light", type=int, default=0, help="how many clients whose orders are not rendered [0]")
    parser.add_argument("--minutes", type=float, default=15.0, help="the most that it may take [15]")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of what chance decides")
    parser.add_argument("--log", type=Path, help="keep the service's log there")
    asked = parser.parse_args()
    if not all(0 <= many <= 10_000 for many in (asked.kills, asked.freezes, asked.stops)):
        parser.error("--kills, --freezes and --stops must be 0 to 10000")
    if not (0 <= asked.light <= 100 and 1 <= asked.minutes <= 24 * 60):
        parser.error("--light must be 0 to 100, --minutes 1 to 1440")
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

    def __init__(
        self, stage: Stage, service: Service, seen: Seen, points: Path, stops: Stops, *, kills: int, until: float
    ) -> None:
        self._stage = stage
        self._service = service
        self._seen = seen
        self._points = points
        self._stops = stops
        self._kills = kills
        self._calm_at = until - min(_DRAIN_SECONDS, 0.4 * (until - time.monotonic()))
        self._until = until
        self._worker_rests_until = 0.0
        self._over = asyncio.Event()
        self._customers = Customers(seen, self._over)

    async def run(self, keys: list[str], freezes: Freezes, *, light: int) -> None:
        """The whole of it."""
        clients = [self._client(key) for key in keys]
        creators = self._create_on(*clients, light)
        telling, reviving = asyncio.create_task(self._tell()), None
        beside = [asyncio.create_task(one.run(self._calm_at)) for one in (freezes, self._stops)]
        try:
            await self._kill_on()
            reviving = asyncio.create_task(self._revive_on())  # a crash loop may end it just after the last kill
            await asyncio.gather(*beside)
            self._over.set()
            self._stage.say("calm; waiting until everything is final")
            await asyncio.wait_for(asyncio.gather(*creators), max(1.0, self._until - time.monotonic()))
            while self._customers.watching and time.monotonic() < self._until:
                await asyncio.wait(self._customers.watching, timeout=5)
        except TimeoutError:
            self._seen.wrong.append("creates had no answer although the service was up again")
        finally:
            tasks = [*creators, telling, *beside, *([reviving] if reviving else []), *self._customers.watching]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(client.aclose() for client in clients))

    def _create_on(self, rich: httpx.AsyncClient, poor: httpx.AsyncClient, light: int) -> list[asyncio.Task[None]]:
        customers = self._customers
        creators = [customers.create_on(rich, pause=0.1, max_unfinished=_UNFINISHED) for _ in range(_CREATORS)]
        creators.append(customers.create_on(poor, pause=0.4, max_unfinished=_UNFINISHED + 2))
        creators += [customers.create_in_turn(rich) for _ in range(light)]
        return [asyncio.create_task(one) for one in creators]

    def _client(self, key: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(base_url=self._service.url, headers=headers, timeout=20, trust_env=False)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(5)
            self._stage.say(str(self._seen))

    async def _kill_on(self) -> None:
        """Kill until it is enough, or time to let everything become final."""
        kills, credited = self._seen.kills, 0
        while kills.total() < self._kills and time.monotonic() < self._calm_at:
            rests = time.monotonic() < self._worker_rests_until
            await asyncio.sleep(random.uniform(1.0, 4.0) if rests else random.uniform(0.3, 2.0))
            await self._revive()
            if kills.total() // 20 > credited:
                credited += await self._let_it_rain(f"rain {credited + 1}")
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

    async def _let_it_rain(self, reference: str) -> bool:
        """Some money for those who have none; False when it has to be tried again."""
        command = ("account", "credit", _POOR, "0.05", "--reason", "rain", "--reference", reference)
        since = time.monotonic()
        try:
            await asyncio.to_thread(self._service.command, *command)
        except RuntimeError:
            if self._stops.was_away(since):
                return False
            raise
        return True

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
        since = time.monotonic()
        try:
            await asyncio.to_thread(self._service.start)
        except RuntimeError:
            if not self._stops.was_away(since):
                raise
            self._seen.errors["serve did not start"] += 1


def _kill_one(processes: list[psutil.Process]) -> int:
    return int(bool(processes) and kill(random.choice(processes)))


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
    tell(
        "stops",
        f"{len(seen.stops)}: away for {statistics.median(seen.stops or [0]):.1f} s (median), "
        f"{max(seen.stops, default=0):.1f} s at most, {sum(seen.stops):.0f} s in all",
    )
    tell("creates", f"{seen.asked}, {seen.tries - seen.asked} tries more")
    tell("accepted", f"{len(seen.videos)}: " + ", ".join(f"{ended[state]} {state}" for state in FINAL))
    tell("refused", shown(seen.refused))
    tell("met on the way", shown(seen.errors))
    tell("doctor", f"{report['violations']} violations in {report['checked']} invariants")
    well = judge(wrong, "every accepted create has its generation, each once, and every sum is right")
    counts = {
        "kills": (seen.kills.total(), asked.kills),
        "freezes": (seen.freezes.total(), asked.freezes),
        "stops": (len(seen.stops), asked.stops),
    }
    is_short = any(done < wanted for done, wanted in counts.values())
    if is_short:
        did = ", ".join(f"{done} of {wanted} {name}" for name, (done, wanted) in counts.items())
        print(f"the time was over after {did}", file=sys.stderr)
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
