"""The guide page is what the catalogue says, and says all of it."""

from pathlib import Path

import pytest

from seedance_api.catalog import flags, models
from seedance_api.catalog.problem import MEANINGS, Code
from tools import document

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == document.render(), document.__doc__


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_meaning_on_the_page(code: Code) -> None:
    assert f"| `{code}` | {MEANINGS[code]} |" in document.render()


def test_every_name_and_flag_is_on_the_page() -> None:
    page = document.render()
    for model in models.MODELS:
        for name in (model.name, *model.aliases):
            assert f"`{name}`" in page
    for flag in flags.FLAGS:
        assert f"`--{flag}`" in page
