"""Single requests about one video or one file."""

from __future__ import annotations

from uuid import uuid4

from seedance.flow import Call, Flow
from seedance.objects import Deleted, File, Video
from seedance.paths import file_path, video_path
from seedance.retry import Retries, decode, request


def cancel_video(video: str | Video, retries: Retries) -> Flow[Video]:
    call = Call("POST", video_path(video, "/cancel"), headers={"Idempotency-Key": str(uuid4())})
    return decode((yield from request(call, retries)), Video)


def delete_video(video: str | Video, retries: Retries) -> Flow[Deleted]:
    return decode((yield from request(Call("DELETE", video_path(video)), retries)), Deleted)


def retrieve_file(file: str | File, retries: Retries) -> Flow[File]:
    return decode((yield from request(Call("GET", file_path(file)), retries)), File)


def delete_file(file: str | File, retries: Retries) -> Flow[Deleted]:
    return decode((yield from request(Call("DELETE", file_path(file)), retries)), Deleted)
