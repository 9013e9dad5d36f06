"""What is written down is what is there. `python tests/test_docs.py` writes the generated pages anew."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
import typer

from seedance.cli import app as customers_cli
from seedance_api.api import docs
from seedance_api.api.openapi import document
from seedance_api.api.reference import Reference
from seedance_api.api.routes import ROUTES
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.problem import MEANINGS
from seedance_api.cli import COMMANDS, load
from seedance_api.foundation.error_codes import CODES
from seedance_api.generations.states import ATTEMPT_MOVES, FAILURES, MOVES, State
from seedance_api.providers.sandbox.magic import SPELLS
from seedance_api.settings import FORMER_NAMES, TABLE
from seedance_api.web.route import HTTPRouteHandler, routes_of
from seedance_api.worker import build
from stage import Service

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "client/README.md"])


# The generated pages


def settings_page() -> str:
    """`docs/settings.md`."""
    lines = [
        (
            f"`SEEDANCE_{one.name}`",
            f"`{one.default}`" if one.default else "",
            bounds(one.minimum, one.maximum),
            "alike" if one.alike else "",
            one.meaning,
        )
        for one in TABLE
    ]
    files = ", ".join(f"`SEEDANCE_{one.name}_FILE`" for one in TABLE if one.secret)
    return SETTINGS.format(table=table(("variable", "default", "bounds", "machines", "meaning"), lines), files=files)


SETTINGS = """\
# Settings

Every setting is an environment variable. One that is wrong, or that does not exist, ends the command with a message, so
that a slip of the pen is noticed. Options of a command override the environment. Those marked *alike* must be the same
on every [machine](operate.md#several-machines) of an installation, and are compared when one starts.

This page is generated from `seedance_api/settings/model.py`; `python tests/test_docs.py` writes it anew.

{table}

A setting that may hold a secret can be in a file instead, as Docker and Kubernetes mount them: set the variable of the
same name with `_FILE` to its path. These are {files}.
Blanks and line feeds at the ends of the file are ignored. It is an error to set both, and to name a file that cannot be
read or is empty.

`SEEDANCE_BASE_URL` and `SEEDANCE_API_KEY` are read by the [client](client.md) and ignored by the service.
"""


def errors_page() -> str:
    """`docs/errors.md`."""
    codes = [
        (f"`{name}`", str(one.status), f"`{one.type}`", yes(one.retry), one.meaning) for name, one in CODES.items()
    ]
    failures = [(f"`{name}`", one.payer, yes(one.retry), one.meaning, one.advice) for name, one in FAILURES.items()]
    return ERRORS.format(
        codes=table(("code", "status", "type", "may succeed later", "meaning"), codes),
        problems=table(("code", "meaning"), [(f"`{name}`", meaning) for name, meaning in docs.PROBLEMS.items()]),
        failures=table(
            ("code", "who pays the upstream", "safe and useful to try again", "meaning", "what to do"), failures
        ),
    )


ERRORS = """\
# Errors

This page is generated from the tables in the code; `python tests/test_docs.py` writes it anew.

## Refusals

A request that is refused has made nothing. The body has one shape everywhere:

```json
{{
  "error": {{
    "code": "invalid_request",
    "message": "`seed` must be a whole number.",
    "type": "invalid_request_error",
    "param": "seed",
    "request_id": "req_…",
    "errors": [{{"path": "seed", "code": "wrong_type", "message": "`seed` must be a whole number."}}]
  }}
}}
```

{codes}

## Problems

The entries of `errors`. Each has a `path`, a `code` and a `message`, and where it helps `value`, `allowed`, and the
`models` that would take what was sent.

{problems}

## Failures

A video that was accepted and could not be made has the status `failed` and one of these codes in `error.code`. One that
was stopped at your request has the status `canceled` and the code `canceled`. Whatever the code, you pay nothing: what
was held is released in the moment in which the video fails. `error.payer` says who bears what the upstream bills:
`nobody`, for it bills finished videos only, or the `operator`, where a finished one may have been lost.

{failures}
"""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def bounds(least: float | None, most: float | None) -> str:
    """The bounds of a number."""
    return "" if least is None or most is None else f"{least:.0f} – {most:.0f}"


def yes(value: bool) -> str:
    """A truth, in a table."""
    return "yes" if value else "no"


def api_page() -> str:
    """`docs/api.md`, whose table of addresses is generated."""
    page = (ROOT / "docs/api.md").read_text()
    before, begins, rest = page.partition("<!-- The table is generated from the routes -->\n")
    _, ends, after = rest.partition("<!-- until here -->\n")
    return before + begins + endpoints(tuple(ROUTES)) + "\n" + ends + after


def endpoints(handlers: tuple[HTTPRouteHandler, ...]) -> str:
    """The table of addresses, those outside of the document last."""
    rows = [
        (
            f"`{one.method} {one.path}`",
            one.summary,
            {"key": "a key", "link": "the address"}.get(one.operation.auth or "", ""),
        )
        for one in sorted(routes_of(handlers), key=lambda one: one.operation.tag is None)
    ]
    return table(("address", "what it does", "what it needs"), rows)


GENERATED = {"settings.md": settings_page, "errors.md": errors_page, "api.md": api_page}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == GENERATED[name](), __doc__


# The pages and the code


def test_the_guide_names_every_field_of_a_create() -> None:
    guide = (ROOT / "docs/api.md").read_text()
    fields = document(tuple(ROUTES))["components"]["schemas"]["CreateVideo"]["properties"]
    assert [name for name in fields if f"`{name}`" not in guide] == []


def commands(of: typer.Typer) -> Iterator[str]:
    """Every command, with the group it is in."""
    for one in of.registered_commands:
        assert one.callback is not None
        yield one.name or one.callback.__name__
    for group in of.registered_groups:
        assert group.typer_instance is not None
        yield from (f"{group.name} {name}" for name in commands(group.typer_instance))


def operators_commands() -> Iterator[str]:
    """Every command of the operator."""
    for name in COMMANDS:
        inner = list(commands(load(name)))
        yield from [name] if inner == [name] else [f"{name} {one}" for one in inner]


@pytest.mark.parametrize("command", list(operators_commands()))
def test_the_guides_name_every_operators_command(command: str) -> None:
    assert f"`seedance-api {command}" in (ROOT / "docs/operate.md").read_text()


@pytest.mark.parametrize("command", list(commands(customers_cli)))
def test_the_guides_name_every_customers_command(command: str) -> None:
    assert f"seedance {command}" in (ROOT / "docs/client.md").read_text()


def test_the_pages_name_no_command_that_is_not_there() -> None:
    known = {"seedance-api": set(operators_commands()), "seedance": set(commands(customers_cli))}
    wrong = [
        f"{page.name}: {program} {words}"
        for page in PAGES
        for line in shell_lines(page.read_text())
        for program, words in re.findall(r"(?:^|bin/|`)(seedance|seedance-api) ([a-z]+(?: [a-z-]+)?)", line)
        if not any(words == one or words.startswith(f"{one} ") or words == one.split()[0] for one in known[program])
    ]
    assert wrong == []


def shell_lines(page: str) -> list[str]:
    """The lines of a page's shell blocks, and its inline code."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [*"\n".join(blocks).splitlines(), *re.findall(r"`[^`\n]+`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))]


def test_the_pages_name_no_setting_that_is_not_there() -> None:
    known = (
        {f"SEEDANCE_{one.name}{end}" for one in TABLE for end in (("", "_FILE") if one.secret else ("",))}
        | {f"SEEDANCE_{one}" for one in ("BASE_URL", "API_KEY", "WEBHOOK_SECRET")}
        | FORMER_NAMES.keys()
    )
    said = {word for page in PAGES for word in re.findall(r"SEEDANCE_[A-Z_]*[A-Z]", page.read_text())}
    assert said <= known


def test_the_architecture_names_every_folder_and_no_other() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    said = set(re.findall(r"^  ([\w/]+/) ", page, re.MULTILINE))
    package = ROOT / "src/seedance_api"
    there = {
        f"{folder.relative_to(package)}/"
        for folder in package.rglob("*")
        if folder.is_dir() and folder.name != "__pycache__" and any(one.is_file() for one in folder.iterdir())
    }
    assert said == there
    for line in re.findall(r"^  (\w+\.py) ", page, re.MULTILINE):
        assert (package / line).is_file()
    assert all((ROOT / name).is_dir() for name in re.findall(r"^([a-z]+)/ ", page, re.MULTILINE))


def test_the_architecture_has_the_arrows_of_the_import_linter() -> None:
    layers = re.search(r"^layers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE)
    assert layers is not None
    said = " → ".join(one for one in re.findall(r'"([^"]+)"', layers[1]) if one != "__main__")
    assert said in (ROOT / "docs/architecture.md").read_text()
    assert said in (ROOT / "CONTRIBUTING.md").read_text()


def test_the_architecture_shows_every_move_and_no_other() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    said = {(State(one), State(to)) for one, to in re.findall(r"^    (\w+) --> (\w+)", page, re.MULTILINE)}
    assert said == {(one, to) for one, moves in MOVES.items() for to in moves}
    assert all(re.search(rf"\b{one}\b", page) for one in ATTEMPT_MOVES)


def test_the_architecture_names_every_job_and_schedule() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    source = Path(build.__code__.co_filename).read_text()
    names = re.findall(r'\.(?:serve|repeat)\(\s*(?:name\()?"(\w+)"', source)
    assert len(names) >= 24
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_code_of_a_problem_has_a_meaning() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src/seedance_api").rglob("*.py"))
    used = set(re.findall(r'Problem\([^()]*?code="(\w+)"', source))
    assert {"unknown_field", "bad_media"} <= used
    assert used | {str(code) for code in MEANINGS} == set(docs.PROBLEMS)


def test_every_error_code_that_is_raised_is_in_the_table_and_the_other_way_round() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src/seedance_api").rglob("*.py"))
    assert set(re.findall(r'AppError\(\s*"(\w+)"', source)) == set(CODES)


def test_the_sandbox_page_names_every_test_value() -> None:
    page = (ROOT / "docs/sandbox.md").read_text()
    assert [spell for spell in SPELLS if f"[sandbox:{spell}" not in page] == []


# Links


def test_links_between_pages_lead_somewhere() -> None:
    wrong: list[str] = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if link.startswith(("https://", "mailto:")):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                wrong.append(f"{page.relative_to(ROOT)}: {link}")
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_decisions_are_numbered_and_short() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    for number, page in enumerate(pages, 1):
        text = page.read_text()
        assert page.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number:04} ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) <= 60


# The page at /docs


class Looked(HTMLParser):
    """What a page holds: ids, links, and whatever a browser would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")
            elif (
                name in ("src", "srcset", "action", "style") or (name == "href" and tag != "a") or name.startswith("on")
            ):
                self.loads.append(f"{tag} {name}={value}")
        if tag in ("script", "iframe", "object", "embed", "img", "base"):
            self.loads.append(tag)


def test_the_page_loads_nothing_and_its_links_lead_somewhere() -> None:
    text, _ = docs.page(tuple(ROUTES), date(2026, 12, 1))
    looked = Looked(text)
    assert [one for one in looked.loads if not one.startswith("link href=data:")] == []
    assert "url(" not in text
    assert "@import" not in text
    assert len(looked.ids) == len(set(looked.ids))
    assert {link for link in looked.links if link.removeprefix("#") not in looked.ids} == {"/openapi.json"}
    assert len(text.encode()) < 350_000


def test_the_page_shows_everything_there_is() -> None:
    text, _ = docs.page(tuple(ROUTES), date(2026, 12, 1))
    shown = Reference(tuple(ROUTES))
    names = [*CODES, *docs.PROBLEMS, *FAILURES, *(one.name for one in MODELS), *docs.spells()]
    names += [f'id="{one.name}"' for one in shown.operations]
    assert [name for name in names if name not in text] == []
    assert [one.name for one in shown.operations if not one.request or not one.note] == []
    empty = [f"{name}.{one.name}" for name in shown.objects for one in shown.fields_of(name) if not one.note]
    empty += [
        f"{one.name}.{field.name}" for one in shown.operations for field in one.parameters + one.body if not field.note
    ]
    assert empty == []


def test_the_page_is_served_with_the_readers_own_address(service: Service) -> None:
    answer = httpx.get(f"{service.url}/docs", trust_env=False)
    assert answer.status_code == 200
    assert f"{service.url}/v1" in answer.text
    assert "base.invalid" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    strange = httpx.get(f"{service.url}/docs", headers={"host": 'x"><b>'}, trust_env=False)
    assert "<b>" not in strange.text.replace("<b class", "")


def write() -> None:
    """Write the generated pages."""
    for name, render in GENERATED.items():
        (ROOT / "docs" / name).write_text(render())


if __name__ == "__main__":
    write()
