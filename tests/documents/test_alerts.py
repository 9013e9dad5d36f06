"""Alerts and dashboard: they ask for metrics that there are, each alert fires when it should, and says what to do."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents.blocks import ROOT
from seedance_api.foundation.instruments import Counter, Histogram
from seedance_api.traffic.metrics import INSTRUMENTS, LABELS
from seedance_api.traffic.slo import SLOS

PROMETHEUS = ROOT / "deploy/prometheus"
OF_TARGETS = {"job", "instance", "le"}
NAME = re.compile(r"\bseedance_[a-z0-9_]+")
SELECTOR = re.compile(r"\b(seedance_[a-z0-9_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
BY = re.compile(r"\b(?:by|without|ignoring|on) \(([^)]*)\)")


def exported() -> dict[str, set[str]]:
    """Every name that a query may ask for, with its labels."""
    found: dict[str, set[str]] = {}
    for one in INSTRUMENTS:
        labels = set(one.labels)
        if isinstance(one, Counter):
            found[f"{one.name}_total"] = labels
        elif isinstance(one, Histogram):
            found |= {f"{one.name}_bucket": labels | {"le"}, f"{one.name}_count": labels, f"{one.name}_sum": labels}
        else:
            found[one.name] = labels
    return found


def rules() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return json.loads((ROOT / "deploy/grafana/seedance.json").read_text())["panels"]


def queries() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", target["expr"]


def bounds() -> dict[str, set[str]]:
    return {f"{one.name}_bucket": set(map(repr, one.bounds)) for one in INSTRUMENTS if isinstance(one, Histogram)}


ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]


def wrong_in(query: str) -> list[str]:
    """What a query asks for that there is not."""
    known = exported()
    asked = SELECTOR.findall(query)
    wrong = [name for name, _ in asked if name not in known]
    if wrong:
        return wrong
    for name, within in asked:
        for label, how, value in MATCHER.findall(within):
            if label not in known[name] | OF_TARGETS:
                wrong.append(f"{name} has no label {label}")
            elif label == "le" and value not in bounds()[name]:
                wrong.append(f"{name} has no bound {value}")
            elif how == "=" and (allowed := LABELS.get(label)) is not None and value not in allowed:
                wrong.append(f"{label} is never {value}")
            elif how == "=~" and (allowed := LABELS.get(label)) is not None:
                wrong += [f"{label} is never {each}" for each in value.split("|") if each not in allowed]
    grouped = {label for names in BY.findall(query) for label in re.split(r",\s*", names) if label}
    labels = set[str]().union(*(known[name] for name, _ in asked)) | OF_TARGETS
    return wrong + [f"nothing has the label {label}" for label in sorted(grouped - labels)]


@pytest.mark.parametrize(("name", "query"), list(queries()))
def test_every_query_asks_for_metrics_and_labels_that_there_are(name: str, query: str) -> None:
    assert wrong_in(query) == [], name


@pytest.mark.parametrize(
    "query",
    [
        "seedance_http_request_total",
        'seedance_http_requests_total{account="x"}',
        'seedance_http_requests_total{status_class="6xx"}',
        'seedance_upstream_call_seconds_count{outcome=~"5xx|lost"}',
        'seedance_webhook_delay_seconds_bucket{le="31.0"}',
        "sum by (account) (seedance_redis_up)",
    ],
)
def test_a_query_for_what_there_is_not_is_noticed(query: str) -> None:
    assert wrong_in(query) != []


def test_every_metric_is_looked_at_by_an_alert_or_a_panel() -> None:
    asked = {name for _, query in queries() for name in NAME.findall(query)}
    unseen = [
        one.name
        for one in INSTRUMENTS
        if not asked & {one.name, *(f"{one.name}_{end}" for end in ("total", "bucket", "count", "sum"))}
    ]
    assert unseen == []


def test_labels_in_texts_are_kept_by_their_queries() -> None:
    for rule in rules():
        for label in re.findall(r"\$labels\.(\w+)", rule.get("annotations", {}).get("summary", "")):
            assert label in rule["expr"] or label == "instance", f"{rule['alert']}: {label}"
    for panel in panels():
        for target in panel.get("targets", []):
            kept = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            grouped = {name for names in BY.findall(target["expr"]) for name in re.split(r",\s*", names)}
            assert kept <= (grouped or kept), panel["title"]


def test_every_alert_has_an_entry_that_says_what_to_do_and_no_other_has() -> None:
    page = (ROOT / "docs/operations.md").read_text().split("## Alerts\n", 1)[1]
    entries = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=\n### |\Z)", page, re.MULTILINE | re.DOTALL))
    assert sorted(entries) == sorted(ALERTS)
    assert len(ALERTS) == len(set(ALERTS)) >= 20
    assert [name for name, text in entries.items() if len(text) < 150] == []
    assert {rule["labels"]["severity"] for rule in rules() if "alert" in rule} == {"page", "ticket"}


def test_every_level_stands_in_the_page_as_it_is_measured() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    for name, slo in SLOS.items():
        objective = f"{slo.objective:.1%}".replace("%", " %")
        assert f"| `{name}` | {objective} | {slo.events} | {slo.good} |" in page


def test_every_alert_has_samples_with_which_it_fires_and_is_quiet() -> None:
    tests: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    tried = [(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]]
    assert sorted(tried) == sorted((name, fires) for name in ALERTS for fires in (True, False))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments",
    [["check", "rules", "rules.yml"], ["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yml"]],
)
def test_prometheus_takes_the_rules_and_they_fire_as_recorded(arguments: list[str], tmp_path: Path) -> None:
    folder = shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    done = subprocess.run(
        ["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
