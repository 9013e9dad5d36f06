"""What Schemathesis loads: bodies that are taken, where one of its own would hardly ever be."""

import io
from typing import Any

import schemathesis
from PIL import Image


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 400), "teal").save(file, "PNG")
    return file.getvalue()


WISH = {"model": "seedance-1.0-pro-fast", "prompt": "x", "duration": 2, "resolution": "480p"}
BODIES: dict[str, dict[str, Any]] = {
    "createVideo": WISH,
    "quoteVideo": WISH,
    "uploadFile": {"file": _picture()},
    "createWebhookEndpoint": {"url": "https://example.com/events", "event_types": ["video.completed"]},
    "updateWebhookEndpoint": {"name": "mine"},
    "replayWebhooks": {"since": 1_800_000_000},
}


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """A body that is taken, for operations that are picky."""
    return BODIES.get(context.operation.definition.raw["operationId"], body)
