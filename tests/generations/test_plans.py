"""The statements that run all the time must walk an index, however many rows there are."""

import re
from pathlib import Path

from generations.kit import owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.generations import queries

SQL = "\n".join(path.read_text() for path in sorted(Path(queries.__file__).parent.glob("*.py")))
FILL = """
INSERT INTO generation (id, account_id, key_id, livemode, provider, model, params, metadata, keep_seconds,
                        quoted_tokens, deadline_at, state, finished_at)
SELECT 'vid_' || lpad(n::text, 26, '0'), $1, $2, false, 'sandbox', 'm', '{}', '{}', 3600, 0, now(),
       CASE WHEN n % 100 = 0 THEN 'queued' WHEN n % 100 = 1 THEN 'running' ELSE 'completed' END,
       CASE WHEN n % 100 > 1 THEN now() END
FROM generate_series(1, 30000) AS n
"""


def statement(name: str) -> str:
    """The first statement of a query function, or a constant."""
    body = re.split(rf"async def {name}\(|{name} = ", SQL, maxsplit=1)[1]
    return next(
        text for text in re.findall(r'"""(.*?)"""', body, re.DOTALL) if re.match(r"\s*(SELECT|UPDATE|WITH)", text)
    )


async def plan(db: Database, sql: str, *values: object) -> str:
    async with db.pool.acquire() as connection:
        lines = await connection.fetch(f"EXPLAIN {sql}", *values)
    return "\n".join(line[0] for line in lines)


def test_no_hot_statement_scans_a_table(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await db.pool.execute(FILL, me.account_id, me.key_id)
        await db.pool.execute("ANALYZE")
        page = (me.account_id, False, None, None, None, None, None, 20)
        for name, values in {
            "seen_by_ids": (["vid_" + "0" * 26],),
            "_PAGE_DOWN": page,
            "_PAGE_UP": page,
            "claim": (["vid_x"], 30.0),
            "claim_checks": ("sandbox", 500, 15.0),
            "running_attempt": ("att_x",),
            "seconds_to_check": ("sandbox",),
            "next_in_queue": ("sandbox", ["m"], [8], 8, 8),
            "reroute": ("sandbox", "other", ["m"], None),
            "uncovered_steps": (500,),
            "overdue_in_queue": (500,),
            "providers_with_queue": (),
            "providers_at_work": (),
        }.items():
            found = await plan(db, statement(name), *values)
            assert "Seq Scan on generation " not in found, f"{name}\n{found}"
            if name.startswith("_PAGE"):
                assert re.search(r"Limit .*\n *->  Index Scan", found), f"{name}\n{found}"

    with_database(database_url, verb)
