"""Single requests about one video or one file."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from seedance.create import post_json
from seedance.flow import Call, Flow
from seedance.objects import ContentLink, Deleted, File, Video
from seedance.paths import file_path, video_path
from seedance.receipts import Receipt
from seedance.retry import NO_DEADLINE, Deadline, Retries, decode, request


def cancel_video(video: str | Video, retries: Retries) -> Flow[Video]:
    call = Call("POST", video_path(video, "/cancel"), headers={"Idempotency-Key": str(uuid4())})
    return decode((yield from request(call, retries)), Video)


def delete_video(video: str | Video, retries: Retries) -> Flow[Deleted]:
    return decode((yield from request(Call("DELETE", video_path(video)), retries)), Deleted)


def confirm_delivery(video: str | Video, retries: Retries, deadline: Deadline = NO_DEADLINE) -> Flow[Video]:
    call = Call("POST", video_path(video, "/delivered"), headers={"Idempotency-Key": str(uuid4())})
    return decode((yield from request(call, retries, deadline)), Video)


def make_link(video: str | Video, variant: str, expires_in: int | None, retries: Retries) -> Flow[ContentLink]:
    body: dict[str, Any] = {"variant": variant} | ({} if expires_in is None else {"expires_in": expires_in})
    reply = yield from request(post_json(video_path(video, "/links"), body, str(uuid4())), retries)
    return decode(reply, ContentLink)


def retrieve_receipt(video: str | Video, retries: Retries) -> Flow[Receipt]:
    return decode((yield from request(Call("GET", video_path(video, "/receipt")), retries)), Receipt)


def retrieve_file(file: str | File, retries: Retries) -> Flow[File]:
    return decode((yield from request(Call("GET", file_path(file)), retries)), File)


def delete_file(file: str | File, retries: Retries) -> Flow[Deleted]:
    return decode((yield from request(Call("DELETE", file_path(file)), retries)), Deleted)
