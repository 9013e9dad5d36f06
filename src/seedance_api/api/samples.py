"""Requests as they can be sent, and what comes back: made of the schemas, so that no sample lacks a field."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from seedance_api.web.route import Route

BASE = "http://base.invalid"
"""Stands in the rendered page for the address that the reader uses."""
_LINES_MOST = 90
"""An answer that is longer is left to the table of its fields."""
_VIDEO, _EVENT = "vid_01k5rdxk0gf4v9h2m7c3n8qpwz", "evt_01m86qgpaqf6vbhwgb61bbgp5h"
_IDS = {
    "Video": _VIDEO,
    "File": "file_01k5rdw2m3x8e7q6t5s4r3p2n1",
    "WebhookEndpoint": "whe_01m86qgpaqf32872ykdwtcdhh4",
    "Event": _EVENT,
    "Model": "seedance-2.0",
}
_IN_PATH = {
    "video_id": "vid_…", "file_id": "file_…", "endpoint_id": "whe_…", "event_id": "evt_…", "month": "2026-11",
    "model": "seedance-2.0-mini", "token": "…",
}  # fmt: skip
_VALUES: dict[str, Any] = {
    "model": "seedance-2.0", "prompt": "A paper boat, low sun", "size": "1920x1080", "seconds": "5", "duration": 5,
    "resolution": "1080p", "ratio": "adaptive", "mode": "t2v", "generate_audio": True, "service_tier": "default",
    "created_at": 1795447277, "updated_at": 1795447277, "expires_at": 1795706491, "currency": "USD", "price_version": 1,
    "price_per_million_tokens": "9.240000", "quoted": "2.264031", "expected": "2.264031", "hold": "2.301305",
    "most": "2.301305", "refunded": "0.000000", "waived": "0.000000", "available": "12.500000", "held": "2.301305",
    "granted": "0.000000", "low_balance": "5.000000", "limit": "100.000000", "spent": "41.220000", "left": "58.780000",
    "resets_at": 1796083200, "charged": "2.264031", "tokens": 245025, "videos": 1, "day": "2026-11-23",
    "from": "2026-11-01", "to": "2026-11-24", "media_type": "image/png", "bytes": 482113, "width": 1280, "height": 720,
    "sha256": "5f2d0c9a1b7e4d3f8a6c5b4e3d2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f", "video_id": _VIDEO,
    "event_id": _EVENT, "webhook_endpoint_id": _IDS["WebhookEndpoint"], "name": "mine", "description": "",
    "url": "https://example.com/seedance", "event_types": ["video.completed", "video.failed"], "signatures": ["v1"],
    "event_type": "video.completed", "type": "video.completed", "signing_secret": "whsec_…",
    "signing_secret_hint": "whsec_…aSw0", "enabled": True, "success": True, "status_code": 204, "tries": 1, "count": 12,
    "outcome": "delivered", "timestamp": "2026-11-24T12:40:43.218Z", "issued_at": "2026-11-24T11:05:00Z",
    "deleted_at": "2026-11-24T11:02:07Z", "ours": True, "basis": ["signature", "fingerprint"], "ai_generated": True,
    "message": "This is, byte for byte, a file that this service delivered: it is AI-generated.",
    "source_type": "trainedAlgorithmicMedia", "signed_by": "Acme Video", "marked_at": 1795523037, "codes": [],
    "events": f"{BASE}/v1/videos/{_VIDEO}/events", "metadata": {}, "warnings": [], "livemode": True, "complete": True,
    "data": {"id": _VIDEO, "status": "completed", "expires_at": 1795783243},
}  # fmt: skip
"""What a field of this name has as its sample, where that fits its schema."""


def request_of(route: Route) -> str:
    """The request, for curl."""
    sample, operation = route.operation.sample, route.operation
    address = "$SEEDANCE_BASE_URL" + re.sub(r"{(\w+)}", lambda match: _IN_PATH.get(match[1], "…"), route.path)
    if sample.query:
        address = f'"{address}?{sample.query}"'
    body = sample.body
    method = {"GET": "", "HEAD": "-I ", "POST": "" if body or sample.curl else "-X POST "}.get(
        route.method, f"-X {route.method} "
    )
    lines = [f"curl {method}{address}"]
    if operation.auth == "key":
        lines.append('-H "Authorization: Bearer $SEEDANCE_API_KEY"')
    if body is not None:
        said = msgspec.json.encode(body).decode()
        wide = said if len(said) < 60 else msgspec.json.format(said, indent=2)
        lines += ['-H "Content-Type: application/json"', f"-d {shlex.quote(wide)}"]
    if sample.curl and route.method != "HEAD":
        lines.append(sample.curl)
    return " \\\n  ".join(lines)


def answer_of(route: Route, schemas: Mapping[str, Any]) -> str:
    """The answer, if it is JSON and one that can be read."""
    shape, sample = route.operation.answer, route.operation.sample
    if sample.text or not isinstance(shape, type) or route.method == "HEAD":
        return sample.text
    found = _value({"$ref": f"/{shape.__name__}"}, "", shape.__name__, schemas) | dict(sample.answer or {})
    text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    return text if text.count("\n") < _LINES_MOST else ""


def _value(schema: Mapping[str, Any], name: str, within: str, schemas: Mapping[str, Any]) -> Any:
    """A value that fits a schema: the one that its name has, or the plainest."""
    if name == "id":
        return next((found for prefix, found in _IDS.items() if within.startswith(prefix)), "…")
    match schema:
        case {"$ref": str(ref)}:
            inner = ref.rsplit("/", 1)[-1]
            found = schemas[inner]
            if "properties" not in found:
                return _value(found, name, inner, schemas)
            return {key: _value(one, key, inner, schemas) for key, one in found["properties"].items()}
        case {"enum": [first, *rest]}:
            return _VALUES[name] if _VALUES.get(name) in rest else first
        case {"anyOf": [*kinds]}:
            known = [one for one in kinds if name in _VALUES and _fits(_VALUES[name], one)]
            null = any(one.get("type") == "null" for one in kinds)
            return _VALUES[name] if known else None if null else _value(kinds[0], name, within, schemas)
        case _ if name in _VALUES and _fits(_VALUES[name], schema):
            return _VALUES[name]
        case {"default": default}:
            return default
        case {"type": "array", "prefixItems": [*entries]}:
            return [_value(one, name, within, schemas) for one in entries]
        case {"type": "array"}:
            items: dict[str, Any] = schema.get("items") or {}
            return [_value(items, "", within, schemas)] if "$ref" in items else []
        case _:
            return _PLAINEST.get(schema.get("type", ""))


_PLAINEST: dict[str, Any] = {"string": "…", "integer": 0, "number": 0, "boolean": False, "object": {}}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
}  # fmt: skip


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    kind = _KINDS.get(schema.get("type", ""))
    if kind is None or (isinstance(value, bool) and kind is not bool):
        return False
    return isinstance(value, kind) and not (isinstance(value, list) and "$ref" in str(schema) and value)
