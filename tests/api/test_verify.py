"""`POST /v1/verify`: what it says of our files, changed ones, deleted ones, others' and plain ones; its bounds."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from delivery.kit import make_clip
from fakes.ark.media import credentials
from faults.kit import do
from security.attack import grown, kept, rows, settled
from security.conftest import video  # noqa: F401 the fixture
from stage import Service, finished, until


@pytest.fixture(scope="module")
def content(service: Service, video: dict) -> bytes:  # noqa: F811 the fixture
    with service.client() as client:
        return client.get(f"/v1/videos/{video['id']}/content").content


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("plain") / "clip.mp4", seconds=1).read_bytes()


def verify(service: Service, content: bytes, **more: str) -> dict:
    """The answer, without a key."""
    answer = httpx.post(f"{service.url}/v1/verify", content=content, headers=more, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_ours_is_known_by_signature_and_fingerprint(service: Service, content: bytes) -> None:
    before = settled(service)
    found = verify(service, content)
    assert found["object"] == "verification"
    assert (found["ours"], found["basis"]) == (True, ["signature", "fingerprint"])
    assert (found["ai_generated"], found["mark"], found["integrity"]) == (True, "found", "untouched")
    assert (found["model"], found["sandbox"], found["signed_by"]) == ("seedance-2.0-mini", True, "Seedance API")
    assert found["source_type"] == "trainedAlgorithmicMedia"
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["bytes"] == len(content)
    assert "signingCredential.trusted" in found["codes"]
    assert "preview" in found["message"]
    assert not grown(before, kept(service))
    assert not list((service.folder / "data/scratch").rglob("upload*"))


def test_the_asset_is_the_marked_file(service: Service, content: bytes, video: dict) -> None:  # noqa: F811 the fixture
    (asset,) = rows(
        service.database_url, "SELECT * FROM asset WHERE generation_id = $1 AND variant = 'video'", video["id"]
    )
    assert (asset["sha256"], asset["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert verify(service, content)["content_id"] == hashlib.sha256(video["id"].encode()).hexdigest()


def test_a_form_says_the_same(service: Service, content: bytes) -> None:
    form = {"file": ("any name.mov", content, "application/x-anything")}
    answer = httpx.post(f"{service.url}/v1/verify", files=form, trust_env=False)
    assert answer.json() == verify(service, content)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.9])
def test_a_flipped_bit_is_told(service: Service, content: bytes, place: float) -> None:
    data = bytearray(content)
    data[int(len(data) * place)] ^= 1
    found = verify(service, bytes(data))
    assert (found["mark"], found["integrity"], found["ai_generated"]) == ("found", "changed", None)
    assert found["basis"] == ["signature"]
    assert "changed" in found["message"]


def test_a_mark_on_another_film_proves_nothing(service: Service, content: bytes, plain: bytes) -> None:
    at = content.index(bytes.fromhex("d8fec3d61b0e483c92975828877ec481")) - 8
    box = content[at : at + int.from_bytes(content[at : at + 4], "big")]
    head = int.from_bytes(plain[:4], "big")
    found = verify(service, plain[:head] + box + plain[head:])
    assert (found["mark"], found["integrity"], found["ai_generated"]) == ("found", "changed", None)
    assert "taken from another" in found["message"]


def test_no_mark_is_not_called_not_ai(service: Service, plain: bytes) -> None:
    found = verify(service, plain)
    assert (found["ours"], found["basis"], found["mark"]) == (False, [], "none_found")
    assert (found["ai_generated"], found["integrity"]) == (None, "unknown")
    assert found["message"] == (
        "No mark was found. That does not mean that it is not AI-generated: marks can be lost or removed."
    )


def test_anothers_mark_is_found_and_not_ours(service: Service, plain: bytes) -> None:
    found = verify(service, credentials.sign(plain))
    assert (found["mark"], found["ours"], found["integrity"]) == ("found", False, "untouched")
    assert (found["model"], found["ai_generated"]) == ("fake-model", None)
    assert "signingCredential.untrusted" in found["codes"]


def test_a_deleted_video_is_still_known_by_its_fingerprint(service: Service) -> None:
    with service.client() as client:
        body = {"prompt": "To be deleted", "duration": 4, "resolution": "480p", "seed": 5}
        made = finished(client, client.post("/v1/videos", json=body).json()["id"])
        content = client.get(f"/v1/videos/{made['id']}/content").content
        client.delete(f"/v1/videos/{made['id']}")
    until(lambda: not rows(service.database_url, "SELECT 1 FROM asset WHERE generation_id = $1", made["id"]), 30)
    digest = hashlib.sha256(content).hexdigest()
    receipt = """
        INSERT INTO deletion (generation_id, what, place, reason, digest) VALUES ($1, 'video', 'x', 'requested', $2)
        ON CONFLICT DO NOTHING
    """
    do(service.database_url, receipt, made["id"], digest)
    assert verify(service, content)["basis"] == ["signature", "fingerprint"]


def test_the_certificates_are_for_everybody(service: Service) -> None:
    answer = httpx.get(f"{service.url}/v1/verify/certificates", trust_env=False)
    assert answer.headers["content-type"].startswith("application/x-pem-file")
    (ca,) = x509.load_pem_x509_certificates(answer.content)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert b"PRIVATE" not in answer.content


def test_an_address_may_ask_so_often(start_service: Callable[..., Service], plain: bytes, tmp_path: Path) -> None:
    service = start_service(verify_per_minute="3", verify_megabytes="1")
    small = plain[:100]
    answers = [httpx.post(f"{service.url}/v1/verify", content=small, trust_env=False) for _ in range(5)]
    assert [one.status_code for one in answers] == [400, 400, 400, 429, 429]
    error = answers[-1].json()["error"]
    assert (error["code"], error["type"]) == ("rate_limited", "rate_limit_error")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 21
    assert answers[-1].headers["x-should-retry"] == "true"
    with service.client() as client:  # others go on
        assert client.get("/v1/models").status_code == 200
