"""What the tests of upstreams' faults share: a service that makes live videos at a fake Ark, and what must be so at the
end of each: how often it was created upstream, what the customer paid, and that nothing is held for ever."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx

import forkserver
from fakes.ark.run import FakeArk
from faults.kit import FINAL, do, reaches
from faults.outcome import Outcome, paid, unpaid
from security.attack import log, rows
from seedance_api.accounts import create as accounts
from seedance_api.doctor.examine import examine
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.foundation.objects import open_store
from stage import Service, free_port, until

MAIN = "seedance-2.0-mini"
DRAFTS = "seedance-2.5"
"""It makes drafts."""
CROWD = "seedance-2.0"
"""Many of it may be under way at once."""
ORDER = {"model": MAIN, "duration": 4, "resolution": "480p"}
KEY = "A_FAKE_KEY"
HTML = "<html><body>Bad gateway</body></html>"
AGES = "4 minutes"
"""Longer than a new task may take to show in Ark's list."""
_SHARP: dict[str, Any] = {"rpm": 0, "concurrency": 0, "enforce_budgets": False, "seconds": (20, 20)}
_UNFINISHED = """
    SELECT g.id, g.state, g.tries, g.due_at - now() AS due, g.claimed_until - now() AS claimed, a.state AS attempt
    FROM generation g LEFT JOIN attempt a ON a.generation_id = g.id AND a.resolved_at IS NULL
    WHERE g.id = ANY ($1) AND g.finished_at IS NULL
"""
_numbers = itertools.count(1)


def fast_fake(**options: Any) -> FakeArk:
    """A fake whose videos take a tenth of a second, and that minds no limits."""
    return FakeArk(speed=200, **(_SHARP | options))


def table(name: str, url: str, *models: str, region: str = "ap", **more: str) -> str:
    """An upstream, as its file describes it."""
    lines = [f"{key} = {value}" for key, value in more.items()]
    return "\n".join([
        f"[upstreams.{name}]", 'kind = "ark"', 'cloud = "byteplus"', f'base_url = "{url}"', 'region = "somewhere"',
        f'data_region = "{region}"', 'legal_entity = "Fake Ltd."', f'key_env = "{KEY}"',
        'allow_networks = ["127.0.0.0/8"]', "list_a_second = 50", f"models = {list(models)}", *lines, "",
    ])  # fmt: skip


class Live:
    """A service whose live videos come from upstreams, with a live key and money.

    `tables` are those of the file of upstreams; `fakes` are where creates are counted.
    """

    def __init__(
        self, database_url: str, folder: Path, tables: str, *fakes: FakeArk,
        environment: Mapping[str, str] | None = None, launcher: Sequence[str] = (), **settings: str,
    ) -> None:  # fmt: skip
        file, port = folder / "upstreams.toml", free_port("127.0.0.1")
        file.write_text(tables.replace("'", '"'))
        self.fakes = fakes
        settings = {"upstreams": str(file), "public_url": f"http://127.0.0.1:{port}", "lease_seconds": "2"} | settings
        self.service = Service(database_url, folder, started=False, port=port, launcher=launcher, **settings)
        self.service.environment |= {KEY: fakes[0].key} | dict(environment or {})
        self.service.start()
        self.url = database_url
        self.service.account = self.service.new_account()
        self.service.key = self.service.new_key("live")
        self.service.credit("1000")
        self.accepted: list[str] = []
        self._read = 0

    def create(self, prompt: str, **fields: object) -> str:
        """A live generation, accepted."""
        with self.service.client() as client:
            answer = client.post("/v1/videos", json=ORDER | {"prompt": prompt} | fields)
        assert answer.status_code == 200, answer.text
        self.accepted.append(answer.json()["id"])
        return self.accepted[-1]

    def fault(self, on: str, what: Mapping[str, object], *, times: int | None = None, fake: int = 0) -> str:
        """A rule for one video; returns the prompt to create it with."""
        prompt = f"fault {next(_numbers)}."
        self.fakes[fake].faults({"on": on, "times": times, "match": {"prompt": prompt}, "do": dict(what)})
        return prompt

    def creates(self, prompt: str, fake: int = 0) -> list[dict[str, Any]]:
        """The creates that a fake saw of a video."""
        calls: list[dict[str, Any]] = self.fakes[fake].calls("create", limit=2000)["calls"]
        return [one for one in calls if prompt in str(one["body"])]

    def task(self, prompt: str, fake: int = 0) -> str:
        """The id of the task that was made of a video."""
        made = [one["task_id"] for one in self.creates(prompt, fake) if one["task_id"]]
        assert len(made) == 1, made
        return made[0]

    def reaches(self, video: str, *states: str, seconds: float = 90) -> str:
        """Wait until it is in one of these states."""
        return reaches(self.service, video, *states, seconds=seconds)

    def attempt(self, video: str, *states: str, seconds: float = 90) -> asyncpg.Record:
        """Wait until its newest attempt is in one of these states."""
        sql = "SELECT * FROM attempt WHERE generation_id = $1 ORDER BY id DESC LIMIT 1"
        found: list[asyncpg.Record] = []

        def look() -> bool:
            found[:] = [one for one in rows(self.url, sql, video) if one["state"] in states]
            return bool(found)

        until(look, seconds)
        return found[0]

    def rows_of(self, videos: list[str]) -> list[asyncpg.Record]:
        """Their rows."""
        return rows(self.url, "SELECT * FROM generation WHERE id = ANY ($1)", videos)

    def age(self, video: str, interval: str = AGES) -> None:
        """Let time pass since its open attempt was sent."""
        ago = f"interval '{interval}'"
        sql = f"UPDATE attempt SET sent_at = sent_at - {ago} WHERE generation_id = $1 AND resolved_at IS NULL"
        do(self.url, sql, video)
        sql = """
            UPDATE attempt SET operation = operation || jsonb_build_object('at', (operation ->> 'at')::bigint - 240)
            WHERE generation_id = $1 AND operation IS NOT NULL
        """
        do(self.url, sql, video)

    def expire(self, *videos: str) -> None:
        """Let their deadlines come."""
        self._push("UPDATE generation SET deadline_at = now(), due_at = now() WHERE id = ANY ($1) RETURNING id", videos)

    def hurry(self, *videos: str) -> None:
        """Let the waits before their next steps be over."""
        sql = """
            UPDATE generation SET due_at = now()
            WHERE id = ANY ($1) AND state IN ('submitting', 'storing') AND claimed_until IS NULL AND due_at > now()
            RETURNING id
        """
        self._push(sql, videos)

    def look(self, video: str) -> None:
        """Have its upstream asked about it now."""
        sql = "SELECT id FROM attempt WHERE generation_id = $1 AND state = 'acknowledged'"
        self._push(sql, video, job="look")

    def watch(self, provider: str) -> None:
        """Have everything that runs there asked about now."""
        sql = """
            UPDATE attempt SET check_at = now() WHERE id IN (
                SELECT id FROM attempt WHERE provider = $1 AND state = 'acknowledged' ORDER BY id FOR UPDATE SKIP LOCKED
            )
        """
        do(self.url, sql, provider)
        self._push("SELECT $1::text AS id", provider, job="watch")

    def met(self, on: str, ask: Callable[[], None]) -> None:
        """Ask until every rule for these calls was met."""

        def all_met() -> bool:
            ask()
            time.sleep(0.1)
            return all(one["used"] for one in self.fakes[0].rules() if one["rule"]["on"] == on)

        until(all_met, 60)

    def dispatch(self, provider: str) -> None:
        """Have its queue looked at now."""
        self._push("SELECT $1::text AS id", provider, job="dispatch")

    def _push(self, sql: str, which: object, job: str = "advance") -> None:
        async def run() -> None:
            db = await Database.connect(self.url, max_connections=1)
            try:
                async with db.transaction() as connection:
                    found = await connection.fetch(sql, list(which) if isinstance(which, tuple) else which)
                    await jobs.enqueue(connection, job, [one["id"] for one in found])
            finally:
                await db.close()

        asyncio.run(run())

    def ends(self, *videos: str, hurried: bool = False, seconds: float = 100) -> list[Outcome]:
        """What becomes of them. `hurried`: without the waits between two tries."""
        sql = "SELECT count(*) AS n FROM generation WHERE id = ANY ($1) AND state = ANY ($2)"

        def all_over() -> bool:
            if hurried:
                self.hurry(*videos)
            return rows(self.url, sql, list(videos), list(FINAL))[0]["n"] == len(videos)

        try:
            until(all_over, seconds)
        except AssertionError:
            raise AssertionError([tuple(row) for row in rows(self.url, _UNFINISHED, list(videos))]) from None
        return [Outcome(self.url, one) for one in videos]

    def completed(self, video: str, prompt: str, *, creates: int = 1, fake: int = 0, hurried: bool = False) -> Outcome:
        """It is completed, was created so often at that fake, and is charged once; returns its books."""
        (found,) = self.ends(video, hurried=hurried)
        paid(found)
        assert len(self.creates(prompt, fake)) == creates, self.creates(prompt, fake)
        with self.service.client() as client:
            content = client.get(f"/v1/videos/{video}/content")
        assert content.status_code == 200
        assert content.content[4:8] == b"ftyp"
        return found

    def failed(self, video: str, prompt: str, code: str, *, creates: int = 1, hurried: bool = False) -> Outcome:
        """It failed for this reason, was created so often upstream, and costs nothing; returns its books."""
        (found,) = self.ends(video, hurried=hurried)
        unpaid(found, code)
        assert len(self.creates(prompt)) == creates, self.creates(prompt)
        return found

    def gates(self, provider: str) -> list[asyncpg.Record]:
        """What is known of an upstream's health."""
        sql = "SELECT *, extract(epoch FROM closed_until - now())::float8 AS seconds FROM gate WHERE provider = $1"
        return rows(self.url, sql, provider)

    def closed(self, provider: str, prompt: str | None = None) -> asyncpg.Record:
        """Wait until its gate is closed, and all creates of a storm so far are known to have failed; returns it."""
        found: list[asyncpg.Record] = []

        def look() -> bool:
            made = None if prompt is None else len(self.creates(prompt))
            found[:] = [one for one in self.gates(provider) if (one["seconds"] or 0) > 0.3]
            return any(made in (None, one["failures"]) for one in found)

        until(look, 20)
        return max(found, key=lambda one: one["failures"])

    def reopen(self, provider: str, *, forget: bool = False) -> None:
        """Let the time be over for which its gates are closed; or forget the trouble altogether."""
        if forget:
            do(self.url, "DELETE FROM gate WHERE provider = $1", provider)
        else:
            do(self.url, "UPDATE gate SET closed_until = now() WHERE provider = $1 AND closed_until > now()", provider)

    def allow(self, *regions: str) -> None:
        """Say where the account's data may go; everywhere when none is named."""
        email = self.service.account["email"]

        async def run() -> None:
            db = await Database.connect(self.url, max_connections=1)
            try:
                await accounts.set_regions(db, email, regions or None)
            finally:
                await db.close()

        asyncio.run(run())

    def reconcile(self) -> None:
        """Compare the books with the upstreams', as an operator does; the command fails where they differ."""
        done = forkserver.run(["doctor", "--reconcile", "--hours", "1", "--json"], self.service.environment)
        assert done.returncode in (0, 1), done.stderr.decode()

    def post(self, url: str, body: object) -> int:
        """A callback, from somebody; returns the status of its answer."""
        return httpx.post(url, json=body, timeout=20, trust_env=False).status_code

    def is_sound(self, *, crashes: int = 0) -> None:
        """The invariants hold, and nothing has crashed since this was asked last."""

        async def run() -> list[str]:
            db = await Database.connect(self.url, max_connections=2)
            try:
                store = open_store(None, self.service.folder / "data" / "objects")
                found = await examine(db, store, accepted=self.accepted, tell=lambda _: None)
                return [line for one in found for line in one.violations]
            finally:
                await db.close()

        assert asyncio.run(run()) == []
        said, self._read = log(self.service)[self._read :], len(log(self.service))
        bad = [line for line in said.splitlines() if any(word in line for word in _CRASHES)]
        assert len(bad) == crashes, bad

    def stop(self) -> None:
        """The end: the doctor finds nothing."""
        try:
            self.service.doctor()
        finally:
            if self.service.process.poll() is None:
                assert self.service.stop() == 0


_CRASHES = ("job.failed", "request.failed", "watch.failed", "store.failed", "Traceback")
