"""Whatever goes wrong is said in a line, with what to do: no traceback, and an exit code that means something."""

from __future__ import annotations

import datetime as dt
import json
import resource
import signal
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_answers import error
from fake_service import CONTENT, KEY, Fault
from terminal import SEEDANCE, wait_for

PROXIES = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"))


class Website(BaseHTTPRequestHandler):
    """Answers as whatever stands where a base URL was mistyped."""

    def do_GET(self):
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def website():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Website)
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("base_url", "code", "said"),
    [
        ("127.0.0.1:8000", 2, "must start with http:// or https://"),
        ("localhost:8000", 2, "'localhost:8000'"),
        ("user:hunter2@localhost", 2, "must start with http://"),
        ("ftp://example.com", 2, "must start with http://"),
        ("http://", 2, "name a host"),
        ("http://a..b", 2, "is not a URL"),
        ("http://" + "a" * 64 + ".example", 2, "is not a URL"),
        ("http://127.0.0.1:port", 2, "is not a URL"),
        ("http://127.0.0.1:9", 3, "connection refused"),
        ("http://nowhere.invalid", 3, "the host name cannot be resolved"),
    ],
)
def test_a_base_url_that_leads_nowhere(process, base_url, code, said):
    done = process("balance", SEEDANCE_BASE_URL=base_url, **PROXIES)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/v1", "//", "/v1//v1/"])
def test_a_base_url_may_end_as_it_is_copied(process, service, ending):
    service.livemode = True
    assert process("balance", SEEDANCE_BASE_URL=service.url + ending).returncode == 0
    assert [one.path for one in service.requests] == ["/v1/balance"]


PAGE = b"<!doctype html><title>Welcome</title>"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ((200, {"Content-Type": "text/html"}, PAGE), 3, "answered, but not with a JSON object: check the base URL"),
        ((404, {"Content-Type": "text/html"}, PAGE), 1, "without the error of a Seedance API service: check the base"),
        ((403, {"Content-Type": "application/json"}, b'{"detail": "no"}'), 1, "check the base URL"),
        ((200, {"Content-Type": "application/json"}, b'{"hello": "world"}'), 3, "the answer is not a Balance"),
        ((301, {"Location": "https://www.example.com/"}, b""), 3, "redirects to https://www.example.com/"),
        ((502, {"Content-Type": "text/html"}, PAGE), 1, "answered HTTP 502"),
    ],
)
def test_somebody_else_answers(process, website, answer, code, said):
    website.answer = answer
    done = process("balance", SEEDANCE_BASE_URL=website.url, **PROXIES)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert website.url in done.stderr or code == 3


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"http_proxy": "http://user:hunter2@127.0.0.1:9"}, 3, "through the proxy 127.0.0.1:9 of your environment"),
        ({"http_proxy": "gopher://127.0.0.1:9"}, 2, "the proxy that the environment names cannot be used"),
        ({"SSL_CERT_FILE": "/no/such/file"}, 2, "/no/such/file (SSL_CERT_FILE) cannot be read"),
        ({"SEEDANCE_API_KEY": "two words"}, 2, "the API key is empty or has characters that no key has"),
    ],
)
def test_an_environment_that_is_wrong(process, changes, code, said):
    done = process("balance", SEEDANCE_BASE_URL="http://seedance.invalid", **(PROXIES | changes))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "hunter2" not in done.stderr


def test_a_certificate_that_nobody_has_signed(process, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)

        def shake_hands():
            for _ in range(4):
                try:
                    context.wrap_socket(listener.accept()[0], server_side=True).close()
                except OSError:
                    continue

        thread = threading.Thread(target=shake_hands, daemon=True)
        thread.start()
        done = process("balance", SEEDANCE_BASE_URL=f"https://127.0.0.1:{listener.getsockname()[1]}", **PROXIES)
    assert done.returncode == 3
    assert "its certificate is not accepted: self-signed certificate" in done.stderr


def test_tls_where_there_is_none(process, service):
    done = process("balance", SEEDANCE_BASE_URL=service.url.replace("http:", "https:"))
    assert done.returncode == 3
    assert "it does not speak TLS; does the base URL begin with http://?" in done.stderr


def self_signed(folder):
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "server.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    with file.open("ab") as more:
        more.write(made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def finished(service):
    return service.create({})["id"]


def test_a_full_disk_names_the_file_and_leaves_what_was_there(environment, finished, tmp_path):
    (tmp_path / "boat.mp4").write_bytes(b"older")

    def small_files():
        # a signal would end the process; without it, the write fails as on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 2,) * 2)

    done = subprocess.run(
        [*SEEDANCE, "download", finished, "-o", "boat.mp4"], cwd=tmp_path, env=environment, preexec_fn=small_files,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "error: boat.mp4: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("boat.mp4", b"older")]


def test_a_full_device_names_it(process, finished):
    done = process("download", finished, "-o", "/dev/full")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: /dev/full: No space left on device" in done.stderr


def test_a_full_standard_output_is_said(environment, finished, tmp_path):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*SEEDANCE, "download", finished, "-o", "-"], cwd=tmp_path, env=environment, stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "error: standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["list", "--limit", "100"], ["models"], ["events"], ["download", "ID", "-o", "-"]]
)
def test_a_reader_that_has_enough(environment, service, tmp_path, arguments):
    video_id = service.create({})["id"]
    for _ in range(90):
        service.create({"prompt": "x" * 2000})
    child = subprocess.Popen(
        [*SEEDANCE, *(video_id if one == "ID" else one for one in arguments)], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        child.stdout.close()
        said = child.stderr.read()
    assert "Traceback" not in said
    assert "Error" not in said


@pytest.mark.parametrize("arguments", [["events", "--follow"], ["download", "ID"], ["generate", "x"]])
def test_ctrl_c(environment, service, tmp_path, arguments):
    service.timeline = [("queued", 0), *[("in_progress", 1)] * 1000]
    service.pace_seconds = 0.05
    video_id = service.create({})["id"]
    child = subprocess.Popen(
        [*SEEDANCE, *(video_id if one == "ID" else one for one in arguments)], cwd=tmp_path, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: service.requests)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in said
    assert "interrupted" in said or "continues on the service" in said


REFUSED = "`file`: the file holds several pictures: send one as a file of its own."


@pytest.mark.parametrize("option", ["--image", "--first-frame", "--last-frame", "--reference"])
@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_file_that_is_refused_is_named(run, service, option, status):
    Path("a.png").write_bytes(b"1")
    Path("anim.gif").write_bytes(b"2")
    problem = {"path": "file", "message": REFUSED, "code": "bad_media"}
    bad = Fault(status=status, body=error(status, REFUSED, errors=[problem]))
    good = Fault(status=200, body={"id": "file_1", "object": "file"})
    service.fail("POST", "/v1/files", *[good, bad] * 2)
    result = run("quote", "x", "--image", "a.png", option, "anim.gif")
    assert result.exit_code == 1
    if option == "--image":
        assert result.stderr.startswith("error: anim.gif: the file holds several pictures: send one")
    assert "anim.gif: the file holds several pictures" in result.stderr
    assert "`file`" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    said = json.loads(run("generate", "x", "--image", "a.png", option, "anim.gif", "--json").stdout)["error"]
    assert said["message"] == said["errors"][0]["message"] == REFUSED.replace("`file`", "anim.gif")


def test_verify_names_the_file_too(run, service):
    Path("t.txt").write_bytes(b"1")
    service.fail("POST", "/v1/verify", Fault(status=400, body=error(400, "The file is no MP4.")))
    assert run("verify", "t.txt").stderr.startswith("error: t.txt: The file is no MP4.")


def test_a_refusal_that_is_not_the_file_s_names_none(run, service):
    Path("a.png").write_bytes(b"1")
    service.fail("POST", "/v1/files", Fault(status=401, body=error(401, "Invalid API key.")))
    assert "a.png" not in run("quote", "x", "--image", "a.png").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quote", "x", "--duration", "five"], "'five' is not a whole number of seconds, such as 5\n"),
        (["quote", "x", "--seed", "1.5"], "'1.5' is not a whole number, such as 5\n"),
        (["link", "vid_1", "--expires-in", "1h"], "'1h' is not a whole number of seconds, such as 3600\n"),
        (["generate", "x", "--expires-after", "1h"], "'1h' is not a whole number of seconds, such as 3600\n"),
        (["list", "--limit", "0"], "0 is too small; the least is 1\n"),
        (["webhooks", "list", "--limit", "many"], "'many' is not a whole number, such as 5\n"),
    ],
)
def test_a_number_that_is_none_is_named_with_an_example(run, service, arguments, said):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(said)
    assert service.requests == []


def test_seconds_are_the_duration(run, service):
    assert run("quote", "x", "--seconds", "5").exit_code == 0
    assert service.requests[-1].json["duration"] == 5


def test_help_keeps_what_stands_in_brackets(run):
    assert "[default: 900]" in run("link", "--help").stdout


def test_without_a_key_the_command_says_where_one_goes(process):
    done = process("list", SEEDANCE_API_KEY=None)
    assert done.returncode == 2
    assert done.stderr == "error: no API key: set SEEDANCE_API_KEY, or run `seedance login`\n"


def test_a_login_that_cannot_be_read_or_saved(process, service, tmp_path):
    nothing = {"SEEDANCE_BASE_URL": None, "SEEDANCE_API_KEY": None}
    (tmp_path / "config/seedance/credentials.json").mkdir(parents=True)
    done = process("list", **nothing)
    assert done.returncode == 2
    assert "credentials.json cannot be read: Is a directory" in done.stderr
    (tmp_path / "afile").write_text("")
    place = {"XDG_CONFIG_HOME": str(tmp_path / "afile")}
    done = process("login", "--base-url", service.url, "--api-key", KEY, **(nothing | place))
    assert done.returncode == 1
    assert "afile" in done.stderr


def test_help_and_version_are_everywhere(run):
    assert run("--version").stdout.startswith("seedance ")
    for option in ("-h", "--help"):
        for command in ([], ["generate"], ["webhooks"], ["webhooks", "create"], ["list"]):
            shown = run(*command, option)
            assert (shown.exit_code, "Usage:" in shown.stdout) == (0, True), command
