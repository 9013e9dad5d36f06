"""Nothing of ours tells anyone to install a name that we do not hold, or that we do not mean."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {"./client", "cryptography", "standardwebhooks", "uv"}
"""What may be named: a folder of a checkout, and packages of others that are meant. Ours come here once published."""
_TOOL = r"(?:python[0-9.]* -m )?(?:uv )?pip[0-9.]*|pipx|uv(?: tool)?|uvx|poetry|pdm|npx|npm|pnpm|yarn|bun"
_COMMAND = re.compile(
    rf"""(?<![\w/.-])(?:(?:{_TOOL})\s+(?:install|add|i|run --with)|uvx|npx|pipx\s+run)\s+(?P<rest>[^\n`#;&|)<]+)"""
)
_PROJECT = re.compile(r"(?:pypi\.org/(?:project|simple)|npmjs\.com/package)/([\w.@/-]*\w)")
_TAKES_VALUE = {"-r", "--requirement", "-i", "--index-url", "--python", "-c", "--constraint", "--target", "-t"}


def named(text: str) -> set[str]:
    """The packages that a text tells its reader to install, or links to."""
    found = set(_PROJECT.findall(text))
    for command in _COMMAND.finditer(text):
        words = iter(command["rest"].split())
        for word in words:
            if word in _TAKES_VALUE:
                next(words, None)
            elif not word.startswith("-"):
                name = re.split(r"(?<=.)[\[=<>~!@]", word.strip("\"'").rstrip("\"'.,:"))[0]
                found |= {name} if re.search(r"\w", name) else set()
            if word.endswith(('"', "'", ".", ",", ":")):  # the end of a quotation or a sentence
                break
    return found


def texts() -> dict[str, str]:
    """Every text of the repository that a user, an operator or a program may follow; tests and locks are none."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        files = [ROOT / name for name in listed.stdout.splitlines()]
    else:  # not a checkout
        files = [path for folder in ("src", "client", "docs", "bench") for path in (ROOT / folder).rglob("*")]
        files += [path for path in ROOT.iterdir() if path.is_file()]
    kept = [path for path in files if path.is_file() and "tests" not in path.parts and path.name != "uv.lock"]
    return {str(path.relative_to(ROOT)): path.read_text("utf-8", "ignore") for path in kept}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pip install seedance", {"seedance"}),
        ('run `pip install "seedance-api[s3]>=1"` first', {"seedance-api"}),
        ("python3 -m pip install --upgrade seedance-api", {"seedance-api"}),
        ("uv add seedance\nuv tool install seedance-api", {"seedance", "seedance-api"}),
        ("uvx seedance generate", {"seedance", "generate"}),
        ("see https://pypi.org/project/seedance-api/ and", {"seedance-api"}),
        ("pip install ./client  # from a checkout", {"./client"}),
        ("npm install standardwebhooks", {"standardwebhooks"}),
        ("pip install -r requirements.txt httpx", {"httpx"}),
        ('"to check it: pip install cryptography")', {"cryptography"}),
        ("what is to install stands in pip", set()),
    ],
)
def test_an_install_command_is_found(text: str, names: set[str]) -> None:
    assert named(text) == names


def test_no_text_of_ours_tells_anyone_to_install_a_name_that_we_do_not_hold() -> None:
    found = {path: names - ALLOWED for path, text in texts().items() if (names := named(text)) - ALLOWED}
    assert "README.md" in texts()
    assert found == {}


def test_the_distributions_have_names_of_their_own() -> None:
    files = [ROOT / "pyproject.toml", ROOT / "client/pyproject.toml", ROOT / "preview/pyproject.toml"]
    names = [tomllib.loads(file.read_text())["project"]["name"] for file in files]
    assert names == ["seedanceapi", "seedanceapi-client", "seedanceapi-preview"]
    assert not re.search(r'^name = "seedance(-api)?"$', (ROOT / "uv.lock").read_text(), re.MULTILINE)
