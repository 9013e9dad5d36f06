"""Sign files, in a process of its own, and read each back: the file came from outside. Run by `mark.py`."""

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import c2pa
import msgspec

from seedance_api.delivery import certificate
from seedance_api.delivery.certificate import Recognised
from seedance_api.delivery.declare import Declaration, declared
from seedance_api.delivery.mark import CONTENT_ID, SANDBOX, Marked, Origin, Question, Unmarked, Unsigned
from seedance_api.delivery.part import MalformedError
from seedance_api.delivery.recognise import context, recognise
from seedance_api.delivery.verify import Seen
from seedance_api.foundation.splice import Spliced

_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_INSIDE = "claimSignature.insideValidity"
_TITLE = "The file as the provider delivered it"
_BUFFER = 1 << 18
_BROKEN = "Its Content Credentials are damaged and could not be kept."


def main() -> None:
    """Answer on standard output."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(sign(question)))


def sign(question: Question) -> Marked | Unmarked:
    """Sign every file. A key or a certificate that will not do is told from a file that will not."""
    ours = question.marking.certificate
    try:
        certificate.check(ours)
        recognised = certificate.recognised(ours)
        outcomes = [_sign(one, question, recognised) for one in question.files]
    except (ValueError, OSError) as error:
        return Unmarked(str(error), ours=True)
    except c2pa.C2paError as error:
        return Unmarked(f"C2PA: {type(error).__name__}")  # its text may quote the file
    except MalformedError:
        return Unmarked("there is no place for XMP: the file's structure does not add up")
    failed = [one for one in outcomes if isinstance(one, Unmarked)]
    kept = [one for one in outcomes if one != Marked()]
    return next(iter(failed + kept), Marked())


def _sign(file: Unsigned, question: Question, recognised: Recognised) -> Marked | Unmarked:
    target = Path(question.folder) / file.name
    had = recognise(Path(file.parent), recognised) if file.parent else None
    if not isinstance(had, Seen) or not had.found:
        _write(file, target, question)
        outcome = Marked("none")
    elif _write(file, target, question, parent=file.parent):
        outcome = Marked("kept")
    else:
        _write(file, target, question, broken=True)
        outcome = Marked("broken")
    seen = recognise(target, recognised)
    if isinstance(seen, Seen) and seen.ours and not seen.changed and _INSIDE in seen.codes:
        return outcome
    codes = ", ".join(getattr(seen, "codes", ()))
    ours = isinstance(seen, Seen) and not seen.changed  # what is whole and not ours is so for the certificate's sake
    return Unmarked(f"what was signed does not read as ours: {codes}", ours=ours)


def _write(
    file: Unsigned, target: Path, question: Question, *, parent: str | None = None, broken: bool = False
) -> bool:
    """Write the signed file; False when the mark of `parent` cannot be taken over."""
    marking = question.marking
    ours, tsa = marking.certificate, marking.tsa_url
    info = c2pa.C2paSignerInfo(
        certificate.algorithm(ours.key).encode(),
        certificate.signers(ours.certificate).encode(),
        Path(ours.key).read_bytes(),
        tsa.encode() if tsa else None,
    )
    with c2pa.Builder.from_json(_manifest(question.origin, marking.operator, broken=broken), context("")) as builder:
        if parent is not None:
            try:
                with Path(parent).open("rb") as source:
                    builder.add_ingredient({"title": _TITLE, "relationship": "parentOf"}, file.media_type, source)
            except c2pa.C2paError:
                return False
        with Path(file.path).open("rb") as source, target.open("w+b") as signed:
            pieces = declared(source, file.media_type, _declaration(question.origin))
            whole = io.BufferedReader(Spliced(source, pieces), _BUFFER)
            builder.sign(c2pa.Signer.from_info(info), file.media_type, whole, signed)
    return True


def _manifest(origin: Origin, operator: str, *, broken: bool) -> dict[str, Any]:
    """What the mark says. No prompt, no metadata and nothing of the customer is in it."""
    action = {
        "action": "c2pa.created",
        "when": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "digitalSourceType": _source_type(origin),
        "softwareAgent": {"name": origin.model},
        "description": _description(origin),
        "parameters": {CONTENT_ID: origin.content_id} | ({SANDBOX: True} if origin.sandbox else {}),
    }
    manifest: dict[str, Any] = {
        "claim_generator_info": [{"name": operator}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    if broken:
        manifest["ingredients"] = [
            {"title": _TITLE, "description": _BROKEN, "format": "video/mp4", "relationship": "parentOf"}
        ]
    return manifest


def _source_type(origin: Origin) -> str:
    return _SOURCE + ("compositeWithTrainedAlgorithmicMedia" if origin.composite else "trainedAlgorithmicMedia")


def _declaration(origin: Origin) -> Declaration:
    """The same as the mark says, for programs that do not read marks."""
    kind = _source_type(origin)
    return Declaration(kind, f"AI-generated ({kind}). {_description(origin)}")


def _description(origin: Origin) -> str:
    if origin.sandbox:
        return (
            f"Sandbox preview: drawn by a program in the place of the AI model {origin.model}, which took no part. "
            "It is marked as that model's work would be."
        )
    return f"Made by the AI model {origin.model}."


if __name__ == "__main__":
    main()
