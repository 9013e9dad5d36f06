"""Every command and every sample of the documents runs. A new block that is neither run nor listed here fails."""

import asyncio
import configparser
import json
import re
import shutil
import subprocess
import textwrap
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
import typer
from typer.core import TyperGroup

from documents.blocks import PAGES, ROOT, Block, blocks, inline
from documents.reader import Reader, answered, example_com, furnish
from faults.upstream import Live, fast_fake
from seedance.cli import app as customers
from seedance_api.cli import cli as operators
from seedance_api.foundation.roles import ANALYTICS, API
from stage import Service, fresh_database

SHOWN = {
    "text": "a drawing, a formula, or what a stream looks like",
    "http": "what a request or an answer looks like",
    "mermaid": "a drawing; tests/test_docs.py compares it with the code",
}
"""Languages of blocks that are there to be looked at."""

NOT_RUN = {
    ("docs/webhooks.md", "js"): "needs npm's package; tests/webhooks/test_sign.py verifies with it",
    ("docs/errors.md", "json"): "an answer, generated from the code; parsed only",
    (
        "docs/operate.md",
        "json",
    ): "what is sent to the operator; parsed only. generations/test_alarm.py has it sent",
    ("docs/money.md", "json"): "what is sent to the operator; parsed only. notifications/test_notices.py has it sent",
}
"""Blocks that cannot run here, by their page and language, and why."""


class Instead(NamedTuple):
    """What is run in the place of a command that cannot be run as it stands."""

    command: str
    run: str
    why: str


INSTEAD = [
    Instead(r"make (\w+)", rf"make --dry-run -C {ROOT} \1", "takes minutes, or never ends, or runs this test"),
    Instead(r"((?:\S*/)?seedance-api serve .*?[^&])", r"\1 --help", "never ends; --help still checks its options"),
    Instead(r"(?:\S*/)?seedance-api serve &", ":", "it is running already"),
    Instead(r"pip install \./client", f"test -f {ROOT}/client/pyproject.toml", "needs a package index; it is in .venv"),
    Instead(
        r"seedance login",
        "seedance login --base-url $SEEDANCE_BASE_URL --api-key $SEEDANCE_API_KEY",
        "asks for both at a terminal",
    ),
    Instead(
        r"(seedance (?:events --follow|webhooks listen)\b.*)",
        r"timeout --signal=INT 6 \1 || [ $? -eq 124 ]",
        "never ends; it must go on until it is stopped",
    ),
    *(
        Instead(rf"(.*\|)? ?{program} .*", r"\1 cat /dev/null", f"{program} is not installed")
        for program in ("ffprobe", "exiftool")
        if shutil.which(program) is None
    ),
]
"""The explicit list of commands that are not run as they stand; the first that fits the whole command counts."""

BEFORE = {
    "client/README.md": """
        from seedance import Seedance
        client = Seedance()
        video = client.videos.retrieve("vid_…")
    """,
    "docs/delivery.md": """
        import os, httpx
        receipt = httpx.get(
            os.environ["SEEDANCE_BASE_URL"] + "/v1/videos/vid_…/receipt", trust_env=False,
            headers={"Authorization": "Bearer " + os.environ["SEEDANCE_API_KEY"]},
        ).json()
    """,
    "docs/webhooks.md": """
        from datetime import datetime, UTC
        from types import SimpleNamespace
        from standardwebhooks.webhooks import Webhook
        secret, now = "whsec_…", datetime.now(UTC)
        request = SimpleNamespace(body='{"type": "video.completed"}', headers={"webhook-id": "evt_1"})
        request.headers["webhook-timestamp"] = str(int(now.timestamp()))
        request.headers["webhook-signature"] = Webhook(secret).sign("evt_1", now, request.body)
    """,
}
"""What the Python of a page takes for granted."""


# The installations that the pages are read at


@pytest.fixture(scope="module")
def running(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A service whose live keys use the sandbox, and a reader with a live key and money."""
    folder = tmp_path_factory.mktemp("reader") / "folder"
    furnish(folder)
    with fresh_database(postgres) as url, example_com((folder / "boat.png").read_bytes()) as host:
        service = Service(
            url, tmp_path_factory.mktemp("service"), live_sandbox="true", fetch_http="true",
            fetch_allow_networks=f"{host}/32",
        )  # fmt: skip
        service.credit("1000")
        reader = Reader(service, folder, service.new_key("live"), service.account["email"], f"http://{host}:8443")
        reader.prepare()
        yield reader
        service.stop()


@pytest.fixture
def stopped(database_url: str, tmp_path: Path) -> Reader:
    """An installation that is not running."""
    furnish(tmp_path / "folder")
    (tmp_path / "service").mkdir()
    service = Service(database_url, tmp_path / "service", started=False)
    service.command("init")
    return Reader(service, tmp_path / "folder", "", "nobody@example.org", "http://127.0.0.2:9")


# The pages


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [one for one in PAGES if one not in ("docs/operate.md", "docs/upstreams.md")])
def test_every_sample_of_a_page_runs(page: str, running: Reader) -> None:
    found = [one for one in blocks(page) if one.language not in SHOWN]
    if not found:
        return
    if page == "README.md":  # it makes an account of its own
        running.email = f"{uuid.uuid4().hex[:8]}@example.org"
    running.open_endpoint()
    for block in found:
        run(block, running)
    running.email = running.service.account["email"]


@pytest.mark.timeout(900)
def test_every_sample_for_the_operator_runs(stopped: Reader) -> None:
    for block in blocks("docs/operate.md"):
        if block.language != "ini":
            run(block, stopped)
            continue
        unit = configparser.ConfigParser()
        unit.optionxform = str  # type: ignore[assignment]
        unit.read_string(block.text)
        stopped.run([unit["Service"]["ExecStart"].removeprefix("/opt/seedance-api/") + " --help"])


@pytest.mark.timeout(900)
def test_every_sample_of_the_upstreams_runs(postgres: str, tmp_path: Path) -> None:
    """Against a fake of the vendor, whose address is in the file's place of the vendor's."""
    file, *rest = blocks("docs/upstreams.md")
    assert file.language == "toml"
    furnish(tmp_path / "folder")
    (tmp_path / "service").mkdir()
    with fresh_database(postgres) as url, fast_fake() as fake:
        text = re.sub(r'base_url = ".*"', f'base_url = "{fake.url}"\ncloud = "byteplus"', file.text)
        text += 'allow_networks = ["127.0.0.0/8"]\n'
        live = Live(url, tmp_path / "service", text, fake, environment={"BYTEPLUS_KEY": fake.key})
        email = f"{uuid.uuid4().hex[:8]}@example.org"
        reader = Reader(live.service, tmp_path / "folder", live.service.key, email, "http://127.0.0.2:9")
        (reader.folder / "as_it_stands.toml").write_text(file.text)
        reader.run([
            ".venv/bin/seedance-api upstream list --check",
            "SEEDANCE_UPSTREAMS=$PWD/as_it_stands.toml .venv/bin/seedance-api upstream list",
        ])  # fmt: skip
        for block in rest:
            run(block, reader)
        live.stop()


async def tried(url: str, sql: str) -> None:
    """Execute it where the two roles are there, and roll it back."""
    connection = await asyncpg.connect(url)
    await connection.execute("BEGIN")
    for role in (API, ANALYTICS):
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
            await connection.execute(f"CREATE ROLE {role} NOLOGIN")
    await connection.execute(sql)
    await connection.execute("ROLLBACK")
    await connection.close()


def run(block: Block, reader: Reader) -> None:
    """Run a block as its language is run, or fail."""
    if block.language in SHOWN:
        return
    if (block.page, block.language) in NOT_RUN:
        if block.language == "json":
            json.loads(block.text)
        return
    text = reader.filled(block.text)
    if block.language == "sh":
        reader.run([reader.filled(instead(one)) for one in block.commands()])
    elif block.language == "python":
        reader.run_python(textwrap.dedent(reader.filled(BEFORE.get(block.page, ""))) + text)
    elif block.language == "json":
        with reader.client() as client:
            answered(client, "/v1/videos/quote", json.loads(text))
    elif block.language == "toml" and "margin_percent" in block.text:
        (reader.folder / "sample.toml").write_text(text)
        prices = ".venv/bin/seedance-api prices"
        reader.run([f"{prices} show > before.toml", f"{prices} load sample.toml", f"{prices} load before.toml"])
    elif block.language == "sql":
        asyncio.run(tried(reader.service.database_url, text.replace("…", "x")))
    else:
        pytest.fail(f"{block} is neither run nor listed here as one that cannot be: {block.language or 'no language'}")


def instead(command: str) -> str:
    """What is run for a command."""
    for one in INSTEAD:
        if found := re.fullmatch(one.command, command):
            return found.expand(one.run)
    return command


# The list and the commands within sentences


def test_every_block_says_what_it_is_and_every_exception_is_needed() -> None:
    found = [block for page in PAGES for block in blocks(page)]
    known = {*SHOWN, "sh", "python", "json", "toml", "ini", "sql"}
    of_all = {(one.page, one.language) for one in found}
    assert [str(one) for one in found if one.language not in known and (one.page, one.language) not in NOT_RUN] == []
    assert set(NOT_RUN) <= of_all
    commands = [command for one in found if one.language == "sh" for command in one.commands()]
    assert len(commands) > 60
    unused = [one.command for one in INSTEAD if not any(re.fullmatch(one.command, command) for command in commands)]
    assert unused == []
    for one in found:
        if one.language == "toml":
            tomllib.loads(one.text)


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_sentence_names_exists(page: str) -> None:
    wrong = [one for one in inline(page) if not options(one) <= known_options(one)]
    assert wrong == []


def options(command: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", command))


def known_options(command: str) -> set[str]:
    """Those of the command that is named, `--help` and whatever its group takes included."""
    program, *words = command.split()
    found = typer.main.get_command(customers) if program.endswith("seedance") else typer.main.get_command(operators)
    names = {"--help", "--version"}
    context = None
    for word in words:
        if not isinstance(found, TyperGroup):
            break
        context = context or typer.Context(found)
        inner = found.get_command(context, word)
        if inner is None:
            break
        found = inner
    return names | {name for one in found.params for name in (*one.opts, *one.secondary_opts)}


def test_the_list_of_commands_is_read_as_a_shell_reads_it() -> None:
    text = "a b  # c\nd 'x # y' \\\n  e\n# nothing\n\nf#g\n"
    assert Block("x", 1, "sh", text).commands() == ["a b", "d 'x # y' \\\n  e", "f#g"]
    done = subprocess.run(["bash", "-n", "-c", text], check=False)
    assert done.returncode == 0
