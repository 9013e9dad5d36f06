"""Content Credentials of a film's maker, as a vendor may one day put them into its films."""

import io
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import c2pa

MAKER = "Fake Maker Ltd."
_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_CLAIM = b"c2pa.claim.v2"


@cache
def certificate() -> tuple[bytes, bytes]:
    """A certificate of the maker's and its key, in PEM, by a CA that nobody knows."""
    with tempfile.TemporaryDirectory(prefix="fake-maker-") as name:
        folder = Path(name)
        (folder / "ca.cnf").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
        (folder / "leaf.cnf").write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n"
            "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        )
        for command in (
            "ecparam -name prime256v1 -genkey -noout -out ca.key",
            f"req -new -key ca.key -subj /O={MAKER.replace(' ', '_')}/CN=CA -out ca.csr",
            "x509 -req -in ca.csr -signkey ca.key -days 30 -extfile ca.cnf -out ca.pem",
            "ecparam -name prime256v1 -genkey -noout -out sec1.key",
            "pkcs8 -topk8 -nocrypt -in sec1.key -out leaf.key",
            f"req -new -key leaf.key -subj /O={MAKER.replace(' ', '_')}/CN=leaf -out leaf.csr",
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile leaf.cnf -out leaf.pem",
        ):
            subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
        return (folder / "leaf.pem").read_bytes(), (folder / "leaf.key").read_bytes()


def sign(film: bytes, *, broken: bool = False) -> bytes:
    """The film with the maker's mark; a broken one cannot be read."""
    action = {"action": "c2pa.created", "digitalSourceType": _SOURCE, "softwareAgent": {"name": "fake-model"}}
    claim = {
        "claim_generator_info": [{"name": MAKER}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    leaf, key = certificate()
    target = io.BytesIO()
    with c2pa.Builder.from_json(claim, c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}})) as one:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", leaf, key, None))
        one.sign(signer, "video/mp4", io.BytesIO(film), target)
    made = target.getvalue()
    if not broken:
        return made
    at = made.index(_CLAIM) + 30
    return made[:at] + bytes(30) + made[at + 30 :]
