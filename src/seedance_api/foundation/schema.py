"""The live schema: what PostgreSQL's own catalogue says of it, and how that differs from what was shipped.

`schema.txt` lists the schema that the migrations add up to, one object a line; `schema.sql` says the same for people.
Only our own tables are compared. What else stands in the database is its operator's, and so are the partitions that
`partitions.py` makes by the day. The wording of a definition may follow the server's version where PostgreSQL changed
how it prints one; 15 to 18 agree on all that is compared here.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from seedance_api.foundation.db import Connection

LISTING = Path(__file__).with_name("schema.txt")
_MAX_TEXT = 160
_DEFAULTS = ("intervalstyle=postgres", "datestyle=ISO, MDY", "extra_float_digits=1", "quote_all_identifiers=off")
"""What the printed definitions depend on, besides the schema."""
_LIST = r"""
WITH ours AS (
    SELECT * FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
      AND NOT (relispartition AND relname ~ '_[0-9]{8}$')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
), found (kind, name, definition) AS (
    SELECT 'table', relname::text, concat_ws(' ',
        CASE relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
        'partitioned by ' || pg_get_partkeydef(oid), 'partition ' || pg_get_expr(relpartbound, oid),
        CASE WHEN relrowsecurity THEN 'row level security' END)
    FROM ours WHERE relkind <> 'v'
    UNION ALL
    SELECT 'view', relname, regexp_replace(pg_get_viewdef(oid), '\m[a-z_]+\.', '', 'g') FROM ours WHERE relkind = 'v'
    UNION ALL
    SELECT 'options', relname, array_to_string(ARRAY(SELECT unnest(reloptions) ORDER BY 1), ' ')
    FROM ours WHERE reloptions IS NOT NULL
    UNION ALL
    SELECT 'column', relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod),
        (SELECT 'COLLATE ' || collname FROM pg_collation c, pg_type t
         WHERE c.oid = attcollation AND t.oid = atttypid AND attcollation <> typcollation),
        CASE WHEN attnotnull THEN 'NOT NULL' END,
        CASE attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY' END,
        CASE WHEN attgenerated = '' THEN 'DEFAULT ' ELSE 'GENERATED ' END || pg_get_expr(adbin, adrelid))
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relkind <> 'v'
    UNION ALL
    -- NOT NULL is told with its column: PostgreSQL 18 has a constraint for it, those before have none
    SELECT 'constraint', relname || '.' || conname, pg_get_constraintdef(c.oid)
    FROM ours JOIN pg_constraint c ON conrelid = ours.oid AND contype IN ('p', 'u', 'f', 'c', 'x')
    UNION ALL
    SELECT CASE WHEN indisunique THEN 'unique index' ELSE 'index' END, ours.relname || '.' || i.relname,
        replace(pg_get_indexdef(i.oid), quote_ident(current_schema()) || '.', '')
            || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
    FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class i ON i.oid = indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid AND contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 'trigger', relname || '.' || tgname,
        pg_get_triggerdef(t.oid, true) || CASE tgenabled WHEN 'O' THEN '' ELSE ' disabled or replica' END
    FROM ours JOIN pg_trigger t ON tgrelid = ours.oid AND NOT tgisinternal
    UNION ALL
    SELECT 'function', proname || '(' || pg_get_function_identity_arguments(oid) || ')',
        concat_ws(' ', pg_get_function_result(oid), provolatile, prosrc)
    FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prokind = 'f'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'type', typname, array_to_string(ARRAY(
        SELECT enumlabel::text FROM pg_enum WHERE enumtypid = pg_type.oid ORDER BY enumsortorder), ', ')
    FROM pg_type WHERE typnamespace = current_schema()::regnamespace AND typtype = 'e'
)
SELECT kind, name, trim(regexp_replace(definition, '\s+', ' ', 'g')) AS definition FROM found
ORDER BY kind COLLATE "C", name COLLATE "C"
"""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One object that is missing, that should not be there, or that is defined otherwise than was shipped."""

    kind: str
    name: str
    expected: str | None
    found: str | None

    @property
    def breaks(self) -> bool:
        """Whether what we do can go wrong for it. Otherwise it costs time at most, or was added by somebody."""
        return self.expected is not None and self.kind not in {"index", "options"}

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.kind} {self.name} is missing"
        if self.expected is None:
            return f"{self.kind} {self.name} is not part of the schema"
        return f"{self.kind} {self.name} is {_short(self.found)} instead of {_short(self.expected)}"


Listing = Mapping[tuple[str, str], str]
"""Definitions, by kind and name."""


async def list_objects(connection: Connection) -> Listing:
    """What stands in the schema that the connection works in."""
    async with connection.transaction(readonly=True):
        for option in _DEFAULTS:
            await connection.execute("SELECT set_config($1, $2, true)", *option.split("=", 1))
        found = await connection.fetch(_LIST)
    return {(record["kind"], record["name"]): record["definition"] for record in found}


async def differences(connection: Connection) -> list[Difference]:
    """How the live schema differs from the shipped one, what breaks something first."""
    return compare(_shipped(), await list_objects(connection))


def compare(expected: Listing, found: Listing) -> list[Difference]:
    """The differences. Of a table that is missing, and of tables that are not ours, nothing more is said."""
    tables = {name for kind, name in expected if kind == "table"}
    missing = {name for name in tables if ("table", name) not in found}
    answer: list[Difference] = []
    for kind, name in expected.keys() | found.keys():
        wanted, there = expected.get((kind, name)), found.get((kind, name))
        table = name.split(".")[0]
        is_about_table = kind not in {"table", "view", "function", "type"}
        if wanted == there or (is_about_table and table in missing) or (wanted is None and not is_about_table):
            continue
        if wanted is None and table not in tables:
            continue
        answer.append(Difference(kind=kind, name=name, expected=wanted, found=there))
    return sorted(answer, key=lambda difference: (not difference.breaks, difference.kind, difference.name))


def parse(text: str) -> Listing:
    """A listing from its text: one object a line, what it is, its name and its definition apart by tabs."""
    lines: Iterable[list[str]] = (line.split("\t", 2) for line in text.splitlines())
    return {(kind, name): definition for kind, name, definition in lines}


@cache
def _shipped() -> Listing:
    return parse(LISTING.read_text("utf-8"))


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
