"""The states stand in four places: the enum, the table of moves, the guarded updates and the CHECK. Here they meet."""

import re
from pathlib import Path

from seedance_api.foundation import migrations
from seedance_api.generations import queries, states
from seedance_api.generations.states import ATTEMPT_MOVES, MOVES, PUBLIC, AttemptState, State

QUERIES = Path(queries.__file__).parent
SQL = "\n".join(path.read_text() for path in sorted(QUERIES.glob("*.py")))
SCHEMA = Path(migrations.__file__).with_name("schema.sql").read_text()
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


def moves_in_sql(table: str) -> dict[str, set[str]]:
    """from → to, as the guarded updates of a table say it."""
    found: dict[str, set[str]] = {}
    for update in re.findall(rf'UPDATE {table} SET state = .*?"(?:""|,|\n)', SQL, re.DOTALL):
        to = re.search(r"SET state = '(\w+)'", update)
        guard = re.search(r"\bAND state (?:= ('\w+')|IN \(([^)]*)\))", update)
        assert to, update
        assert guard, f"a move must be guarded: {update}"
        for origin in re.findall(r"'(\w+)'", guard[1] or guard[2]):
            found.setdefault(origin, set()).add(to[1])
    return found


def checked(table: str) -> set[str]:
    """The states that the CHECK of a table allows."""
    body = re.search(rf"CREATE TABLE public\.{table} \((.*?)\n\);", SCHEMA, re.DOTALL)
    assert body
    check = re.search(r"CONSTRAINT \w+_state_check CHECK \(\(state = ANY \(ARRAY\[(.*?)\]\)\)\)", body[1])
    assert check
    return set(re.findall(r"'(\w+)'", check[1]))


def test_generation() -> None:
    assert set(MOVES) == set(State) == set(PUBLIC)
    assert checked("generation") == {state.value for state in State}
    assert moves_in_sql("generation") == {
        origin.value: {state.value for state in moves} for origin, moves in MOVES.items() if moves
    }
    final = re.search(r"final_states_have_their_time CHECK \(\(\(state = ANY \(ARRAY\[(.*?)\]\)\)", SCHEMA)
    assert final
    assert set(re.findall(r"'(\w+)'", final[1])) == {state.value for state, moves in MOVES.items() if not moves}


def test_attempt() -> None:
    assert set(ATTEMPT_MOVES) == set(AttemptState)
    assert checked("attempt") == {state.value for state in AttemptState}
    assert moves_in_sql("attempt") == {
        origin.value: {state.value for state in moves} for origin, moves in ATTEMPT_MOVES.items() if moves
    }
    final = re.search(r"final_attempts_have_their_time CHECK \(\(\(state = ANY \(ARRAY\[(.*?)\]\)\)", SCHEMA)
    assert final
    assert set(re.findall(r"'(\w+)'", final[1])) == {state.value for state, moves in ATTEMPT_MOVES.items() if not moves}


def test_every_update_of_a_state_is_one_of_these() -> None:
    source = Path(states.__file__).parents[1]
    for path in source.rglob("*.py"):
        if path.parent != QUERIES:
            assert not re.search(r"UPDATE (generation|attempt)\s+SET state\b", path.read_text()), path
