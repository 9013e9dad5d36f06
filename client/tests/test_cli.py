"""The command: as a process, and in this one."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from fake_answers import error
from fake_service import CONTENT, KEY, Fault
from terminal import SEEDANCE, on_terminal, wait_for

from seedance.config import Login, save_login


def test_generate_makes_a_file(process, service, tmp_path):
    (tmp_path / "a.png").write_bytes(b"picture")
    done = process("generate", "a cat", "--image", "a.png", "--duration", "5", "-o", "out.mp4")
    assert (done.returncode, done.stdout) == (
        0,
        "✓ out.mp4  (1280x720, 5 s, 0.5 MB, vid_0001)\n  cost     free with a test key\n",
    )
    assert (tmp_path / "out.mp4").read_bytes() == CONTENT
    lines = done.stderr.splitlines()
    wanted = [
        "uploading a.png 100 %",
        "queued vid_0001",
        "in_progress 0 %",
        "in_progress 40 %",
        "completed vid_0001",
    ]
    assert lines[: len(wanted)] == wanted
    assert lines[-1] == "downloading 100 %"
    assert "\x1b" not in done.stdout + done.stderr
    [request] = service.seen("POST", "/v1/videos")
    assert request.json == {"prompt": "a cat", "images": ["file_1"], "duration": 5}


def test_generate_json_prints_one_object(process):
    done = process("generate", "a cat", "--json")
    video = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (video["status"], video["path"], video["something_new"]) == ("completed", "vid_0001.mp4", {"a": 1})
    assert video["urls"]["new"] == 1


def test_generate_on_a_terminal_shows_a_bar_that_goes_away(environment, service, tmp_path):
    service.pace_seconds = 0.3
    output = on_terminal(["generate", "a cat", "-o", "out.mp4"], environment, tmp_path)
    assert "queued" in output
    assert "in_progress" in output
    assert "40 %" in output
    saved, cost = output.splitlines()[-2:]
    assert saved.endswith("✓ out.mp4  (1280x720, 5 s, 0.5 MB, vid_0001)\x1b[0m")
    assert cost.endswith("free with a test key")


def test_every_option_reaches_the_service(run, service, tmp_path):
    Path("a.png").write_bytes(b"1")
    result = run(
        "generate", "p", "--first-frame", "a.png", "--last-frame", "https://x/l.png", "--reference", "file_7",
        "--reference", "https://x/v.mp4?k=1", "--reference", "data:audio/wav;base64,AA", "--model", "m",
        "--resolution", "720p", "--ratio", "16:9", "--seed", "3", "--no-audio", "--camera-fixed",
        "--webhook-url", "https://x/hook", "--expires-after", "7200",
        "--watermark", "--draft", "--metadata", "a=b=c", "--metadata", "d=", "--last-frame-out", "last.png",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert service.seen("POST", "/v1/videos")[0].json == {
        "prompt": "p", "model": "m", "resolution": "720p", "ratio": "16:9", "seed": 3,
        "webhook_url": "https://x/hook", "expires_after": 7200,
        "generate_audio": False, "camera_fixed": True, "watermark": True, "draft": True,
        "return_last_frame": True, "metadata": {"a": "b=c", "d": ""},
        "images": [
            {"role": "first_frame", "file_id": "file_1"},
            {"url": "https://x/l.png", "role": "last_frame"},
            {"file_id": "file_7", "role": "reference"},
        ],
        "videos": [{"url": "https://x/v.mp4?k=1", "role": "reference"}],
        "audios": [{"url": "data:audio/wav;base64,AA", "role": "reference"}],
    }  # fmt: skip
    assert Path("last.png").read_bytes() == CONTENT
    assert service.seen("GET", r".*/content")[0].query == {"variant": "last_frame"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate"],
        ["generate", "x", "--image", "missing.png"],
        ["generate", "x", "-o", "no/such/folder/out.mp4"],
        ["generate", "x", "-o", "."],
        ["generate", "x", "--metadata", "novalue"],
        ["generate", "x", "--duration", "five"],
        ["status", "../models"],
        ["list", "--limit", "0"],
        ["nonsense"],
    ],
)
def test_a_usage_error_is_2_and_costs_no_request(run, service, arguments):
    assert run(*arguments).exit_code == 2
    assert service.requests == []


def test_a_refusal_is_1_and_lists_every_problem(run, service):
    problems = [
        {"path": "duration", "message": "out of bounds", "value": 99, "allowed": {"min": 4, "max": 15}},
        {"path": "ratio", "message": "unknown", "value": "\x1b[31m", "allowed": ["16:9", "1:1"]},
    ]
    refusal = Fault(status=422, body=error(422, "Two problems", errors=problems))
    service.fail("POST", "/v1/videos", refusal, refusal)
    result = run("generate", "x")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "  - duration: out of bounds (given 99; allowed: min 4, max 15)\n" in result.stderr
    assert "allowed: 16:9, 1:1" in result.stderr
    assert "\x1b" not in result.stderr
    result = run("generate", "x", "--json")
    assert result.exit_code == 1
    assert [p["path"] for p in json.loads(result.stdout)["error"]["errors"]] == ["duration", "ratio"]


def test_a_failed_video_is_1(run, service):
    service.timeline = [("queued", 0), ("failed", 0)]
    result = run("generate", "x")
    assert result.exit_code == 1
    assert "the prompt was refused (moderation)" in result.stderr
    result = run("generate", "x", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["status"] == "failed"
    assert list(Path().glob("*.mp4")) == []


def test_no_server_is_3(process):
    done = process("list", SEEDANCE_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 3
    assert "http://127.0.0.1:9/v1/videos got no answer" in done.stderr


def test_a_loss_after_the_creation_names_the_id(run, service):
    service.fail("GET", r".*/content", *[Fault(status=404)] * 9)
    result = run("generate", "x")
    assert result.exit_code == 1
    assert "To fetch the video later: seedance download vid_0001" in result.stderr


def test_no_key_is_2_and_says_what_to_do(process):
    done = process("list", SEEDANCE_API_KEY=None)
    assert done.returncode == 2
    assert "seedance login" in done.stderr
    done = process("list", "--json", SEEDANCE_API_KEY=None)
    assert json.loads(done.stdout)["error"]["code"] == "configuration_error"


def test_interrupted_without_a_terminal_it_goes_on(environment, service, tmp_path):
    service.timeline = [("queued", 0), *[("in_progress", 1)] * 1000]
    service.pace_seconds = 0.05
    child = subprocess.Popen(
        [*SEEDANCE, "generate", "x", "-o", "out.mp4"], cwd=tmp_path, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for(lambda: service.seen("GET", r".*/events"))
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "seedance download vid_0001 -o out.mp4" in said
    assert service.seen("POST", ".*/cancel") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answer", "canceled"), [(b"n\n", True), (b"\n", False), (b"\x03", False)])
def test_interrupted_on_a_terminal_it_asks(environment, service, tmp_path, answer, canceled):
    service.timeline = [("queued", 0), *[("in_progress", 1)] * 1000]
    service.pace_seconds = 0.05

    def react(output, said):
        if "in_progress" in output and not said:
            return b"\x03"
        return answer if "Leave it running?" in output and len(said) == 1 else None

    output = on_terminal(["generate", "x"], environment, tmp_path, react=react, exit_code=130)
    assert bool(service.seen("POST", ".*/cancel")) is canceled
    assert ("Canceled vid_0001" if canceled else "seedance download vid_0001") in output


def test_the_other_commands(run, service):
    video_id = json.loads(run("generate", "x", "--json", "--metadata", "a=b").stdout)["id"]
    assert "status     completed" in run("status", video_id).stdout
    assert json.loads(run("status", video_id, "--json").stdout)["id"] == video_id
    assert run("list").stdout.startswith(f"{video_id}\tcompleted\t")
    assert json.loads(run("list", "--json").stdout)["data"][0]["id"] == video_id
    assert "108,900 (at most 114,286)" in run("quote", "x").stdout
    assert json.loads(run("quote", "x", "--json").stdout)["new"] == 7
    current, retired = run("models").stdout.splitlines()
    assert current.split("\t") == [
        "seedance-2.0-mini",
        "active (default)",
        "480p, 720p",
        "4–15 or auto",
        "text, first frame",
        "9 images, 3 videos",
        "sound, flex tier",
    ]
    assert retired.split("\t")[:3] == ["seedance-1.5-pro", "retired: use seedance-2.0-mini", ""]
    assert len(json.loads(run("models", "--json").stdout)["data"]) == 2
    assert run("download", video_id, "-o", "again.mp4").stdout.startswith("✓ again.mp4")
    assert Path("again.mp4").read_bytes() == CONTENT
    assert json.loads(run("download", video_id, "--variant", "thumbnail", "--json").stdout)["path"] == (
        f"{video_id}.thumbnail.jpg"
    )
    assert run("cancel", video_id).stdout.startswith(f"Canceled {video_id}\n")
    assert json.loads(run("cancel", video_id, "--json").stdout)["status"] == "canceled"
    assert json.loads(run("delete", video_id, "--json").stdout)["deleted"] is True
    assert run("delete", video_id).exit_code == 1
    empty = run("list")
    assert (empty.stdout, empty.stderr) == ("", "No videos.\n")


def test_download_waits_for_a_video_that_is_not_finished(run, service):
    video_id = service.create({})["id"]
    result = run("download", video_id)
    assert result.exit_code == 0
    assert Path(f"{video_id}.mp4").read_bytes() == CONTENT


def test_list_goes_over_pages(run, service):
    for _ in range(130):
        service.create({})
    assert len(run("list", "--limit", "120").stdout.splitlines()) == 120


def test_login_is_saved_for_its_owner_only_and_used(process, service, tmp_path):
    nothing = {"SEEDANCE_BASE_URL": None, "SEEDANCE_API_KEY": None}
    done = process("login", "--base-url", service.url + "/", "--api-key", KEY, **nothing)
    assert done.returncode == 0, done.stderr
    saved = tmp_path / "config" / "seedance" / "credentials.json"
    assert json.loads(saved.read_text()) == {"base_url": service.url, "api_key": KEY}
    assert saved.stat().st_mode & 0o777 == 0o600
    assert process("list", **nothing).returncode == 0
    other = process("list", SEEDANCE_API_KEY=None, SEEDANCE_BASE_URL="http://127.0.0.1:9")
    assert other.returncode == 2
    assert "log in there" in other.stderr


def test_login_asks(environment, service, tmp_path):
    def react(output, said):
        return f"{KEY}\n".encode() if "API key: " in output and not said else None

    output = on_terminal(["login", "--base-url", service.url], environment, tmp_path, react=react)
    assert KEY not in output
    assert "logged in" in output


@pytest.mark.parametrize("piped", ["{key}\n", "{key}", "{url}\n{key}\n"])
def test_login_reads_a_pipe(environment, service, tmp_path, piped):
    done = subprocess.run(
        [*SEEDANCE, "login"], cwd=tmp_path, env=environment, input=piped.format(key=KEY, url=service.url),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "logged in" in done.stdout
    assert "Warning" not in done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("piped", ["", "\n", "a b c"])
def test_login_from_a_pipe_without_a_key(run, service, piped):
    result = run("login", input=piped)
    assert (result.exit_code, service.requests) == (2, [])
    assert "standard input must be the key" in result.stderr


def test_a_table_names_the_columns_that_it_hides(environment, service, tmp_path):
    service.create({"prompt": "a cat", "seconds": "5"})
    output = on_terminal(["list"], environment | {"COLUMNS": "50"}, tmp_path)
    assert "vid_0001" in output
    assert "columns hidden (" in output
    assert "length" in output.splitlines()[-1]
    assert "widen the terminal, or use --json" in output
    assert "hidden" not in on_terminal(["list"], environment | {"COLUMNS": "200"}, tmp_path)


def test_a_dumb_terminal_has_a_width_like_any_other(environment, service, tmp_path):
    service.create({"prompt": "a cat " * 20})
    narrow = on_terminal(["list"], environment | {"COLUMNS": "60"}, tmp_path, term="dumb")
    wide = on_terminal(["list"], environment | {"COLUMNS": "220"}, tmp_path, term="dumb")
    assert "hidden" in narrow
    assert "hidden" not in wide
    assert max(map(len, wide.splitlines())) > 120


def test_login_with_a_wrong_key_saves_nothing(run, service, tmp_path):
    result = run("login", "--base-url", service.url, "--api-key", "sda_test_wrong")
    assert result.exit_code == 1
    assert not (tmp_path / "config").exists()


def test_a_dash_is_standard_output_everywhere(environment, service, tmp_path):
    video_id = service.create({})["id"]
    for arguments in (
        ["generate", "a cat", "-o", "-"],
        ["download", video_id, "-o", "-"],
        ["download", video_id, "-o", "/dev/stdout"],
        ["download", video_id, "-o", "-", "--variant", "last_frame"],
        ["generate", "a cat", "--last-frame-out", "-", "-o", "video.mp4"],
    ):
        done = subprocess.run(
            [*SEEDANCE, *arguments], cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout == CONTENT) == (0, True), done.stderr
        assert "✓ standard output  (" in done.stderr.decode()
        assert "downloading 100 %" in done.stderr.decode() or "--last-frame-out" in arguments
    assert {one.name for one in tmp_path.iterdir()} - {"config"} == {"video.mp4"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "x", "-o", "-", "--json"],
        ["download", "vid_1", "-o", "-", "--json"],
        ["generate", "x", "-o", "-", "--last-frame-out", "-"],
        ["generate", "x", "--last-frame-out", "socket"],
    ],
)
def test_what_cannot_be_written_is_refused_before_a_video_is_made(run, service, arguments):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        result = run(*arguments)
    assert result.exit_code == 2
    assert service.requests == []


def test_a_saved_login_that_is_a_link_stays_one(run, tmp_path):
    kept = tmp_path / "dotfiles.json"
    kept.write_text("{}")
    (tmp_path / "config/seedance").mkdir(parents=True)
    (tmp_path / "config/seedance/credentials.json").symlink_to(kept)
    save_login(Login(base_url="http://127.0.0.1:1", api_key=KEY))
    assert (tmp_path / "config/seedance/credentials.json").is_symlink()
    assert KEY in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
