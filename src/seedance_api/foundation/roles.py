"""Roles: what each kind of process needs of the database and nothing above it, as groups that users are put into.

`seedance_api` is for the API and the worker: it owns nothing, changes no schema, and cannot change or delete what is
only ever added to: the ledger, price books, receipts of deletions, events, the request log. `seedance_analytics` reads
the aggregates and nothing else. The owner's user needs none of them.
"""

from collections.abc import Mapping

import asyncpg

from seedance_api.foundation.db import Connection

API, ANALYTICS = "seedance_api", "seedance_analytics"
AGGREGATES = ("analytics", "analytics_day")
GRANTS: Mapping[str, str] = {
    "account": "INSERT, UPDATE",
    "analytics": "INSERT, DELETE",
    "analytics_day": "INSERT, DELETE",
    "api_key": "INSERT, UPDATE",
    "asset": "INSERT, UPDATE, DELETE",
    "asset_permission": "INSERT, UPDATE",
    "attempt": "INSERT, UPDATE",
    "content": "INSERT, UPDATE",
    "credit_grant": "INSERT, UPDATE",
    "deletion": "INSERT",
    "delivery": "INSERT, UPDATE, DELETE",
    "delivery_rest": "DELETE",
    "discrepancy": "INSERT, UPDATE",
    "duration": "INSERT, UPDATE",
    "event": "INSERT",
    "event_rest": "DELETE",  # of the days that have no partition to be dropped
    "file": "INSERT, UPDATE, DELETE",
    "gate": "INSERT, UPDATE",
    "generation": "INSERT, UPDATE",
    "generation_input": "INSERT, DELETE",
    "generation_media": "INSERT, DELETE",
    "hold": "INSERT, UPDATE",
    "idempotency": "INSERT, UPDATE, DELETE",
    "installation": "INSERT, UPDATE",
    "installation_setting": "INSERT, UPDATE",
    "key_network": "INSERT, UPDATE, DELETE",
    "ledger": "",
    "listener": "INSERT, UPDATE, DELETE",
    "migration": "",
    "notice": "INSERT, UPDATE",
    "pending": "INSERT, UPDATE",
    "pgqueuer": "INSERT, UPDATE, DELETE",
    "pgqueuer_log": "INSERT, UPDATE, DELETE",
    "pgqueuer_schedules": "INSERT, UPDATE, DELETE",
    "pgqueuer_statistics": "INSERT, UPDATE, DELETE",
    "price_book": "INSERT",
    "request_hour": "INSERT, UPDATE, DELETE",
    "request_log": "INSERT, UPDATE (address)",  # which is truncated in time
    "request_log_rest": "UPDATE (address), DELETE",
    "slo": "INSERT, UPDATE, DELETE",
    "spending_limit": "INSERT, UPDATE, DELETE",
    "transfer": "INSERT",
    "turn": "INSERT, UPDATE",
    "unowned_object": "INSERT, UPDATE, DELETE",
    "usage": "INSERT, UPDATE",
    "wallet": "INSERT, UPDATE",
    "webhook_endpoint": "INSERT, UPDATE, DELETE",
    "webhook_secret": "INSERT, UPDATE, DELETE",
}
"""What the API and the worker do to each table and view, besides reading it. A test compares it with their SQL."""
_FUNCTIONS = (
    "make_day(text, date, text, text)",
    "drop_day(text, date)",
    "refuse_addresses(date)",
    "check_addresses(date)",
)


def statements() -> list[str]:
    """The grants, each a statement; run again they change nothing. They go by the schema that a session works in."""
    both = f"{API}, {ANALYTICS}"
    return [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {{schema}} FROM {both}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {{schema}} FROM {both}",
        f"GRANT USAGE ON SCHEMA {{schema}} TO {both}",
        # the clock of events is set to the machine's as well
        f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {{schema}} TO {API}",
        *(f"GRANT EXECUTE ON FUNCTION {{schema}}.{function} TO {API}" for function in _FUNCTIONS),
        *(
            f"GRANT {', '.join(filter(None, ('SELECT', verbs)))} ON {{schema}}.{table} TO {API}"
            for table, verbs in GRANTS.items()
        ),
        *(f"GRANT SELECT ON {{schema}}.{table} TO {ANALYTICS}" for table in AGGREGATES),
    ]


async def make_roles(connection: Connection) -> None:
    """Make the groups that are missing, and grant them what they need.

    Raises `asyncpg.InsufficientPrivilegeError` for a user that may not.
    """
    for role in (API, ANALYTICS):
        if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
            continue
        try:
            async with connection.transaction():
                await connection.execute(f"CREATE ROLE {role} NOLOGIN")
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            continue  # another database of this server has made it meanwhile
    await grant(connection)


async def grant(connection: Connection) -> None:
    """Grant the groups what they need, all of it or nothing.

    Raises `asyncpg.InsufficientPrivilegeError` for a user that does not own the tables: the database itself would warn.
    """
    schema: str = await connection.fetchval("SELECT quote_ident(current_schema())")
    if not await connection.fetchval(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('migration')"
    ):
        raise asyncpg.InsufficientPrivilegeError("it does not own the tables")
    async with connection.transaction():
        for statement in statements():
            await connection.execute(statement.replace("{schema}", schema))


async def are_granted(connection: Connection) -> bool:
    """Whether the groups are used in this database."""
    return await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
            WHERE c.oid = to_regclass('migration') AND r.rolname = $1
        )
        """,
        API,
    )
