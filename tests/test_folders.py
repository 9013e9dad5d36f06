"""Tests stand where the code that they test stands, or in a folder for what goes through all of it."""

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
SOURCE = ROOT / "src/seedance_api"
ACROSS = {
    "clients": "other people's programs against a running service",
    "documents": "what the documents say is done",
    "faults": "named faults, with all parts running",
    "journey": "the product as it is used",
    "money": "sums, whatever happens to whom in which order",
    "security": "hostile senders, and what they find out",
}
BESIDE = {"preview", "tools"}
"""What has its code beside `src`."""


def places() -> set[Path]:
    """The folders that hold tests; what only tests use stands in others."""
    return {path.parent.relative_to(TESTS) for path in TESTS.glob("*/**/test_*.py")}


def test_every_folder_of_tests_has_a_counterpart_or_a_reason() -> None:
    alone = {folder for folder in places() if not (SOURCE / folder).is_dir()}
    assert {str(folder) for folder in alone} == ACROSS.keys() | BESIDE
    assert [name for name in sorted(BESIDE) if not (ROOT / name).is_dir()] == []


def test_every_folder_of_the_code_has_tests() -> None:
    code = {path.relative_to(SOURCE).parts[0] for path in SOURCE.glob("*/*.py")}
    assert code - {folder.parts[0] for folder in places()} == set()
