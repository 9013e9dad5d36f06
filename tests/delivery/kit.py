"""What the tests of marks share: one small clip, certificates of all kinds, and readers."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import c2pa
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from seedance_api.delivery import certificate
from seedance_api.delivery import issue as issuing
from seedance_api.delivery.certificate import Certificate
from seedance_api.delivery.mark import Marked, Marking, Origin, Unmarked, Unsigned, content_id, mark
from seedance_api.delivery.verify import Unreadable, Verdict, judge, look
from seedance_api.foundation.confine import Confine

CANARY = "c4n4ry7e57"
ORIGIN = Origin(model="seedance-2.0-mini", sandbox=False, composite=False, content_id=content_id("vid_x"))


def make_clip(path: Path, *, seconds: int = 4, width: int = 320, height: int = 192) -> Path:
    """A clip with sound; its pictures move."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=24, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        ground = np.random.default_rng(1).integers(0, 200, (height // 16, width // 16 + 40, 3), dtype=np.uint8)
        ground = ground.repeat(16, 0).repeat(16, 1)
        for number in range(24 * seconds + 1):
            at = number * 4 % 512
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(ground[:, at : at + width]), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        tone = (0.2 * np.sin(np.arange(44100 * seconds) / 20)).astype(np.float32)
        for at in range(0, len(tone) - 1024, 1024):
            piece = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
            piece.sample_rate, piece.pts = 44100, at
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    return path


def made_certificate(folder: Path, *, starts: timedelta = timedelta(days=-1), days: int = 30) -> Certificate:
    """A signer's certificate with these dates, under a CA of its own."""
    folder.mkdir()
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = issuing._ca(ca_key, "Acme Video")
    leaf = issuing._leaf(key, ca, ca_key, "Acme Video")
    begins = datetime.now(UTC) + starts
    again = x509.CertificateBuilder(
        leaf.issuer, leaf.subject, key.public_key(), leaf.serial_number, begins, begins + timedelta(days=days),
        list(leaf.extensions),
    ).sign(ca_key, hashes.SHA256())  # fmt: skip
    (folder / "certificate.pem").write_text(certificate.pem(again) + certificate.pem(ca))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    (folder / "key.pem").chmod(0o600)
    (folder / "trusted").mkdir()
    return Certificate(str(folder / "certificate.pem"), str(folder / "key.pem"), str(folder / "trusted"))


def signed(
    source: Path,
    folder: Path,
    ours: Certificate,
    *,
    origin: Origin = ORIGIN,
    media_type: str = "video/mp4",
    tsa_url: str | None = None,
) -> tuple[Path, Marked | Unmarked]:
    """Mark a file; where the marked one is, and the outcome."""
    folder.mkdir()
    parent = str(source) if media_type == "video/mp4" else None
    files = [Unsigned(source.name, str(source), media_type, parent=parent)]
    marking = Marking(operator="Acme Video", certificate=ours, tsa_url=tsa_url)
    return folder / source.name, asyncio.run(mark(files, folder, origin, marking, Confine(slots=1)))


def judged(file: Path, ours: Certificate) -> Verdict:
    """What is said of a file that is not known by its digest."""
    seen = asyncio.run(look(file, certificate.recognised(ours), Confine(slots=1)))
    assert not isinstance(seen, Unreadable)
    return judge(seen, None, sha256="", size=0)


def manifest(file: Path, media_type: str = "video/mp4") -> dict[str, Any]:
    """The active manifest of a file, by the library itself."""
    with file.open("rb") as opened, c2pa.Reader(media_type, opened, context=c2pa.Context.from_dict({})) as reader:
        store = json.loads(reader.json())
    return store["manifests"][store["active_manifest"]]


def action(found: dict[str, Any]) -> dict[str, Any]:
    """The one action of a manifest of ours."""
    (one,) = [each for each in found["assertions"] if each["label"] == "c2pa.actions.v2"]
    (only,) = one["data"]["actions"]
    return only


def flipped(file: Path, to: Path, places: Sequence[int] = ()) -> Path:
    """The file with one bit flipped in each of these places; in the middle if none is named."""
    data = bytearray(file.read_bytes())
    for place in places or (len(data) // 2,):
        data[place] ^= 4
    to.write_bytes(data)
    return to
