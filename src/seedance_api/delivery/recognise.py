"""Recognise: what Content Credentials (C2PA) a file holds, and whether they are ours. A child of `verify.py`."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import c2pa
import msgspec

from seedance_api.delivery.certificate import Recognised
from seedance_api.delivery.count_boxes import has_too_many_boxes
from seedance_api.delivery.mark import CONTENT_ID, SANDBOX
from seedance_api.delivery.verify import Question, Seen, Unreadable

_HEAD = 1 << 20
_MAX_TEXT, _MAX_CODES = 200, 50
_UNREADABLE = "manifest.unreadable"
"""Our own code: there is something like Content Credentials, and C2PA's library cannot read it."""
_OF_THE_SIGNER = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")
"""Codes that say something of who signed and when, and nothing of the content."""


class _Agent(msgspec.Struct):
    name: str = ""


class _Action(msgspec.Struct, rename="camel"):
    action: str = ""
    digital_source_type: str = ""
    software_agent: _Agent | str = ""
    when: str | None = None
    parameters: dict[str, Any] = {}


class _Actions(msgspec.Struct):
    actions: list[_Action] = []


class _Assertion(msgspec.Struct):
    label: str = ""
    data: Any = None


class _Signature(msgspec.Struct):
    issuer: str | None = None
    common_name: str | None = None
    cert_serial_number: str | None = None
    time: str | None = None


class _Manifest(msgspec.Struct):
    assertions: list[_Assertion] = []
    signature_info: _Signature = msgspec.field(default_factory=_Signature)


class _Status(msgspec.Struct):
    code: str = ""


class _Codes(msgspec.Struct):
    success: list[_Status] = []
    failure: list[_Status] = []


class _Results(msgspec.Struct, rename="camel"):
    active_manifest: _Codes = msgspec.field(default_factory=_Codes)


class _Store(msgspec.Struct):
    active_manifest: str = ""
    manifests: dict[str, _Manifest] = {}
    validation_results: _Results = msgspec.field(default_factory=_Results)


def main() -> None:
    """Answer on standard output."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    answer = recognise(Path(question.file), question.recognised)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def recognise(file: Path, recognised: Recognised) -> Seen | Unreadable:
    """What the file says of itself. A damaged mark is a mark; a file of no kind that can carry one is unreadable."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
        kind = kind_of(head)
        if kind is None:
            return Unreadable()
        if kind == "video/mp4" and has_too_many_boxes(opened, file.stat().st_size):
            return Unreadable()
        opened.seek(0)
        try:
            with c2pa.Reader(kind, opened, context=context(recognised.anchors)) as reader:
                store = msgspec.json.decode(reader.json(), type=_Store)
        except c2pa.C2paError.ManifestNotFound:
            return Seen()
        except (c2pa.C2paError, msgspec.MsgspecError):
            marked = b"c2pa" in head  # the label of every store
            return Seen(found=True, changed=True, codes=(_UNREADABLE,)) if marked else Unreadable()
    return _seen(store, recognised)


def kind_of(head: bytes) -> str | None:
    """The media type of what is marked by us, by its first bytes."""
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return "image/jpeg" if head.startswith(b"\xff\xd8\xff") else None


def context(anchors: str) -> c2pa.Context:
    """C2PA's library, trusting these CAs and nobody else, and fetching nothing that a file points to."""
    return c2pa.Context.from_dict(
        {
            "core": {"allowed_network_hosts": []},
            "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
            "trust": {"user_anchors": anchors} if anchors else {},
            "builder": {"thumbnail": {"enabled": False}},
        }
    )


def _seen(store: _Store, recognised: Recognised) -> Seen:
    manifest = store.manifests.get(store.active_manifest, _Manifest())
    codes = store.validation_results.active_manifest
    good = {status.code for status in codes.success}
    bad = {status.code for status in codes.failure}
    signature = manifest.signature_info
    signed = "claimSignature.validated" in good
    bound = any(code.startswith("assertion.") and code.endswith("Hash.match") for code in good)
    action = next(_actions(manifest), _Action())
    agent = action.software_agent
    content_id = action.parameters.get(CONTENT_ID)
    return Seen(
        found=True,
        ours=signed and "signingCredential.trusted" in good and signature.cert_serial_number in recognised.serials,
        changed=not (signed and bound) or any(not code.startswith(_OF_THE_SIGNER) for code in bad),
        model=_text(agent if isinstance(agent, str) else agent.name),
        sandbox=action.parameters.get(SANDBOX) is True,
        source_type=_text(action.digital_source_type.rsplit("/", 1)[-1]),
        content_id=_text(content_id) if isinstance(content_id, str) else None,
        signed_by=_text(signature.issuer or signature.common_name or ""),
        marked_at=_unix(signature.time or action.when),
        time_stamped=signature.time is not None and any(code.startswith("timeStamp.") for code in good),
        codes=tuple(sorted(code[:_MAX_TEXT] for code in good | bad))[:_MAX_CODES],
    )


def _actions(manifest: _Manifest) -> Iterator[_Action]:
    """The actions that name a source, the first one first."""
    for assertion in manifest.assertions:
        if assertion.label.startswith("c2pa.actions"):
            try:
                actions = msgspec.convert(assertion.data, _Actions).actions
            except msgspec.ValidationError:
                continue
            yield from (action for action in actions if action.digital_source_type)


def _text(text: str) -> str | None:
    """A text of a stranger, fit to be shown."""
    return "".join(letter for letter in text[:_MAX_TEXT] if letter.isprintable()) or None


def _unix(time: str | None) -> int | None:
    try:
        return int(datetime.fromisoformat(time).timestamp()) if time else None
    except (ValueError, OverflowError, OSError):
        return None


if __name__ == "__main__":
    main()
