"""Schemathesis over our own OpenAPI document: no 5xx, every answer as documented, nothing for who may not, and nothing
of what is another's.

Its command is run, not its pytest plugin: the command alone tries reads with two accounts' keys, learns links between
operations as it goes, and has one budget of time for all. In a run of the suite that is a minute at most, by the run's
seed; `make fuzz` takes its time.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sample import Sample
from stage import Service

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "negative_data_rejection", "positive_data_acceptance", "missing_required_header",
    "unsupported_method", "allow_header_conformance", "ignored_auth", "use_after_free", "ensure_resource_availability",
    "object_level_authorization",
)  # fmt: skip
"""All that there are but `max_response_time`: how fast it is, the benchmarks say. `object_level_authorization` compares
what two accounts read, and so sees nothing in a video that is being made meanwhile: `test_other_accounts.py` does."""

REFUSED_IN_ORDER = {
    "createVideo": "which fields go together is another matter for each model, and media must be there",
    "quoteVideo": "as for a create",
    "uploadFile": "the bytes must be a picture, a video or a sound",
    "verifyFile": "the bytes must be a file of a kind that can be marked",
    "createWebhookEndpoint": "the address must be one that webhooks may go to",
    "updateWebhookEndpoint": "as for a new endpoint",
    "replayWebhooks": "it takes one event, or what bounds a time",
    "setBalance": "a test key has no balance, and an amount is a decimal text within bounds",
    "listUsage": "`from` must not be after `to`; and a cursor is what the service wrote",
    "listRequests": "a time must be in a year from 2000 on",
    "rotateWebhookSecret": "a repeat with another body is refused",
    "rotateAccountWebhookSecret": "as for an endpoint's",
    "testWebhookEndpoint": "as for a rotation",
    "revokeLeakedKey": "the last six letters of a key are a checksum of the others",
}
"""Where a request that fits the schema may be refused with 400, 413, 415 or 422, and why a schema cannot say it. All
other operations accept whatever their schema allows."""


@pytest.mark.timeout(7200)
def test_answers_are_as_documented(start_service: Callable[..., Service], tmp_path: Path, sample: Sample) -> None:
    """Every operation by itself: with what fits its schema, and with what does not."""
    service = start_service(sandbox_slots="1", sandbox_renderers="1", lease_seconds="30")
    examples = "1000" if sample.rounds(1, 0) else "4"
    run(service, tmp_path, sample, "--phases", "examples,coverage,fuzzing", "--max-examples", examples,
        seconds=sample.rounds(1800, 32))  # fmt: skip


@pytest.mark.timeout(7200)
def test_what_was_made_is_there_until_it_is_deleted(
    start_service: Callable[..., Service], tmp_path: Path, sample: Sample
) -> None:
    """Operations one after the other, each with what the one before has answered. What would be refused in any order is
    made right (`schema_hooks.py`), so that there is something to follow."""
    service = start_service(sandbox_slots="1", sandbox_renderers="1", lease_seconds="30")
    said = run(service, tmp_path, sample, "--phases", "stateful", "--mode", "positive", "--max-examples", "12",
        seconds=sample.rounds(1800, 18), hooks=Path(__file__).with_name("schema_hooks.py"))  # fmt: skip
    followed = re.search(r"API Links: +(\d+) covered", said)
    assert followed, said[-3000:]
    assert int(followed[1]) >= 3, "hardly anything followed from anything"


def run(
    service: Service, folder: Path, sample: Sample, *options: str, seconds: int, hooks: Path | None = None
) -> str:  # fmt: skip
    """What it says, run with two accounts, whose objects are nobody else's. It must find nothing."""
    keys = {"one": service.key, "two": service.new_key(email=service.new_account()["email"])}
    headers = {name: [{"name": "Authorization", "value": f"Bearer {key}"}] for name, key in keys.items()}
    accounts = [{"name": name, "fixedHeaders": fixed} for name, fixed in headers.items()]
    (folder / "accounts.json").write_text(json.dumps({"auth": accounts}))
    (folder / "schemathesis.toml").write_text(_settings(folder / "accounts.json", hooks))
    # what it looks for, `make fuzz` finds; the suite holds what was found, by one seed, and fails nobody by chance
    seed = str(sample.rounds(sample.chance.randrange(1 << 31), 1))
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"),
        "run", f"{service.url}/openapi.json", "--checks", ",".join(CHECKS), "--seed", seed,
        "--max-time", str(seconds), "--request-timeout", "20", "--suppress-health-check", "all", "--no-color",
        "--workers", "1",  # with two threads `ast.parse` of CPython 3.11 was seen to fail inside the tool
        "--generation-database", "none", *options,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 600, check=False, cwd=folder)
    finally:
        service.kill()
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
    return done.stdout


def _settings(accounts: Path, hooks: Path | None) -> str:
    """Its file of settings: JSON's texts and lists are TOML's as well."""
    lines = [f"hooks = {json.dumps(str(hooks))}"] if hooks else []
    lines += ["[auth.wfc]", f"path = {json.dumps(str(accounts))}", f"peers = {json.dumps(['one', 'two'])}"]
    statuses = ["2xx", "3xx", "400", "401", "402", "403", "404", "409", "410", "413", "415", "422", "429"]
    lines += ["[[operations]]", f"include-operation-id = {json.dumps(list(REFUSED_IN_ORDER))}"]
    lines += [f"checks.positive_data_acceptance.expected-statuses = {json.dumps(statuses)}"]
    return "\n".join(lines)
