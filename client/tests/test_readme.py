"""What the README names exists; what exists, it names."""

from __future__ import annotations

import re
from pathlib import Path

from fake_money import STATEMENT
from fake_service import KEY
from fake_webhooks import BODY, SECRET, signed

import seedance
from seedance import errors
from seedance.cli import app

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_every_error_is_in_the_readme():
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    assert [k.__name__ for k in kinds if k.__name__ not in README] == []


def test_every_public_name_exists():
    assert [name for name in seedance.__all__ if not hasattr(seedance, name)] == []
    imported = re.findall(r"from seedance import (.+)", README)
    assert {n.strip() for line in imported for n in line.split(",")} <= set(seedance.__all__)


def test_every_command_is_in_the_readme():
    names = [c.name or c.callback.__name__ for c in app.registered_commands]
    for group in app.registered_groups:
        names += [f"{group.name} {c.name or c.callback.__name__}" for c in group.typer_instance.registered_commands]
    assert [name for name in names if f"seedance {name}" not in README] == []


def test_the_first_video_of_the_readme_runs(service, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEEDANCE_BASE_URL", service.url)
    monkeypatch.setenv("SEEDANCE_API_KEY", KEY)
    for program in re.findall(r"```python\n(.*?)```", README, re.DOTALL)[:1]:
        exec(program, {})
    assert (tmp_path / "boat.mp4").stat().st_size == len(service.content)


def test_the_money_of_the_readme_runs(service, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    service.livemode = True
    [program] = [found for found in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "client.billing" in found]
    with seedance.Seedance(base_url=service.url, api_key=KEY) as client:
        exec(program, {"client": client})
    assert "0.381150 charged, 0.018850 released" in capsys.readouterr().out
    assert (tmp_path / "november.csv").read_bytes() == STATEMENT


def test_the_delivery_of_the_readme_runs(service, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    service.timeline = [("completed", 100)]
    [program] = [
        found for found in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "videos.delivered" in found
    ]
    with seedance.Seedance(base_url=service.url, api_key=KEY) as client:
        exec(program, {"client": client, "video": client.videos.create("x")})
    assert capsys.readouterr().out.splitlines()[1:] == ["1795527643", f"{service.url}/v1/content/tok"]


def test_the_webhooks_of_the_readme_run(service, capsys):
    receive, read = [found for found in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "event" in found][1:]
    names = {}
    exec(receive.replace("whsec_…", SECRET), names)
    assert [names["receive"](BODY, headers) for headers in (signed(), {})] == [204, 400]
    with seedance.Seedance(base_url=service.url, api_key=KEY) as client:
        exec(read.replace("evt_…", "evt_4"), {"client": client})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["vid_1", "evt_5"]
