"""The fenced blocks of the documents that people read, and the commands within them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "client/README.md", *sorted(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"(?:.*\\\n)*.*\n?")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line that it begins at, the language after the fence, and what it holds."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """The commands of a shell block, each with the lines that continue it; without comments."""
        found = (re.sub(r"(?:^|\s+)# .*$", "", one.group().strip()) for one in _COMMAND.finditer(self.text))
        return [one for one in found if one]


def blocks(page: str) -> list[Block]:
    """The blocks of a page, from its top."""
    text = (ROOT / page).read_text()
    found = list(_FENCE.finditer(text))
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(found), f"{page}: a fence that is not closed"
    return [
        Block(page, text.count("\n", 0, one.start()) + 1, one[2], re.sub(rf"^{one[1]}", "", one[3], flags=re.MULTILINE))
        for one in found
    ]


def inline(page: str) -> list[str]:
    """The commands that stand within a page's sentences and tables, of either program."""
    text = re.sub(_FENCE, "", (ROOT / page).read_text())
    return re.findall(r"`((?:\.venv/bin/)?seedance(?:-api)? [a-z][^`\n]*)`", text)
