"""The addresses of things."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote

from seedance.objects import File, Video
from seedance.webhook_objects import Event, WebhookEndpoint


def video_path(video: str | Video, rest: str = "") -> str:
    return f"/v1/videos/{segment(id_of(video))}{rest}"


def id_of(video: str | Video) -> str:
    return video.id if isinstance(video, Video) else video


def file_path(file: str | File) -> str:
    return f"/v1/files/{segment(file.id if isinstance(file, File) else file)}"


def model_path(model: str) -> str:
    return f"/v1/models/{segment(model)}"


def endpoint_path(endpoint: str | WebhookEndpoint, rest: str = "") -> str:
    name = endpoint.id if isinstance(endpoint, WebhookEndpoint) else endpoint
    return f"/v1/webhook_endpoints/{segment(name)}{rest}"


def event_path(event: str | Event) -> str:
    return f"/v1/events/{segment(event.id if isinstance(event, Event) else event)}"


def statement_path(month: str | date) -> str:
    return f"/v1/statements/{segment(month if isinstance(month, str) else month.isoformat()[:7])}"


def segment(name: str) -> str:
    # An empty or dotted segment would address the collection or its parent instead.
    if not name.strip("./ "):
        raise ValueError("an id must not be empty")
    return quote(name, safe="")
