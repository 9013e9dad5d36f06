"""The OpenAPI 3.1 document, made of the structs that the handlers decode and encode, and of the table below."""

from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

import msgspec

from seedance_api.api.account_events import EventList
from seedance_api.api.billing import Balance, SetBalance, UsageList
from seedance_api.api.content import VARIANTS
from seedance_api.api.delivery import ContentLink, LinkForm
from seedance_api.api.errors import ErrorView
from seedance_api.api.files import FileDeleted, FileView
from seedance_api.api.health import Health
from seedance_api.api.models import ModelList
from seedance_api.api.quotes import QuoteView
from seedance_api.api.understand import CreateVideo, MediaItem
from seedance_api.api.verify import Verification
from seedance_api.api.view import Video, VideoDeleted, VideoList
from seedance_api.api.webhook_deliveries import ReplayDeliveries, WebhookDeliveryList, WebhookReplay
from seedance_api.api.webhook_endpoints import (
    WebhookEndpoint,
    WebhookEndpointDeleted,
    WebhookEndpointList,
    WebhookEndpointTest,
    WebhookEndpointWithSecret,
    WebhookEventTypes,
)
from seedance_api.api.webhook_forms import CreateEndpoint, RotateSecret, TestEndpoint, UpdateEndpoint
from seedance_api.api.webhook_secret import RotatedWebhookSecret, WebhookSecret
from seedance_api.catalog.models import MODELS, ModelView
from seedance_api.delivery import link
from seedance_api.delivery.receipt import DeletionReceipt
from seedance_api.foundation.errors import CODES
from seedance_api.generations.states import PUBLIC
from seedance_api.references.link import EXTENSIONS
from seedance_api.webhooks.kinds import KINDS
from seedance_api.webhooks.rows import DeliveryState

VERSION = "0.2.0"

NOTES: dict[str, str] = {
    "model": "A model's name or one of the vendor's ids; see `GET /v1/models`. The default is `seedance-2.0-mini`.",
    "prompt": "What the video shows, up to 32,000 characters. Needed unless there is an image, video or audio.",
    "duration": "Length in whole seconds; -1 lets the model decide, where it can.",
    "seconds": "OpenAI's name for `duration`.",
    "resolution": "`480p`, `720p`, `1080p` or `4k`, as far as the model goes.",
    "ratio": "`16:9`, `4:3`, `1:1`, `3:4`, `9:16`, `21:9`, or `adaptive`, which follows the first image.",
    "aspect_ratio": "Another name for `ratio`.",
    "size": "OpenAI's way to say resolution and ratio: `1280x720`.",
    "images": "Reference images with the role `first_frame`, `last_frame` or `reference`. One image without a role is the first frame.",
    "videos": "Reference videos. With a live key, images, videos and sounds may be `asset://` and the id of an asset of the upstream.",
    "audios": "Reference sounds.",
    "input_reference": "OpenAI's name for the first frame; several are references.",
    "seed": "-1 to 2147483647; the same request with the same seed gives the same sandbox video. -1, the default, takes any.",
    "generate_audio": "Whether the video has sound. Where a model can, the default is true.",
    "camera_fixed": "Keep the camera still. Seedance 1.x.",
    "watermark": "Write a visible mark into the picture.",
    "return_last_frame": "Also keep the last frame as a picture.",
    "draft": "A quick 480p look; see `draft_id`. Seedance 1.5 pro and 2.5.",
    "draft_id": "The id of a completed draft, to make its full take. Prompt, media and seed are the draft's.",
    "service_tier": "`default` or `flex`. Seedance 1.x.",
    "frames": "Length in frames, 25 + 4n, instead of `duration`. Seedance 1.0.",
    "task_type": "What Seedance 2.5 does with references: `auto`, `reference`, `edit` or `extend`.",
    "metadata": "Up to 16 texts of your own, given back with the video.",
    "expires_after": "How long the finished video is kept, in seconds: 3600 to 604800.",
    "webhook_url": "An address that is told once, by a signed POST, how the video ended. `POST /v1/webhook_secret/rotate` shows what signs it.",
    "max_cost": "The most that the video may cost, such as `1.50`, in the account's currency. A create that may cost more is refused.",
}

WEBHOOK_FORMS = (CreateEndpoint, UpdateEndpoint, RotateSecret, TestEndpoint, ReplayDeliveries)
WEBHOOK_NOTES: dict[str, str] = {
    "url": "Where events go: https, and port 443 or 8443.",
    "event_types": 'Which events; `["*"]` is all that there are now.',
    "name": "A name of your own, up to 200 characters.",
    "description": "What it is for, up to 1,000 characters.",
    "signatures": "How deliveries are signed: `v1` (HMAC-SHA256, the default), `v1a` (Ed25519), or both.",
    "enabled": "`false` disables it, `true` enables it again.",
    "keep_old_secret_active_for_24_hours": "Sign with both secrets for a day. Otherwise the old one ends now.",
    "event_type": "Of which type the sample is.",
    "event_id": "One event, of any type.",
    "since": "Events from this Unix second on, of the endpoint's types.",
    "until": "Events before this Unix second.",
    "after": "The `last_id` of the answer before, to go on behind it.",
    "only_failed": "Leave out what has arrived.",
}

_KEY = {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
        "description": "A repeat with the same key within 72 hours makes nothing a second time."}  # fmt: skip
_RETRY = {"name": "x-stainless-retry-count", "in": "header", "required": False, "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"},
          "description": "Sent by OpenAI's clients. Above 0 and without a key, the same body from the same API key within two minutes is the same video."}  # fmt: skip
_TEXT: dict[str, Any] = {"type": "string"}


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Seedance API",
            "version": VERSION,
            "description": "Videos by ByteDance's Seedance models. Of OpenAI's Videos API it serves create, retrieve, list, delete and download, not remixes, edits, extensions, characters and spritesheets: "
            "point a client's `base_url` here and use a key that starts with `sda_`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [
            {"name": "Videos", "description": "Create a video, follow it, get it."},
            {"name": "Files", "description": "Reference media, uploaded once and used by id."},
            {"name": "Models", "description": "What each model takes."},
            {
                "name": "Webhooks",
                "description": "Be told of what happens, by a signed POST, or read it in order.",
            },
            {
                "name": "Billing",
                "description": "What the account has, and what it went for. Money is decimal text beside a currency.",
            },
            {
                "name": "Verify",
                "description": "Whether a file is one of ours, AI-generated, and as it was. For everybody: no key needed.",
            },
            {"name": "Health", "description": "For load balancers. No key needed."},
        ],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "`sda_test_…` or `sda_live_…`"}
            },
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    video, file, token = _path("video_id"), _path("file_id"), _path("token")
    video["description"] = "The id of a video, `vid_…`."
    file["description"] = "The id of a file, `file_…`."
    token["description"] = "What we signed: the object, its type and until when."
    return {
        "/v1/videos": {
            "post": _operation("createVideo", "Create a video", "Videos", "Video", ["invalid_request", "unsupported_client", "invalid_json", "invalid_multipart", "invalid_media", "not_found", "draft_expired", "live_unavailable", "model_unavailable", "body_incomplete", "body_too_large", "unsupported_media_type", "idempotency_mismatch", "idempotency_in_progress", "insufficient_balance", "limit_reached", "max_cost_exceeded", "no_price", "too_busy", "too_many_uploads", "storage_full", "storage_unavailable"], parameters=[_KEY, _RETRY], body=_create_body()),
            "get": _operation("listVideos", "List videos", "Videos", "VideoList", ["invalid_request"], parameters=_page_parameters()),
        },
        "/v1/videos/quote": {
            "post": _operation("quoteVideo", "Quote a video", "Videos", "QuoteView", ["invalid_request", "unsupported_client", "invalid_json", "invalid_multipart", "invalid_media", "not_found", "draft_expired", "live_unavailable", "model_unavailable", "body_incomplete", "body_too_large", "unsupported_media_type", "idempotency_mismatch", "max_cost_exceeded", "no_price", "too_busy", "too_many_uploads", "storage_full", "storage_unavailable"], parameters=[_KEY], body=_create_body()),
        },
        "/v1/videos/{video_id}": {
            "parameters": [video],
            "get": _operation("retrieveVideo", "Retrieve a video", "Videos", "Video", ["not_found"]),
            "delete": _operation("deleteVideo", "Delete a video", "Videos", "VideoDeleted", ["not_found", "not_finished"]),
        },
        "/v1/videos/{video_id}/cancel": {
            "parameters": [video],
            "post": _operation("cancelVideo", "Cancel a video", "Videos", "Video", ["not_found", "not_cancelable", "idempotency_mismatch"], parameters=[_KEY]),
        },
        "/v1/videos/{video_id}/content": {"parameters": [video], "get": _content("get"), "head": _content("head")},
        "/v1/videos/{video_id}/delivered": {
            "parameters": [video],
            "post": _operation("confirmDelivery", "Say that you have it", "Videos", "Video", ["not_found", "not_ready", "content_gone", "idempotency_mismatch"], parameters=[_KEY]),
        },
        "/v1/videos/{video_id}/links": {
            "parameters": [video],
            "post": _operation("createLink", "Make a link", "Videos", "ContentLink", ["invalid_request", "invalid_json", "body_too_large", "unsupported_media_type", "not_found", "not_ready", "content_gone"], body=_link_body()),
        },
        "/v1/videos/{video_id}/receipt": {
            "parameters": [video],
            "get": _operation("retrieveReceipt", "Receipt of deletion", "Videos", "DeletionReceipt", ["not_found"]),
        },
        "/v1/content/{token}": {"parameters": [token], "get": _content("get", linked=True), "head": _content("head", linked=True)},
        "/v1/videos/{video_id}/events": {"parameters": [video], "get": _events()},
        "/v1/files": {
            "post": _operation("uploadFile", "Upload a file", "Files", "FileView", ["invalid_request", "invalid_multipart", "invalid_media", "body_incomplete", "body_too_large", "unsupported_media_type", "idempotency_mismatch", "idempotency_in_progress", "too_many_uploads", "storage_full", "storage_unavailable"], parameters=[_KEY], body=_upload_body()),
        },
        "/v1/files/{file_id}": {
            "parameters": [file],
            "get": _operation("retrieveFile", "Retrieve a file", "Files", "FileView", ["not_found"]),
            "delete": _operation("deleteFile", "Delete a file", "Files", "FileDeleted", ["not_found", "file_in_use"]),
        },
        "/v1/verify": {
            "post": _operation("verifyFile", "Verify a file", "Verify", "Verification", ["invalid_request", "invalid_multipart", "unreadable_file", "body_incomplete", "body_too_large", "unsupported_media_type", "rate_limited", "too_busy", "storage_full", "storage_unavailable", "unavailable"], open_to_all=True, body=_any_file()),
        },
        "/v1/verify/certificates": {"get": _certificates()},
        **_webhook_paths(),
        "/v1/media/{token}": {"parameters": [token], "get": _media("get"), "head": _media("head")},
        "/v1/models": {"get": _operation("listModels", "List models", "Models", "ModelList", [])},
        "/v1/models/{model}": {
            "parameters": [_path("model")],
            "get": _operation("retrieveModel", "Retrieve a model", "Models", "ModelView", ["not_found"]),
        },
        "/v1/balance": {
            "get": _operation("retrieveBalance", "Balance and limits", "Billing", "Balance", []),
            "post": _operation("setBalance", "Be told of a low balance", "Billing", "Balance", ["invalid_request", "invalid_json", "body_too_large", "unsupported_media_type", "idempotency_mismatch"], parameters=[_KEY], body={"required": True, "content": {"application/json": {"schema": _ref("SetBalance")}}}),
        },
        "/v1/usage": {"get": _operation("listUsage", "Usage", "Billing", "UsageList", ["invalid_request"], parameters=_usage_parameters())},
        "/v1/statements/{month}": {"parameters": [_path("month") | {"description": "A UTC month, such as `2026-11`."}], "get": _statement()},
        "/healthz": _health("healthz", "The process answers"),
        "/readyz": _health("readyz", "The service can work"),
    }  # fmt: skip


def _webhook_paths() -> dict[str, Any]:
    endpoint, event = _path("endpoint_id"), _path("event_id")
    endpoint["description"] = "The id of a webhook endpoint, `whe_…`."
    event["description"] = "The id of an event, `evt_…`."
    body = [
        "invalid_request",
        "invalid_json",
        "body_incomplete",
        "body_too_large",
        "unsupported_media_type",
        "idempotency_mismatch",
        "idempotency_in_progress",
    ]
    place = "/v1/webhook_endpoints/{endpoint_id}"
    return {
        "/v1/webhook_endpoints": {
            "post": _operation("createWebhookEndpoint", "Create an endpoint", "Webhooks", "WebhookEndpointWithSecret", [*body, "too_many_endpoints"], parameters=[_KEY], body=_json_body("CreateEndpoint")),
            "get": _operation("listWebhookEndpoints", "List endpoints", "Webhooks", "WebhookEndpointList", ["invalid_request"], parameters=_list_parameters("whe")),
        },
        place: {
            "parameters": [endpoint],
            "get": _operation("retrieveWebhookEndpoint", "Retrieve an endpoint", "Webhooks", "WebhookEndpoint", ["not_found"]),
            "post": _operation("updateWebhookEndpoint", "Change an endpoint", "Webhooks", "WebhookEndpoint", [*body, "not_found"], parameters=[_KEY], body=_json_body("UpdateEndpoint")),
            "delete": _operation("deleteWebhookEndpoint", "Delete an endpoint", "Webhooks", "WebhookEndpointDeleted", ["not_found"]),
        },
        f"{place}/rotate_secret": {
            "parameters": [endpoint],
            "post": _operation("rotateWebhookSecret", "Rotate the secret", "Webhooks", "WebhookEndpointWithSecret", [*body, "not_found"], parameters=[_KEY], body=_json_body("RotateSecret")),
        },
        f"{place}/test": {
            "parameters": [endpoint],
            "post": _operation("testWebhookEndpoint", "Try an endpoint", "Webhooks", "WebhookEndpointTest", [*body, "not_found", "rate_limited"], parameters=[_KEY], body=_json_body("TestEndpoint")),
        },
        f"{place}/deliveries": {
            "parameters": [endpoint],
            "get": _operation("listWebhookDeliveries", "List deliveries", "Webhooks", "WebhookDeliveryList", ["invalid_request", "not_found"], parameters=[*_list_parameters("evt"), _query("state", {"enum": list(get_args(DeliveryState))}, "Only these.")]),
        },
        f"{place}/replay": {
            "parameters": [endpoint],
            "post": _operation("replayWebhooks", "Send again", "Webhooks", "WebhookReplay", [*body, "not_found", "endpoint_disabled"], parameters=[_KEY], body=_json_body("ReplayDeliveries")),
        },
        "/v1/webhook_event_types": {"get": _operation("listWebhookEventTypes", "Types of events", "Webhooks", "WebhookEventTypes", [])},
        "/v1/webhook_secret": {"get": _operation("retrieveWebhookSecret", "What is told of the secret for webhook_url", "Webhooks", "WebhookSecret", [])},
        "/v1/webhook_secret/rotate": {"post": _operation("rotateAccountWebhookSecret", "Rotate the secret for webhook_url", "Webhooks", "RotatedWebhookSecret", body, parameters=[_KEY], body=_json_body("RotateSecret"))},
        "/v1/events": {
            "get": _operation("listEvents", "List events", "Webhooks", "EventList", ["invalid_request"], parameters=[*_list_parameters("evt"), _query("type", {"enum": list(KINDS)}, "Only these.")]),
        },
        "/v1/events/{event_id}": {"parameters": [event], "get": _operation("retrieveEvent", "Retrieve an event", "Webhooks", "EventView", ["not_found"])},
    }  # fmt: skip


def _json_body(schema: str) -> dict[str, Any]:
    return {
        "required": schema not in ("RotateSecret", "UpdateEndpoint"),
        "content": {"application/json": {"schema": _ref(schema)}},
    }


def _list_parameters(prefix: str) -> list[dict[str, Any]]:
    return [
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, "How many."),
        _query("after", {"type": "string", "pattern": f"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$"}, "The `last_id` of the page before."),
    ]  # fmt: skip


def _health(name: str, summary: str) -> dict[str, Any]:
    down = (
        {
            "503": _json(
                "Health",
                "The database does not answer, or no file can be made where objects and scratch files are kept.",
            )
        }
        if name == "readyz"
        else None
    )
    get = _operation(name, summary, "Health", "Health", [], open_to_all=True, also=down)
    bare = {status: {"description": answer["description"]} for status, answer in get["responses"].items()}
    return {"get": get, "head": get | {"operationId": f"{name}Head", "responses": bare}}


def _operation(
    name: str,
    summary: str,
    tag: str,
    answer: str,
    errors: list[str],
    *,
    open_to_all: bool = False,
    also: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    responses = {"200": _json(answer, "Done.")} | _errors(errors, open_to_all=open_to_all) | (also or {})
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "tags": [tag], "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = body
    if open_to_all:
        operation["security"] = []
    return operation


def _errors(codes: list[str], *, open_to_all: bool) -> dict[str, Any]:
    everywhere = (
        []
        if open_to_all
        else ["key_in_query", "invalid_host", "missing_key", "invalid_key", "unavailable", "internal_error"]
    )
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(["invalid_request", *codes, *everywhere]):
        by_status.setdefault(CODES[code].status, []).append(code)
    return {
        str(status): _json("ErrorView", "\n".join(f"- `{code}`: {CODES[code].meaning}" for code in found))
        for status, found in sorted(by_status.items())
    }


def _json(schema: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _create_body() -> dict[str, Any]:
    return {
        "required": True,
        "content": {"application/json": {"schema": _ref("CreateVideo")}, "multipart/form-data": {"schema": _ref("CreateVideoForm")}},
    }  # fmt: skip


def _upload_body() -> dict[str, Any]:
    schema = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}, "purpose": _TEXT}, "additionalProperties": False}  # fmt: skip
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _link_body() -> dict[str, Any]:
    return {"required": False, "content": {"application/json": {"schema": _ref("LinkForm")}}}


def _any_file() -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {"type": "object", "required": ["file"], "properties": {"file": file}, "additionalProperties": False}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}, "application/octet-stream": {"schema": file}}}  # fmt: skip


def _certificates() -> dict[str, Any]:
    return {
        "operationId": "listCertificates",
        "summary": "Certificates of our marks",
        "tags": ["Verify"],
        "security": [],
        "responses": {"200": {"description": "The CAs, in PEM.", "content": {"application/x-pem-file": {"schema": _TEXT}}}},
    }  # fmt: skip


def _page_parameters() -> list[dict[str, Any]]:
    unix = {"type": "integer", "minimum": 0, "maximum": (1 << 33) - 1}
    return [
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, "How many."),
        _query("after", {"type": "string", "pattern": "^vid_[0-9a-hjkmnp-tv-z]{26}$"}, "The `last_id` of the page before."),
        _query("order", {"enum": ["asc", "desc"], "default": "desc"}, "Newest first, or oldest."),
        _query("status", {"enum": sorted(set(PUBLIC.values()))}, "Only these."),
        _query("model", _TEXT, "Only of this model, by its name or alias."),
        _query("created_after", unix, "Created at this Unix second or later."),
        _query("created_before", unix, "Created before this Unix second."),
    ]  # fmt: skip


def _usage_parameters() -> list[dict[str, Any]]:
    day = {"type": "string", "format": "date"}
    return [
        _query("from", day, "The first UTC day; that of the month if left out."),
        _query("to", day, "The last UTC day, counted in; today if left out."),
        _query("group_by", {"type": "string", "default": "day"}, "One or more of `day`, `model` and `key`, separated by commas."),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "How many groups."),
        _query("after", _TEXT, "The `next` of the page before."),
    ]  # fmt: skip


def _statement() -> dict[str, Any]:
    return {
        "operationId": "retrieveStatement",
        "summary": "Statement of a month",
        "tags": ["Billing"],
        "responses": {"200": {"description": "Every movement of the account's money, as CSV.", "content": {"text/csv": {"schema": _TEXT}}}}
        | _errors(["invalid_request", "not_found"], open_to_all=False),
    }  # fmt: skip


def _content(method: str, *, linked: bool = False) -> dict[str, Any]:
    variant = _query("variant", {"enum": list(VARIANTS), "default": "video"}, "Which file.")
    by = " by a link" if linked else ""
    codes = ["link_invalid", "link_expired"] if linked else ["invalid_request", "not_found", "not_ready"]
    return (
        {
            "operationId": ("retrieve" if method == "get" else "inspect") + ("Linked" if linked else "") + "Content",
            "summary": f"Download{by}" if method == "get" else f"Size and type of a download{by}",
            "tags": ["Videos"],
        }
        | ({"security": []} if linked else {})
        | _file(
            method,
            ("video/mp4", "image/png", "image/jpeg", "image/webp"),
            [*codes, "content_gone", "content_damaged", "content_lost"],
            [] if linked else [variant],
            open_to_all=linked,
            redirects=True,
        )
    )


def _media(method: str) -> dict[str, Any]:
    return {
        "operationId": "retrieveMedia" if method == "get" else "inspectMedia",
        "summary": "Fetch a linked medium" if method == "get" else "Size and type of a linked medium",
        "tags": ["Files"],
        "security": [],
    } | _file(method, tuple(EXTENSIONS), ["not_found"], [], open_to_all=True)


def _file(
    method: str,
    types: Sequence[str],
    codes: list[str],
    parameters: list[dict[str, Any]],
    *,
    open_to_all: bool,
    redirects: bool = False,
) -> dict[str, Any]:
    """What an address that sends a file takes and answers."""
    found = {kind: {"schema": {"type": "string", "contentMediaType": kind}} for kind in types}
    body = {"content": found} if method == "get" else {}
    whole = {"200": {"description": "The whole file.", **body}, "304": {"description": "You have it."}}
    part = {"206": {"description": "The range asked for.", **body}} if method == "get" else {}
    if redirects and method == "get":
        part["302"] = {
            "description": "It is at this presigned address of the object store, where the operator has chosen so."
        }
    header = {
        "name": "Range",
        "in": "header",
        "required": False,
        "schema": _TEXT,
        "description": "One range of bytes.",
    }
    if method == "get":
        codes, parameters = [*codes, "range_not_satisfiable"], [*parameters, header]
    responses = {"responses": whole | part | _errors(codes, open_to_all=open_to_all)}
    return ({"parameters": parameters} if parameters else {}) | responses


def _events() -> dict[str, Any]:
    stream = {"text/event-stream": {"schema": _TEXT}}
    return {
        "operationId": "streamEvents",
        "summary": "Follow a video",
        "description": "Server-sent events: `video.queued`, `video.in_progress`, `video.completed`, `video.failed`, "
        "`video.canceled`, each with the video object as data. The state comes at once; the stream ends with the video, and at once when the key is revoked.",
        "tags": ["Videos"],
        "responses": {"200": {"description": "The events.", "content": stream}}
        | _errors(["not_found", "too_many_streams"], open_to_all=False),
    }


def _schemas() -> dict[str, Any]:
    shapes = [
        Video,
        VideoList,
        VideoDeleted,
        ContentLink,
        LinkForm,
        DeletionReceipt,
        QuoteView,
        Balance,
        SetBalance,
        UsageList,
        FileView,
        FileDeleted,
        Verification,
        ModelList,
        ModelView,
        ErrorView,
        Health,
        CreateVideo,
        MediaItem,
        WebhookEndpoint,
        WebhookEndpointWithSecret,
        WebhookEndpointList,
        WebhookEndpointDeleted,
        WebhookEndpointTest,
        WebhookEventTypes,
        WebhookDeliveryList,
        WebhookReplay,
        WebhookSecret,
        RotatedWebhookSecret,
        EventList,
        *WEBHOOK_FORMS,
    ]
    _, schemas = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    create: dict[str, Any] = schemas["CreateVideo"]
    schemas["LinkForm"]["additionalProperties"] = schemas["SetBalance"]["additionalProperties"] = False
    schemas["SetBalance"]["required"] = ["low_balance"]
    schemas["SetBalance"]["properties"]["low_balance"]["description"] = (
        "An amount, such as `5.00`; null to hear nothing."
    )
    _describe_link(schemas["LinkForm"]["properties"])
    create["additionalProperties"] = schemas["MediaItem"]["additionalProperties"] = False
    medium = {"anyOf": [_TEXT, _ref("MediaItem")]}
    for name in ("images", "videos", "audios"):
        create["properties"][name] = {
            "anyOf": [{"type": "array", "items": medium, "maxItems": 64}, {"type": "null"}],
            "default": None,
        }
    create["properties"]["input_reference"] = {
        "anyOf": [medium, {"type": "array", "items": medium}, {"type": "null"}],
        "default": None,
    }
    create["properties"]["model"]["examples"] = [model.name for model in MODELS]
    for name, note in NOTES.items():
        create["properties"][name]["description"] = note
    schemas["CreateVideoForm"] = _form(create)
    _describe_webhook_forms(schemas)
    return schemas


def _describe_link(fields: dict[str, Any]) -> None:
    least, most = link.SECONDS
    fields["variant"] = {"enum": list(VARIANTS), "default": "video", "description": "Which file."}
    fields["expires_in"] |= {"minimum": least, "maximum": most, "description": "How long it is good for, in seconds."}


def _describe_webhook_forms(schemas: dict[str, Any]) -> None:
    for form in WEBHOOK_FORMS:
        schema: dict[str, Any] = schemas[form.__name__]
        schema["additionalProperties"] = False
        for name, one in schema["properties"].items():
            one["description"] = WEBHOOK_NOTES[name]
    schemas["CreateEndpoint"]["required"] = ["url", "event_types"]
    schemas["TestEndpoint"]["required"] = ["event_type"]
    schemas["TestEndpoint"]["properties"]["event_type"] |= {"enum": list(KINDS)}


def _form(create: dict[str, Any]) -> dict[str, Any]:
    """The same fields as parts of a form, all text; pictures may come as files."""
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    properties: dict[str, Any] = {
        name: _TEXT | {"description": one["description"]}
        for name, one in create["properties"].items()
        if name not in ("metadata", "images", "videos", "audios")
    }
    properties["input_reference"] = {"anyOf": [file, _TEXT]} | {"description": NOTES["input_reference"]}
    for name in ("images", "videos", "audios"):
        properties[f"{name}[]"] = {"type": "array", "items": {"anyOf": [file, _TEXT]}, "description": NOTES[name]}
    return {
        "type": "object",
        "properties": properties,
        "description": "Values are text; lists are `name[]`, objects `name[key]`.",
    }
