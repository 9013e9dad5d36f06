"""Creates that take money: `POST /v1/videos` with a live key, beside the same service without money, and pgbench."""

import asyncio
import itertools
import re

import uvloop

from bench.batching import CALLERS, Call, count
from bench.creates import CONNECTIONS, pgbench, write_script
from bench.figures import Figure, ratios, take_turns
from bench.plain import PlainWriter
from bench.seed import compose, renew
from bench.stage import Ground, Server, Stage
from seedance_api.doctor.check import check
from seedance_api.doctor.invariants import INVARIANTS
from seedance_api.foundation.db import Database
from seedance_api.generations.write import Writer

_SUMS = ("INV-1", "INV-2")
"""The ledger, the wallets, the limits. The other invariants ask what a create alone cannot break."""
_FEW = 4
"""Connections of one account wait for each other, so pgbench alone does better with few of them."""
_HOT = (
    "`POST /v1/videos` (JSON, live key, an `Idempotency-Key` each, no worker) at concurrency "
    f"{CONNECTIONS} on one account, which has limits for the day and for the month, as its key has. Each notes its "
    "key, moves the wallet and four limits, and writes a hold and a transfer"
)


def measure(stage: Stage) -> list[Figure]:
    """Through HTTP, then through the writer alone. What is counted in the end must be right to the micro-dollar."""
    ours, bare, raw = stage.ground(), stage.ground(), stage.ground()
    found = _through_http(stage, ours, bare, raw)
    written = _through_writer(stage, ours, bare)
    asyncio.run(_verify(ours, bare))
    return [*_http_figures(found), _writer_figure(written)]


def _through_http(stage: Stage, ours: Ground, bare: Ground, raw: Ground) -> dict[str, list[float]]:
    script = raw.data / "create.sql"
    script.write_text(asyncio.run(write_script(raw, live=True)))
    money, plain = stage.serve_alone("seedance_api.app.answer:api", ours), stage.serve_alone("bench.plain:api", bare)
    seconds = stage.seconds(5, 2)
    runs = itertools.count()

    def run(server: Server, ground: Ground) -> float:
        arguments = ("create", str(next(runs)), "keys")
        return stage.wrk(server.url, ground.live_key, *arguments, connections=CONNECTIONS, seconds=seconds).rate

    def run_pgbench(connections: int) -> float:
        output = pgbench(stage, raw, script, connections, seconds)
        match = re.search(r"tps = ([\d.]+)", output)
        assert match, output
        return float(match[1])

    try:
        for server, ground in ((money, ours), (plain, bare)):
            stage.wrk(server.url, ground.live_key, "create", str(next(runs)), "keys", connections=8, seconds=1)
        stage.say(f"creates of one account over {CONNECTIONS} connections, a second")
        return take_turns(
            stage.rounds,
            stage.say,
            money=lambda: run(money, ours),
            plain=lambda: run(plain, bare),
            pgbench=lambda: run_pgbench(CONNECTIONS),
            pgbench_few=lambda: run_pgbench(_FEW),
        )
    finally:
        money.stop()
        plain.stop()


def _through_writer(stage: Stage, ours: Ground, bare: Ground) -> dict[str, list[float]]:
    seconds = stage.seconds(3, 1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        dbs = [runner.run(Database.connect(ground.url)) for ground in (ours, bare)]
        money, plain = _callers(Writer(dbs[0]), ours), _callers(PlainWriter(dbs[1]), bare)

        def run(calls: list[Call]) -> float:
            return runner.run(count(calls, seconds)) / seconds

        try:
            stage.say(f"the same by {CALLERS} callers of the writer, a second")
            return take_turns(stage.rounds, stage.say, money=lambda: run(money), plain=lambda: run(plain))
        finally:
            for db in dbs:
                runner.run(db.close())


def _callers(write: Writer, ground: Ground) -> list[Call]:
    template = compose(ground, live=True)

    async def call() -> None:
        created = await write(renew(template))
        assert created.seen is not None, "each is another one"

    return [call] * CALLERS


async def _verify(ours: Ground, bare: Ground) -> None:
    """A rate counts only when every create took its money, and when the other side took none."""
    counted = {ground.url: await _counts(ground) for ground in (ours, bare)}
    made, *beside = counted[ours.url]
    assert made > 0, "nothing was created"
    assert beside == [made] * 3, f"{made} creates have so many notes, holds and transfers: {beside}"
    made, *beside = counted[bare.url]
    assert made > 0, "nothing was created"
    assert beside == [0] * 3, f"{made} creates without money have so many notes, holds and transfers: {beside}"
    db = await Database.connect(ours.url, max_connections=2)
    try:
        findings = [await check(db, one) for one in INVARIANTS if one.name in _SUMS]
    finally:
        await db.close()
    wrong = [line for one in findings for line in one.violations]
    assert not wrong, wrong


async def _counts(ground: Ground) -> list[int]:
    db = await Database.connect(ground.url, max_connections=2)
    try:
        return [
            await db.fetchval("SELECT count(*) FROM generation"),
            await db.fetchval("SELECT count(*) FROM idempotency"),
            await db.fetchval("SELECT count(*) FROM hold"),
            await db.fetchval("SELECT count(*) FROM transfer WHERE kind = 'hold'"),
        ]
    finally:
        await db.close()


def _http_figures(found: dict[str, list[float]]) -> list[Figure]:
    money = found["money"]
    return [
        Figure(
            name="creates with money over creates without",
            how=f"{_HOT}; over the same requests to the same service without idempotency and without money: no "
            "fingerprint, no search for the key, no price, no note, no hold (`bench/plain.py`)",
            values=ratios(money, found["plain"]),
            sides={"with money": money, "without": found["plain"]},
            side_unit="creates/s",
            bar=0.75,
        ),
        Figure(
            name="creates of one hot account",
            how=f"{_HOT}. Load generator, database and server share the machine",
            values=money,
            unit="creates/s",
            bar=1500,
        ),
        Figure(
            name="creates of one hot account over pgbench",
            how=f"{_HOT}; over pgbench running the statements of one such create in one transaction each, prepared, "
            f"{CONNECTIONS} connections, which wait for each other at the wallet; ours puts many into one transaction",
            values=ratios(money, found["pgbench"]),
            sides={"ours": money, "pgbench": found["pgbench"], f"pgbench, {_FEW} connections": found["pgbench_few"]},
            side_unit="creates/s",
        ),
    ]


def _writer_figure(found: dict[str, list[float]]) -> Figure:
    return Figure(
        name="batched creates with money over without",
        how=f"{CALLERS} callers in one process that share the product's writer, each create with a key and a hold on "
        "one account, over as many that share the writer without either; no web server",
        values=ratios(found["money"], found["plain"]),
        sides={"with money": found["money"], "without": found["plain"]},
        side_unit="creates/s",
    )
