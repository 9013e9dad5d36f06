"""Issue a certificate of our own, at the first start, where the operator has none."""

import errno
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seedance_api.delivery.certificate import CERTIFICATE, KEY, TRUSTED, Certificate, kept, pem

_CA_YEARS, _LEAF_YEARS = 20, 10
_SKEW = timedelta(hours=1)  # the clocks of those who read may be behind ours
_MAX_NAME = 64  # RFC 5280, ub-organization-name


def issue(folder: Path, operator: str) -> Certificate:
    """A certificate of our own in this folder, made if there is none. Of several that start at once, one makes it."""
    if not folder.exists():
        _make(folder, operator[:_MAX_NAME])
    return kept(folder)


def _make(folder: Path, operator: str) -> None:
    """A CA, a signer's certificate by it, and its key. The CA's key is not kept: it can issue nothing else, ever."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(dir=folder.parent))  # mode 0700
    try:
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = _ca(ca_key, operator)
        _write(draft / CERTIFICATE, (pem(_leaf(key, ca, ca_key, operator)) + pem(ca)).encode())
        _write(draft / KEY, key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))  # fmt: skip
        (draft / TRUSTED).mkdir(mode=0o700)
        draft.rename(folder)  # fails when another process was first, and never shows half a folder
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _ca(key: ec.EllipticCurvePrivateKey, operator: str) -> x509.Certificate:
    name = _name(operator, "Seedance API marking CA")
    made = _begin(name, name, key.public_key(), _CA_YEARS)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_usage(signs=False), critical=True)
    return made.sign(key, hashes.SHA256())


def _leaf(
    key: ec.EllipticCurvePrivateKey, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, operator: str
) -> x509.Certificate:
    made = _begin(_name(operator, "Seedance API marking"), ca.subject, key.public_key(), _LEAF_YEARS)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(signs=True), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return made.add_extension(above, critical=False).sign(ca_key, hashes.SHA256())


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, years: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - _SKEW).not_valid_after(now + timedelta(days=365 * years))
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _name(organization: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=not signs,
        crl_sign=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
