"""A face translates: it opens no transaction, says no SQL, reads no table and keeps no idempotency of its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "seedance_api"
FACES = ("api", "site", "dialects")
"""The faces there are, and those that come."""
_CALLS = frozenset({"transaction", "execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor"})
_SQL = re.compile(
    r"\bSELECT\b.*\b(FROM|EXISTS)\b|\bINSERT INTO\b|\bUPDATE\b.*\bSET\b|\bDELETE FROM\b|\bFOR (UPDATE|SHARE)\b",
    re.DOTALL,
)
_QUERIES = re.compile(r"(\w+_)?queries")
_ONCE = frozenset({"Finder", "claimed", "done_before", "is_first", "take", "untake"})
"""What decides whether a request is the first of its key: the verb does, beside the work."""


def faults(text: str) -> list[str]:
    """What a face may not do, with its line."""
    return [f"{line}: {what}" for line, what in _faults(ast.parse(text))]


def _faults(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in _CALLS:
                yield node.lineno, f"calls {name}"
            case ast.Constant(value=str(said)) if _SQL.search(said):
                yield node.lineno, "says SQL"
            case ast.Import(names=names):
                yield from ((node.lineno, f"imports {one.name}") for one in names if _is_of_tables(one.name, ""))
            case ast.ImportFrom(module=str(module), names=names):
                yield from (
                    (node.lineno, f"imports {module}.{one.name}")
                    for one in names
                    if _is_of_tables(module, one.name) or (module.endswith(".idempotency") and one.name in _ONCE)
                )
            case _:
                pass


def _is_of_tables(module: str, name: str) -> bool:
    """Whether it is the driver, or the SQL of a slice; of that a face may know the types of rows, which it encodes."""
    return module.partition(".")[0] == "asyncpg" or (
        any(_QUERIES.fullmatch(one) for one in [*module.split("."), name])
        and not re.fullmatch(r"[A-Z]\w*[a-z]\w*", name)
    )


@pytest.mark.parametrize("face", [one for one in FACES if (SRC / one).exists()])
def test_a_face_only_translates(face: str) -> None:
    files = sorted((SRC / face).rglob("*.py"))
    assert files
    found = {str(path.relative_to(SRC)): faults(path.read_text("utf-8")) for path in files}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "text",
    [
        "async with parts.db.transaction() as connection: pass",
        "await connection.execute(text)",
        "found = await parts.db.fetch(text)",
        "await parts.db.fetchval(text)",
        'text = "SELECT id FROM generation"',
        'text = """\nUPDATE wallet\nSET low = 1\n"""',
        'text = f"DELETE FROM {table}"',
        "import asyncpg",
        "from asyncpg import DiskFullError",
        "import seedance_api.billing.queries",
        "from seedance_api.billing import queries",
        "from seedance_api.billing.queries import wallet_of",
        "from seedance_api.webhooks.queries.events import event",
        "from seedance_api.webhooks import event_queries",
        "from seedance_api.webhooks.event_queries import event",
        "from seedance_api.foundation.idempotency import Once, take",
    ],
)
def test_what_a_face_may_not_do_is_seen(text: str) -> None:
    wrapped = "async def handler():\n" + "\n".join(f"    {line}" for line in text.splitlines())
    assert faults(wrapped)


def test_what_a_face_needs_is_allowed() -> None:
    text = '''"""Select a video from the list, or update it; `SELECT` is no word of ours."""
from seedance_api.delivery.rows import Held
from seedance_api.foundation.idempotency import Once
from seedance_api.generations.read import Reader
'''
    assert faults(text) == []
