"""Marks: what they say, that others can read them, and that nothing leaves without one."""

import hashlib
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from PIL import Image

from delivery.kit import ORIGIN, action, flipped, judged, made_certificate, manifest, signed
from fakes.ark.media import credentials
from seedance_api.delivery import certificate
from seedance_api.delivery.certificate import Certificate
from seedance_api.delivery.issue import issue
from seedance_api.delivery.mark import Marked, Unmarked

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ffmpeg is not installed (on Debian: apt-get install ffmpeg)"
)

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
READER = Path(__file__).with_name("reader.mjs")
WASM = "@contentauth/c2pa-wasm@0.13.3"


# What a mark says


def test_a_mark_says_by_whom_with_which_model_and_no_more(clip: Path, marked: Path, ours: Certificate) -> None:
    found = manifest(marked)
    assert [one["name"] for one in found["claim_generator_info"]] == ["Acme Video"]
    assert found["signature_info"]["issuer"] == "Acme Video"
    said = action(found)
    assert datetime.fromisoformat(said.pop("when")) - datetime.now(UTC) < timedelta(minutes=5)
    assert said == {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE + "trainedAlgorithmicMedia",
        "softwareAgent": {"name": "seedance-2.0-mini"},
        "description": "Made by the AI model seedance-2.0-mini.",
        "parameters": {"org.seedance-api.content_id": hashlib.sha256(b"vid_x").hexdigest()},
    }
    assert {one["label"].split(".v")[0] for one in found["assertions"]} == {"c2pa.actions", "c2pa.hash.bmff"}
    assert "ingredients" not in found
    verdict = judged(marked, ours)
    assert (verdict.ours, verdict.basis, verdict.integrity, verdict.ai_generated) == (
        True, ("signature",), "untouched", True,
    )  # fmt: skip
    assert marked.stat().st_size - clip.stat().st_size < 8192


def test_pictures_of_the_customer_and_the_sandbox_are_told(clip: Path, ours: Certificate, tmp_path: Path) -> None:
    origin = msgspec.structs.replace(ORIGIN, composite=True, sandbox=True)
    file, outcome = signed(clip, tmp_path / "to", ours, origin=origin)
    assert outcome == Marked("none")
    said = action(manifest(file))
    assert said["digitalSourceType"] == SOURCE + "compositeWithTrainedAlgorithmicMedia"
    assert said["description"].startswith("Sandbox preview")
    assert judged(file, ours).sandbox is True


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_marked_too(form: str, ours: Certificate, tmp_path: Path) -> None:
    picture, kind = tmp_path / "last_frame", f"image/{form.lower()}"
    Image.effect_mandelbrot((320, 192), (-2, -1, 1, 1), 60).convert("RGB").save(picture, form)
    file, outcome = signed(picture, tmp_path / "to", ours, media_type=kind)
    assert outcome == Marked("none")
    assert action(manifest(file, kind))["action"] == "c2pa.created"
    with Image.open(file) as image:
        image.load()
    assert judged(file, ours).ours
    assert judged(flipped(file, tmp_path / "flipped"), ours).integrity == "changed"


# What others say of it


@needs_ffmpeg
def test_a_file_plays_as_before(clip: Path, marked: Path) -> None:
    def played(file: Path) -> str:
        command = ["ffmpeg", "-v", "error", "-i", str(file), "-f", "framemd5", "-"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    assert played(marked) == played(clip)


def test_a_flipped_bit_is_a_changed_file(marked: Path, ours: Certificate, tmp_path: Path) -> None:
    verdict = judged(flipped(marked, tmp_path / "flipped.mp4"), ours)
    assert (verdict.mark, verdict.ours, verdict.integrity, verdict.ai_generated) == ("found", True, "changed", None)
    assert "assertion.bmffHash.mismatch" in verdict.codes


def test_an_independent_reader_trusts_it_and_sees_a_flipped_bit(
    marked: Path, ours: Certificate, tmp_path: Path
) -> None:
    folder = node_package()
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(certificate.published(ours))
    files = [str(marked), str(flipped(marked, tmp_path / "flipped.mp4"))]
    command = ["node", str(READER), str(folder), str(anchors), *files]
    whole, broken = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert whole == {"state": "Trusted", "failures": []}
    assert broken == {"state": "Invalid", "failures": ["assertion.bmffHash.mismatch"]}
    anchors.write_bytes(certificate.published(made_certificate(tmp_path / "other")))
    (strange, _) = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert strange == {"state": "Valid", "failures": ["signingCredential.untrusted"]}


def node_package() -> Path:
    """The reader's folder, installed once; skips where it cannot be had."""
    folder = Path(tempfile.gettempdir()) / "seedance-test-c2pa-reader"
    folder.mkdir(exist_ok=True)
    try:
        if not (folder / "node_modules/@contentauth/c2pa-wasm/pkg/c2pa_bg.wasm").exists():
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), WASM]
            subprocess.run(command, check=True, capture_output=True, timeout=90)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the independent reader {WASM} cannot be had: {type(error).__name__}")
    return folder


# What a provider's file had before


def test_a_providers_mark_is_kept_as_the_parent(clip: Path, ours: Certificate, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.mp4"
    theirs.write_bytes(credentials.sign(clip.read_bytes()))
    stranger = judged(theirs, ours)
    assert (stranger.mark, stranger.ours, stranger.integrity, stranger.ai_generated) == (
        "found", False, "untouched", None,
    )  # fmt: skip
    assert (stranger.model, stranger.source_type) == ("fake-model", "trainedAlgorithmicMedia")
    file, outcome = signed(theirs, tmp_path / "to", ours)
    assert outcome == Marked("kept")
    (parent,) = manifest(file)["ingredients"]
    assert parent["relationship"] == "parentOf"
    failures = parent["validation_results"]["activeManifest"]["failure"]
    assert [one["code"] for one in failures] == ["signingCredential.untrusted"]
    verdict = judged(file, ours)
    assert (verdict.ours, verdict.integrity, verdict.model) == (True, "untouched", "seedance-2.0-mini")


def test_a_providers_mark_that_does_not_fit_is_kept_with_its_fault(
    clip: Path, ours: Certificate, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.mp4"
    theirs.write_bytes(credentials.sign(clip.read_bytes()))
    file, outcome = signed(flipped(theirs, theirs), tmp_path / "to", ours)
    assert outcome == Marked("kept")
    (parent,) = manifest(file)["ingredients"]
    codes = {one["code"] for one in parent["validation_results"]["activeManifest"]["failure"]}
    assert "assertion.bmffHash.mismatch" in codes
    assert judged(file, ours).integrity == "untouched"


def test_a_providers_mark_that_cannot_be_read_is_recorded_as_broken(
    clip: Path, ours: Certificate, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.mp4"
    theirs.write_bytes(credentials.sign(clip.read_bytes(), broken=True))
    assert judged(theirs, ours).integrity == "changed"
    file, outcome = signed(theirs, tmp_path / "to", ours)
    assert outcome == Marked("broken")
    (parent,) = manifest(file)["ingredients"]
    assert (parent["relationship"], parent["description"][:24]) == ("parentOf", "Its Content Credentials ")
    assert judged(file, ours).ours


# Certificates


def test_several_processes_make_one_certificate(tmp_path: Path) -> None:
    folder = tmp_path / "secrets/marking"
    context = multiprocessing.get_context("spawn")
    makers = [context.Process(target=issue, args=(folder, "Acme")) for _ in range(4)]
    for one in makers:
        one.start()
    for one in makers:
        one.join()
    assert [one.exitcode for one in makers] == [0] * 4
    assert {path.name for path in folder.parent.iterdir()} == {"marking"}
    made = issue(folder, "Acme")
    assert certificate.check(made) > datetime.now(UTC) + timedelta(days=3000)
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "certificate.pem": 0o600, "key.pem": 0o600, "trusted": 0o700,
    }  # fmt: skip
    assert b"PRIVATE" not in certificate.published(made)


def unusable(name: str, folder: Path) -> Certificate:
    """A certificate with a fault."""
    if name == "expired":
        return made_certificate(folder, starts=timedelta(days=-9), days=8)
    if name == "not yet valid":
        return made_certificate(folder, starts=timedelta(days=1))
    found = made_certificate(folder)
    key = Path(found.key)
    if name == "no key":
        key.unlink()
    elif name == "another's key":
        key.write_bytes(Path(made_certificate(folder / "other").key).read_bytes())
    elif name == "open key":
        key.chmod(0o644)
    elif name == "garbage":
        key.write_text("garbage")
    elif name == "no certificate":
        Path(found.certificate).write_text("")
    elif name == "no CA":
        chain = Path(found.certificate)
        chain.write_text(chain.read_text().partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n")
    return found


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expired", "expired on"), ("not yet valid", "is valid from"), ("no key", "cannot be read"),
        ("another's key", "is not that of"), ("open key", "can be read by others"), ("garbage", "no private key"),
        ("no certificate", "no certificates"), ("no CA", "must be followed by"),
    ],
)  # fmt: skip
def test_with_a_certificate_that_will_not_do_there_is_no_mark(
    name: str, reason: str, clip: Path, tmp_path: Path
) -> None:
    bad = unusable(name, tmp_path / "bad")
    with pytest.raises(ValueError, match=reason):
        certificate.check(bad)
    _, outcome = signed(clip, tmp_path / "to", bad)
    assert isinstance(outcome, Unmarked)
    assert reason in outcome.reason


def test_what_a_certificate_signed_that_was_rotated_out_stays_ours(clip: Path, tmp_path: Path) -> None:
    before, now = made_certificate(tmp_path / "before"), made_certificate(tmp_path / "now")
    old, _ = signed(clip, tmp_path / "old", before)
    new, _ = signed(clip, tmp_path / "new", now)
    assert (judged(new, now).ours, judged(old, now).ours) == (True, False)
    (Path(now.trusted) / "2025.pem").write_text(Path(before.certificate).read_text())
    (Path(now.trusted) / "damaged.pem").write_text("x")
    assert (judged(new, now).ours, judged(old, now).ours, judged(new, before).ours) == (True, True, False)
    assert certificate.published(now).count(b"BEGIN CERTIFICATE") == 2


def test_a_certificate_of_the_same_ca_is_not_ours(clip: Path, tmp_path: Path) -> None:
    mine, other = made_certificate(tmp_path / "mine"), made_certificate(tmp_path / "other")
    file, _ = signed(clip, tmp_path / "to", other)
    (Path(mine.trusted) / "other.pem").write_text(Path(other.certificate).read_text())
    known = certificate.recognised(mine)
    assert len(known.serials) == 2
    assert judged(file, mine).ours
    (Path(mine.trusted) / "other.pem").write_text(
        Path(mine.certificate).read_text().partition("-----END")[0]
        + "-----END CERTIFICATE-----\n"
        + Path(other.certificate).read_text().partition("-----END CERTIFICATE-----\n")[2]
    )  # its CA is known, its own number is not
    assert judged(file, mine).ours is False


# Time stamps


def test_a_time_stamp_is_vouched_for(clip: Path, ours: Certificate, tmp_path: Path) -> None:
    with authority(tmp_path) as url:
        file, outcome = signed(clip, tmp_path / "to", ours, tsa_url=url)
    assert outcome == Marked("none")
    verdict = judged(file, ours)
    assert verdict.time_stamped, verdict.codes
    assert verdict.ours
    assert verdict.integrity == "untouched"


def test_without_its_authority_a_mark_is_not_time_stamped(clip: Path, ours: Certificate, tmp_path: Path) -> None:
    file, outcome = signed(clip, tmp_path / "to", ours, tsa_url="http://127.0.0.1:9/")
    assert outcome == Marked("none")
    verdict = judged(file, ours)
    assert (verdict.ours, verdict.time_stamped) == (True, False)
    assert verdict.marked_at is not None


class authority:  # noqa: N801 used like a function
    """A time-stamping authority on loopback, by OpenSSL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ts.cnf").write_text(_TSA.format(folder=folder))
        command = "req -x509 -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.pem -days 30 -subj /O=Clock/CN=Clock"
        options = ["-config", "ts.cnf", "-extensions", "clock"]
        subprocess.run(["openssl", *command.split(), *options], cwd=folder, check=True, capture_output=True)
        (folder / "serial").write_text("01\n")

    def __enter__(self) -> str:
        folder = self.folder

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                (folder / "q.tsq").write_bytes(self.rfile.read(int(self.headers["content-length"])))
                command = ["openssl", "ts", "-reply", "-queryfile", "q.tsq", "-config", "ts.cnf", "-out", "r.tsr"]
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                body = (folder / "r.tsr").read_bytes()
                self.send_response(200)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


_TSA = """
[req]
distinguished_name = name
[name]
[clock]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = tsa1
[tsa1]
dir = {folder}
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha384, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


# Where the library is


def test_only_children_load_the_library() -> None:
    code = "import sys, seedance_api.app.answer, seedance_api.cli.serve; print('c2pa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
