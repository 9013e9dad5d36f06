"""What runs for every delivery must walk an index, however much is pending or kept."""

import re
from datetime import UTC, datetime
from pathlib import Path

from generations.kit import owner, with_database
from seedance_api import webhooks
from seedance_api.foundation.db import Database
from webhooks.kit import endpoint, happen

SQL = "".join(path.read_text() for path in sorted(Path(str(webhooks.__file__)).parent.glob("*_queries.py")))


def statement(name: str) -> str:
    """The first statement of a query function."""
    body = re.split(rf"async def {name}\(", SQL, maxsplit=1)[1]
    return next(
        text for text in re.findall(r'"""(.*?)"""', body, re.DOTALL) if re.match(r"\s*(SELECT|UPDATE|WITH)", text)
    )


def test_no_hot_statement_scans_what_is_pending_or_kept(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        mine = await endpoint(db, me, "https://a.example/")
        await happen(db, me)
        await db.execute(
            """
            WITH m AS (SELECT now() - n * interval '1 second' AS moment FROM generate_series(1, 30000) n),
                e AS (
                    INSERT INTO event SELECT event_id(moment), account_id, livemode, type, data, moment
                    FROM m, (SELECT * FROM event LIMIT 1) one RETURNING *
                )
            INSERT INTO delivery (endpoint_id, event_id, account_id, livemode)
            SELECT $1, id, account_id, livemode FROM e
            """,
            mine,
        )
        await db.execute("ANALYZE")
        now = datetime.now(UTC)
        for name, values in {
            "claim": ([mine], [4], 4, 5, 45.0),
            "deliveries_arrived": ([mine] * 64, [f"evt_{n}" for n in range(64)], [now] * 64, [{}] * 64),
            "waiting": ("", 1000),
            "let_go": ([mine], 64),
            "events_until": (me.account_id, True, None, now, None, 20),
            "deliveries_page": (mine, None, None, 20),
        }.items():
            async with db.pool.acquire() as connection:
                lines = await connection.fetch(f"EXPLAIN {statement(name)}", *values)
            found = "\n".join(line[0] for line in lines)
            assert "Seq Scan on delivery_rest" not in found, f"{name}\n{found}"
            assert "Seq Scan on event_rest" not in found, f"{name}\n{found}"

    with_database(database_url, verb)
