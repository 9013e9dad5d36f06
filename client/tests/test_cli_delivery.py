"""What the command says about delivery, webhooks and events."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess

import pytest
from fake_delivery import PUBLIC_KEY, SHA256, receipt
from fake_service import CONTENT, Fault
from fake_webhooks import SECRET, TYPES, event
from terminal import SEEDANCE, on_terminal

from seedance.cli.videos import moment

UNTIL = moment(1795527643)
URL = "https://example.com/seedance"


@pytest.fixture
def video_id(service):
    service.timeline = [("completed", 100)]
    return service.create({})["id"]


@pytest.fixture
def endpoint_id(run):
    return json.loads(run("webhooks", "create", URL, "--json").stdout)["id"]


def test_download_confirms_and_says_until_when_it_is_kept(run, service, video_id):
    said = json.loads(run("download", video_id, "--json").stdout)
    assert (said["sha256"], said["verified"], said["confirmed"]) == (hashlib.sha256(CONTENT).hexdigest(), True, True)
    assert (said["path"], said["delivered_at"], said["something_new"]) == (f"{video_id}.mp4", 1795524043, {"a": 1})
    result = run("download", video_id)
    assert result.stdout == f"✓ {video_id}.mp4  (0.5 MB, {video_id})\n"
    assert result.stderr.splitlines()[-1] == f"It is delivered; the service keeps it until {UNTIL}."
    assert json.loads(run("generate", "x", "--json").stdout)["delivered_at"] == 1795524043


def test_download_confirms_nothing_if_asked_not_to(run, service, video_id):
    result = run("download", video_id, "--no-confirm")
    assert (result.exit_code, "deliver" in result.stderr) == (0, False)
    said = json.loads(run("download", video_id, "--no-confirm", "--json").stdout)
    assert (said["verified"], said["confirmed"], said["delivered_at"]) == (True, False, None)
    assert run("download", video_id, "--variant", "thumbnail").exit_code == 0
    assert run("generate", "x", "--no-confirm").exit_code == 0
    assert service.seen("POST", ".*/delivered") == []
    assert run("generate", "x").exit_code == 0
    assert len(service.seen("POST", ".*/delivered")) == 1


def test_a_download_that_cannot_be_confirmed_is_good_and_says_so(run, service, video_id):
    service.fail("POST", ".*/delivered", Fault(status=410))
    result = run("download", video_id)
    assert result.exit_code == 0
    assert f"The service could not be told. To tell it: seedance delivered {video_id}" in result.stderr
    service.digested = False
    result = run("download", video_id)
    assert f"no digest to verify it by. If it is good: seedance delivered {video_id}" in result.stderr


def test_a_damaged_download_is_3_and_leaves_nothing(run, service, video_id, tmp_path):
    service.fail("GET", r".*/content", *[Fault(damaged=True)] * 2)
    result = run("download", video_id)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "damaged twice" in result.stderr
    assert list(tmp_path.glob("*.mp4")) == []


def test_the_last_frame_is_fetched_before_the_video_is_delivered(run, service):
    assert run("generate", "x", "--last-frame-out", "last.png").exit_code == 0
    sent = [r.path.rsplit("/", 1)[1] + str(r.query) for r in service.requests if "_0001/" in r.path][-3:]
    assert sent == ["content{'variant': 'last_frame'}", "content{}", "delivered{}"]


def test_delivered_and_link(run, service, video_id):
    said = run("delivered", video_id).stdout
    assert said == f"{video_id} is delivered; the service keeps it until {UNTIL}\n"
    assert f"delivered  {moment(1795524043)}\n" in run("status", video_id).stdout
    assert json.loads(run("delivered", video_id, "--json").stdout)["delivered_at"] == 1795524043
    result = run("link", video_id, "--variant", "last_frame", "--expires-in", "60")
    assert result.stdout == f"{service.url}/v1/content/tok\n"
    assert result.stderr == f"Works until {moment(1795524103)}, for whoever has it.\n"
    assert json.loads(run("link", video_id, "--json").stdout)["new"] == 7
    assert service.seen("POST", ".*/links")[0].json == {"variant": "last_frame", "expires_in": 60}


def test_a_receipt(run, service, video_id):
    result = run("receipt", video_id)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"video      {video_id}", "complete   no"]
    assert lines[3] == f"signature  good, by {PUBLIC_KEY}"
    rows = [line.split("\t") for line in lines[4:]]
    assert [row[:3] for row in rows] == [
        ["deleted", "video", "store"],
        ["kept", "prompt", "database"],
        ["kept", "copy", "upstream"],
    ]
    assert rows[0][4:] == ["delivered", "0.5 MB", SHA256]
    assert rows[2][3:] == ["not known yet", "-", "-", "-"]
    assert json.loads(run("receipt", video_id, "--json").stdout) == receipt(video_id)
    assert ", the key you named" in run("receipt", video_id, "--public-key", PUBLIC_KEY).stdout


def test_a_receipt_that_is_not_right_is_1(run, service, video_id):
    other = "A" * 43 + "="
    assert run("receipt", video_id, "--public-key", other).exit_code == 1
    result = run("receipt", video_id, "--public-key", other, "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "receipt_invalid")
    service.receipt = receipt(video_id) | {"complete": True}
    assert "not as it was signed" in run("receipt", video_id).stderr


def test_webhooks_are_made_changed_and_deleted(run, service):
    assert run("webhooks", "list").stderr == "No endpoints.\n"
    made = run("webhooks", "create", URL, "--event", "video.completed", "--name", "mine", "--signature", "v1")
    assert made.stdout.splitlines() == [
        "id         whe_1",
        f"url        {URL}",
        "name       mine",
        "events     video.completed",
        "signed by  v1",
        "enabled    yes",
        f"secret     {SECRET}",
    ]
    assert "shown only now" in made.stderr
    row = run("webhooks", "list").stdout
    assert row == f"whe_1\tenabled\t{URL}\tvideo.completed\tmine\n"
    changed = run("webhooks", "update", "whe_1", "--disable", "--event", "video.failed").stdout
    assert "enabled    no (owner)\n" in changed
    assert SECRET not in changed
    assert run("webhooks", "list").stdout.startswith("whe_1\tdisabled (owner)\t")
    assert json.loads(run("webhooks", "update", "whe_1", "--enable", "--json").stdout)["enabled"] is True
    assert run("webhooks", "delete", "whe_1").stdout == "Deleted whe_1\n"
    result = run("webhooks", "delete", "whe_1", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["status"]) == (1, 404)


def test_a_test_fails_unless_it_was_taken(run, endpoint_id):
    result = run("webhooks", "test", endpoint_id)
    assert (result.exit_code, result.stdout) == (0, "✓ it answered 204  (delivered, video.completed)\n")
    dead = json.loads(run("webhooks", "create", URL, "--name", "dead", "--json").stdout)["id"]
    result = run("webhooks", "test", dead, "--event", "balance.low")
    assert (result.exit_code, result.stdout) == (1, "✗ it did not answer  (unreachable, balance.low)\n")
    result = run("webhooks", "test", dead, "--json")
    assert (result.exit_code, json.loads(result.stdout)["success"]) == (1, False)


def test_deliveries_and_replay(run, service, endpoint_id):
    rows = [line.split("\t") for line in run("webhooks", "deliveries", endpoint_id).stdout.splitlines()]
    assert [row[0] for row in rows] == ["evt_5", "evt_4", "evt_3", "evt_2", "evt_1"]
    assert rows[1][2:] == ["pending", "2", f"unreachable {moment(1795524049)}", moment(1795524349)]
    assert rows[0][2:] == ["delivered", "1", f"204 delivered {moment(1)}", "-"]
    some = json.loads(run("webhooks", "deliveries", endpoint_id, "--state", "pending", "--limit", "1", "--json").stdout)
    assert [one["event_id"] for one in some["data"]] == ["evt_4"]
    assert run("webhooks", "deliveries", endpoint_id, "--state", "failed").stderr == "No deliveries.\n"
    assert run("webhooks", "replay", endpoint_id, "--event", "evt_1").stdout == "1 delivery queued\n"
    since = ["--since", "2026-11-24T00:00+00:00", "--until", "1795600000", "--only-failed"]
    assert run("webhooks", "replay", endpoint_id, *since).stdout == "2,007 deliveries queued\n"
    asked = service.seen("POST", ".*/replay")[1].json
    assert asked == {"since": 1795478400, "until": 1795600000, "only_failed": True}


def test_secrets(run, service, endpoint_id):
    result = run("webhooks", "rotate", endpoint_id, "--keep-old")
    assert result.stdout.splitlines() == [
        f"secret     {SECRET}",
        f"           the previous secret stays active until {moment(1795610443)}",
    ]
    assert run("webhooks", "rotate", "--account").stdout == f"secret     {SECRET}\n"
    told = run("webhooks", "secret").stdout
    assert told.startswith("secret     whsec_…tzc3\n")
    assert "webhooks rotate --account" in told
    assert json.loads(run("webhooks", "secret", "--json").stdout)["new"] == 7
    assert [r.path for r in service.seen("POST", ".*/rotate.*")] == [
        f"/v1/webhook_endpoints/{endpoint_id}/rotate_secret",
        "/v1/webhook_secret/rotate",
    ]


def test_events(run, service):
    rows = [line.split("\t") for line in run("events").stdout.splitlines()]
    assert [row[0] for row in rows] == [f"evt_{number}" for number in range(1, 6)]
    assert rows[0][1:] == [
        moment(1795524043), TYPES[1], "vid_1", f"expires_at={moment(1795783243)}",
    ]  # fmt: skip
    result = run("events", "--limit", "2", "--after", "evt_1")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["evt_2", "evt_3"]
    assert result.stderr == "There are more: seedance events --after evt_3\n"
    said = json.loads(run("events", "--limit", "2", "--json").stdout)
    assert ([one["new"] for one in said["data"]], said["last_id"], said["has_more"]) == ([7, 7], "evt_2", True)
    said = json.loads(run("events", "--after", "evt_5", "--json").stdout)
    assert (said["data"], said["last_id"], said["has_more"]) == ([], "evt_5", False)
    assert run("events", "--type", "video.completed").stdout.count("\n") == 3
    assert run("events", "--after", "evt_5").stderr == "No events.\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_events_are_followed_until_interrupted(environment, service, tmp_path, as_json):
    command = [*SEEDANCE, "events", "--follow", "--after", "evt_4", *(["--json"] if as_json else [])]
    child = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    first = child.stdout.readline()
    service.webhooks.events.append(event(6))
    second = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    rest, said = child.communicate(timeout=30)
    ids = [json.loads(line)["id"] if as_json else line.split("\t")[0] for line in (first, second)]
    assert (ids, rest, child.returncode) == (["evt_5", "evt_6"], "", 130)
    assert "Traceback" not in said


@pytest.mark.parametrize("columns", ["80", "140"])
def test_on_a_terminal_there_are_tables(environment, service, tmp_path, columns, video_id):
    service.webhooks.endpoint("POST", [""], {}, {"url": URL, "event_types": ["*"], "name": "\x1b[31mmine"})
    environment |= {"COLUMNS": columns}
    for command, wanted in [
        (["events"], ["video.completed", "vid_1"]),
        (["webhooks", "list"], ["whe_1", "enabled", "balance.low"]),
        (["webhooks", "deliveries", "whe_1"], ["evt_4", "pending", "unreachable"]),
        (["receipt", video_id], ["not known yet", "deleted", f"{SHA256[:12]}…"]),
    ]:
        output = on_terminal(command, environment, tmp_path)
        assert [word for word in wanted if word not in output] == [], output
        assert "\x1b[31mmine" not in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["link", "../x"],
        ["link", "vid_1", "--variant", "sound"],
        ["link", "vid_1", "--expires-in", "0"],
        ["webhooks"],
        ["webhooks", "create"],
        ["webhooks", "test", "../x"],
        ["webhooks", "update", "whe_1"],
        ["webhooks", "rotate"],
        ["webhooks", "rotate", "whe_1", "--account"],
        ["webhooks", "replay", "whe_1"],
        ["webhooks", "replay", "whe_1", "--event", "evt_1", "--since", "1"],
        ["webhooks", "replay", "whe_1", "--event", "evt_1", "--only-failed"],
        ["webhooks", "replay", "whe_1", "--since", "yesterday"],
        ["events", "--limit", "0"],
    ],
)
def test_a_usage_error_is_2_and_costs_no_request(run, service, arguments):
    assert run(*arguments).exit_code == 2
    assert service.requests == []
