"""Nothing unmarked leaves: without a key that will do, a video waits, and no process starts."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import forkserver
from delivery.kit import action, made_certificate, manifest
from delivery.test_mark import unusable
from faults.kit import do
from faults.upstream import MAIN, Live, fast_fake, table
from security.attack import log, rows
from stage import Service, finished, fresh_database, until

SMALL = {"prompt": "x", "duration": 4, "resolution": "480p", "seed": 1}


def settings_of(folder: Path) -> dict[str, Any]:
    return {"marking_certificate": str(folder / "certificate.pem"), "marking_key": str(folder / "key.pem")}


def run(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forkserver.run([*arguments], service.environment, text=True, timeout=60)


def test_F40_nothing_unmarked_leaves_and_with_the_key_again_work_goes_on(  # noqa: N802 its name in the table of faults
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    ours = made_certificate(tmp_path / "ours")
    service = start_service(live_sandbox="true", **settings_of(tmp_path / "ours"))
    service.credit("20")
    until(lambda: "worker.ready" in log(service))  # it would not start without the key
    key = Path(ours.key)
    hidden = key.rename(key.with_suffix(".away"))
    with service.client(service.new_key("live")) as client:
        before = client.get("/v1/balance").json()
        lost, saved = (client.post("/v1/videos", json=SMALL | {"seed": seed}).json()["id"] for seed in (1, 2))
        until(lambda: all(waits(service, one, 7) for one in (lost, saved)), 90)  # a bad file is given six tries
        assert client.get(f"/v1/videos/{saved}/content").status_code != 200
        store = service.folder / "data/objects/content"
        assert [path for path in store.rglob("*") if path.is_file()] == []
        assert rows(service.database_url, "SELECT 1 FROM asset") == []
        assert float(client.get("/v1/balance").json()["held"]) > 0
        do(service.database_url, "UPDATE generation SET deadline_at = now(), due_at = now() WHERE id = $1", lost)
        done = finished(client, lost)
        assert (done["status"], done["error"]["code"]) == ("failed", "marking_failed")
        assert (done["error"]["payer"], done["error"]["retry"]) == ("operator", True)
        assert done["cost"]["charged"] == "0.000000"
        hidden.rename(key)
        until(lambda: not waits(service, saved, 0), 90)
        done = finished(client, saved)
        assert done["status"] == "completed"
        after = client.get("/v1/balance").json()
        assert after["held"] == "0.000000"
        charged = float(before["available"]) - float(after["available"])
        assert abs(charged - float(done["cost"]["charged"])) < 1e-9, "once, and for the one that was made"
    assert rows(service.database_url, "SELECT count(*) AS n FROM attempt")[0]["n"] == 2, "each was made once"
    service.doctor()


def waits(service: Service, video: str, tries: int) -> bool:
    """Whether it has been tried so often and is not stored; the waits between are cut short."""
    sql = "UPDATE generation SET due_at = now() WHERE id = $1 AND state = 'storing' AND claimed_until IS NULL"
    do(service.database_url, sql, video)
    sql = "UPDATE pgqueuer SET execute_after = now() WHERE payload = convert_to($1, 'UTF8') AND status = 'queued'"
    do(service.database_url, sql, video)
    (found,) = rows(service.database_url, "SELECT state, tries FROM generation WHERE id = $1", video)
    return found["state"] != "completed" and found["tries"] >= tries


def test_a_certificate_is_rotated_without_a_restart(start_service: Callable[..., Service], tmp_path: Path) -> None:
    ours = made_certificate(tmp_path / "ours")
    service = start_service(**settings_of(tmp_path / "ours"), marking_trusted=ours.trusted)

    def made(seed: int) -> bytes:
        with service.client() as client:
            video = client.post("/v1/videos", json=SMALL | {"seed": seed}).json()
            assert finished(client, video["id"])["status"] == "completed"
            return client.get(f"/v1/videos/{video['id']}/content").content

    def basis(content: bytes) -> list[str]:
        return httpx.post(f"{service.url}/v1/verify", content=content, trust_env=False).json()["basis"]

    old = made(1)
    (Path(ours.trusted) / "old.pem").write_bytes(Path(ours.certificate).read_bytes())
    new = made_certificate(tmp_path / "new")
    Path(new.key).replace(ours.key)
    Path(new.certificate).replace(ours.certificate)
    after = made(2)
    assert basis(old) == basis(after) == ["signature", "fingerprint"]
    (Path(ours.trusted) / "old.pem").unlink()
    assert basis(old) == ["fingerprint"]


@pytest.mark.parametrize("name", ["expired", "not yet valid", "no key", "another's key"])
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)])
def test_a_bad_certificate_stops_the_start(
    name: str, command: tuple[str, ...], database_url: str, tmp_path: Path
) -> None:
    unusable(name, tmp_path / "bad")
    service = Service(database_url, tmp_path, started=False, **settings_of(tmp_path / "bad"))
    done = run(service, *command)
    assert done.returncode == 2
    assert str(tmp_path / "bad") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("days", "status"), [(365, "ok"), (12, "warning"), (0, "error")])
def test_the_doctor_tells_the_certificates_end(days: int, status: str, database_url: str, tmp_path: Path) -> None:
    made_certificate(tmp_path / "ours", days=days or 30)
    service = Service(database_url, tmp_path, started=False, **settings_of(tmp_path / "ours"))
    service.command("init")
    if days == 0:  # it has ended meanwhile
        ended = made_certificate(tmp_path / "ended", days=0)
        Path(ended.certificate).replace(tmp_path / "ours/certificate.pem")
        Path(ended.key).replace(tmp_path / "ours/key.pem")
    done = run(service, "doctor", "--json")
    (remark,) = [one for one in json.loads(done.stdout)["remarks"] if one["name"] == "marking"]
    assert remark["status"] == status, remark
    assert done.returncode == (1 if status == "error" else 0)


def test_videos_of_an_upstream_are_marked_and_its_own_mark_is_kept(
    postgres: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    with fresh_database(postgres) as url, fast_fake() as fake:
        live = Live(url, tmp_path_factory.mktemp("live"), table("main", fake.url, MAIN), fake)
        prompts = {how: live.fault("download", {"credentials": how}) for how in ("whole", "broken")}
        prompts["none"] = "no fault."
        videos = {how: live.create(prompt) for how, prompt in prompts.items()}
        live.ends(*videos.values())
        found = {}
        for how, video in videos.items():
            with live.service.client() as client:
                content = client.get(f"/v1/videos/{video}/content").content
            file = tmp_path / f"{how}.mp4"
            file.write_bytes(content)
            verdict = httpx.post(f"{live.service.url}/v1/verify", content=content, trust_env=False).json()
            assert (verdict["basis"], verdict["sandbox"]) == (["signature", "fingerprint"], False)
            assert (verdict["model"], verdict["ai_generated"]) == (MAIN, True)
            found[how] = manifest(file)
            assert action(found[how])["softwareAgent"] == {"name": MAIN}
            for secret in (prompts[how], live.service.account["id"], live.service.account["email"], video):
                assert secret.encode() not in content
        assert {how: [one["relationship"] for one in each.get("ingredients", [])] for how, each in found.items()} == {
            "whole": ["parentOf"], "broken": ["parentOf"], "none": [],
        }  # fmt: skip
        codes = found["whole"]["ingredients"][0]["validation_results"]["activeManifest"]
        assert [one["code"] for one in codes["failure"]] == ["signingCredential.untrusted"]
        live.is_sound()
        live.stop()
