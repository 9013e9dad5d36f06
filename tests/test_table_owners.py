"""Each table belongs to one folder of `seedance_api`, and only that folder's SQL writes it.

The owners stand in docs/architecture.md. Reading is free: a join across folders is worth more than a copy of a row.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/seedance_api"
SCHEMA = (SOURCE / "foundation/schema.sql").read_text()
TABLES = set(re.findall(r"^CREATE (?:UNLOGGED )?TABLE public\.(\w+)", SCHEMA, re.MULTILINE))
_NAME = r'(?:ONLY\s+)?(?:public\.)?"?([\w{}]+)"?'
_WRITES = re.compile(
    rf"\b(?:INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE(?:\s+TABLE)?|(?:DROP|ALTER)\s+TABLE(?:\s+IF\s+EXISTS)?)\s+{_NAME}"
    rf'|\b(?-i:COPY)\s+{_NAME}\s*(?:\([^)]*\))?\s*FROM\b|(?<!DO )\bUPDATE\s+{_NAME}(?:\s+(?:AS\s+)?"?\w+"?)?\s+SET\b',
    re.IGNORECASE,
)
_COPIES = {"copy_records_to_table", "copy_to_table"}


def owners() -> dict[str, str]:
    """The folder of each table, as the page has them."""
    page = (ROOT / "docs/architecture.md").read_text()
    section = page.split("## Tables", 1)[1].split("\n## ", 1)[0]
    found: dict[str, str] = {}
    for folder, tables in re.findall(r"^\| `(\w+)/` \| (.+) \|$", section, re.MULTILINE):
        for table in re.findall(r"`(\w+)`", tables):
            assert table not in found, f"{table} belongs to {found[table]}, and to {folder}"
            found[table] = folder
    return found


def written(sql: str) -> list[str]:
    """The tables that a text of SQL writes, in CTEs too; `{}` stands for a name that is put in when it runs."""
    sql = re.sub(r"--[^\n]*|/\*.*?\*/", " ", re.sub(r"'(?:[^']|'')*'", "''", sql), flags=re.DOTALL)
    return [next(name for name in match.groups() if name) for match in _WRITES.finditer(sql)]


def writes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and table of everything that a module writes; of docstrings nothing is believed."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            texts = ["".join(str(part) for part in parts)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            texts = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _COPIES:
            name = node.args[0]
            yield node.lineno, str(name.value) if isinstance(name, ast.Constant) else "{}"
            continue
        else:
            continue
        for text in texts:
            yield from ((node.lineno, table) for table in written(text))


def modules() -> Iterator[tuple[str, str, ast.Module]]:
    """Folder, name and tree of every module; one beside the folders counts as a folder of its own."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE)
        yield name.parts[0].removesuffix(".py"), str(name), ast.parse(path.read_text())


def test_every_table_has_one_owner_and_every_owner_is_a_folder() -> None:
    found = owners()
    partitions = {f"{table}_rest" for table in found}
    assert found.keys() | partitions & TABLES == TABLES
    assert [folder for folder in found.values() if not (SOURCE / folder).is_dir()] == []


def test_a_folder_writes_its_own_tables_and_no_other() -> None:
    found = owners()
    foreign = [
        f"{name}:{line} writes {table}, which belongs to {found.get(table)}"
        for folder, name, tree in modules()
        for line, table in writes(tree)
        if (table in TABLES or "{" in table)  # else it is a sentence
        # a partition belongs to the owner of its table
        and found.get(table.removesuffix("_rest").removesuffix("_{}")) != folder
        # and is made and dropped for whoever names that table
        and not (name == "foundation/partitions.py" and "{}" in table)
    ]
    assert foreign == []


def test_partitions_are_named_by_the_owner_of_their_table() -> None:
    found = owners()
    named = {
        (folder, keyword.value.value)
        for folder, _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Parent"
        for keyword in node.keywords
        if keyword.arg == "table" and isinstance(keyword.value, ast.Constant)
    }
    assert {table for _, table in named} == {table.removesuffix("_rest") for table in TABLES if table.endswith("_rest")}
    assert [(folder, table) for folder, table in named if found[str(table)] != folder] == []


def test_the_schema_itself_writes_no_table_behind_its_owners_back() -> None:
    """A trigger may write what belongs to the owner of its own table, and nothing else."""
    bodies = dict(re.findall(r"^CREATE FUNCTION public\.(\w+).*?AS \$\$(.*?)\$\$;", SCHEMA, re.MULTILINE | re.DOTALL))
    assert len(bodies) > 3
    triggers = re.findall(r"^CREATE .*TRIGGER .* ON public\.(\w+) .*FUNCTION public\.(\w+)\(", SCHEMA, re.MULTILINE)
    own = owners()
    for name, body in bodies.items():
        called_by = {own[table] for table, function in triggers if function == name}
        assert all(called_by == {own[table]} for table in written(body)), name
    assert re.findall(r"ON (?:DELETE|UPDATE) (?:CASCADE|SET)|CREATE RULE", SCHEMA) == []


@pytest.mark.parametrize(
    ("code", "tables"),
    [
        ('f("INSERT INTO hold (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = excluded.a")', ["hold"]),
        ('f("WITH x AS (DELETE FROM file f USING n) UPDATE ONLY public.hold h SET a = 1")', ["file", "hold"]),
        ('f("select 1 from hold for no key update of hold; update hold as h\\n set a = 1")', ["hold"]),
        ('f(f"DELETE FROM {table}_rest WHERE {key} < $1")', ["{}_rest"]),
        ('f("SELECT 1 -- UPDATE hold SET a = 1\\n WHERE a = \'DELETE FROM hold\'")', []),
        ('f("TRUNCATE hold", "COPY file (id, a) FROM STDIN", "COPY file TO STDOUT")', ["hold", "file"]),
        ('f("MERGE INTO wallet w USING n ON w.a = n.a WHEN MATCHED THEN UPDATE SET a = 1")', ["wallet"]),
        ('db.copy_records_to_table("event", records=rows)', ["event"]),
        ('f("SELECT * FROM hold WHERE a = $1 FOR UPDATE")', []),
        ('def f():\n    """UPDATE hold SET a = 1"""', []),
    ],
)  # fmt: skip
def test_what_writes_is_found(code: str, tables: list[str]) -> None:
    assert [table for _, table in writes(ast.parse(code))] == tables
