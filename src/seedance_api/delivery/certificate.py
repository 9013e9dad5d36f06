"""Our certificate, which marks are signed with: read and judged."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

CERTIFICATE, KEY, TRUSTED = "certificate.pem", "key.pem", "trusted"
_USES = {
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # document signing
    ObjectIdentifier("1.3.6.1.4.1.62558.2.1"),  # C2PA claim signing
}
_RSA_BITS = 2048


class Certificate(msgspec.Struct, frozen=True):
    """Where the certificate and its key are, and the folder of those that were rotated out.

    `certificate` is a chain in PEM: the signer's first, its CA's last. The files are read anew each time, so that a new
    certificate needs no restart.
    """

    certificate: str
    key: str
    trusted: str


class Recognised(msgspec.Struct, frozen=True):
    """By what a mark is known as ours: the signers' serial numbers, in decimal, and the CAs above them, in PEM."""

    serials: tuple[str, ...]
    anchors: str


def kept(folder: Path) -> Certificate:
    """The certificate in this folder, whether it is there or not."""
    return Certificate(str(folder / CERTIFICATE), str(folder / KEY), str(folder / TRUSTED))


def fingerprint(file: str | Path) -> str:
    """SHA-256 of the signer's certificate in this file, in hexadecimal. Raises ValueError when it cannot be read."""
    return _chain(file)[0].fingerprint(hashes.SHA256()).hex()


def rotated_out(ours: Certificate) -> set[str]:
    """The fingerprints of those that are trusted still. A file that cannot be read is passed over."""
    fingerprints: set[str] = set()
    for file in Path(ours.trusted).glob("*.pem"):
        try:
            fingerprints.add(fingerprint(file))
        except ValueError:
            continue
    return fingerprints


def check(ours: Certificate) -> datetime:
    """When the certificate ends. Raises ValueError that says why it cannot be used."""
    chain = _chain(ours.certificate)
    key = _key(ours.key)
    leaf, now = chain[0], datetime.now(UTC)
    if leaf.public_key() != key.public_key():
        raise ValueError(f"the key in {ours.key} is not that of the certificate in {ours.certificate}")
    if now < leaf.not_valid_before_utc:
        raise ValueError(
            f"the certificate in {ours.certificate} is valid from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
        )
    if now >= leaf.not_valid_after_utc:
        raise ValueError(
            f"the certificate in {ours.certificate} expired on {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    if problem := _unfit(leaf) or _unchained(chain):
        raise ValueError(f"the certificate in {ours.certificate} {problem}")
    return min(link.not_valid_after_utc for link in chain)


def recognised(ours: Certificate) -> Recognised:
    """Our certificates of today and before. A file that cannot be read is passed over: others may still be good."""
    serials: list[str] = []
    anchors: list[str] = []
    for file in [ours.certificate, *sorted(Path(ours.trusted).glob("*.pem"))]:
        try:
            chain = _chain(file)
        except ValueError:
            continue
        serials.append(str(chain[0].serial_number))
        anchors.append(pem(chain[-1]))
    return Recognised(tuple(dict.fromkeys(serials)), "".join(dict.fromkeys(anchors)))


def published(ours: Certificate) -> bytes:
    """What others need to trust our marks: the CAs, in PEM."""
    return recognised(ours).anchors.encode()


def algorithm(key: str) -> str:
    """What c2pa calls the way this key signs. Raises ValueError."""
    match _key(key):
        case ec.EllipticCurvePrivateKey(curve=curve):
            return _CURVES[curve.name]
        case rsa.RSAPrivateKey():
            return "ps256"
        case _:
            return "ed25519"


_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def signers(certificate: str) -> str:
    """The chain as it goes into a mark, in PEM: without the CA's own certificate, which readers have or do not."""
    return "".join(pem(one) for one in _chain(certificate)[:-1])


def _chain(file: str | Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(Path(file).read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{file} holds no certificates in PEM") from None


def _key(file: str) -> _Key:
    try:
        mode, content = Path(file).stat().st_mode & 0o777, Path(file).read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise ValueError(f"{file} can be read by others (mode {mode:04o}); run: chmod 600 {file}")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError):  # TypeError: it is encrypted
        raise ValueError(f"{file} holds no private key in PEM without a password") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _RSA_BITS:
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise ValueError(f"{file} must be a P-256, P-384 or P-521, Ed25519, or RSA key of {_RSA_BITS} bits or more")


def _unfit(leaf: x509.Certificate) -> str | None:
    """Why C2PA would not let this certificate sign (specification 2.1, §14.5)."""
    try:
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        signs = leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return "has no (extended) key usage"
    if not signs or not uses & _USES:
        return "must be for digital signatures, of e-mail, of documents, or of C2PA claims"
    return None


def _unchained(chain: list[x509.Certificate]) -> str | None:
    try:
        for link, above in pairwise(chain):
            link.verify_directly_issued_by(above)
        chain[-1].verify_directly_issued_by(chain[-1])
    except (ValueError, TypeError):
        return "must be followed by those above it, and last by that of its CA"
    except Exception:  # noqa: BLE001 InvalidSignature is an Exception only
        return "is not signed by the one after it"
    return "is its own CA: one that is issued by a CA is needed" if len(chain) == 1 else None


def pem(certificate: x509.Certificate) -> str:
    """A certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
