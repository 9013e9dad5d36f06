"""`GET /v1/videos/{id}`: the video as it is."""

from typing import Any

import msgspec
from litestar import get
from litestar.params import FromPath
from litestar.types import ASGIApp

from seedance_api.accounts.authenticate import Principal
from seedance_api.api.video_view import Video
from seedance_api.api.view import video
from seedance_api.foundation.etag import etag_of
from seedance_api.generations.rows import Seen
from seedance_api.web.body import AnyRequest
from seedance_api.web.conditions import conditions_of, none_match
from seedance_api.web.context import Context, context_of, principal_of
from seedance_api.web.respond import json_unless
from seedance_api.web.route import Operation, Sample

POLL_MILLISECONDS = 2000
_COMPLETED: dict[str, Any] = {
    "status": "completed", "progress": 100, "queue_position": None, "eta": None, "ratio": "16:9", "draft": False,
    "draft_expires_at": None, "delivered_at": None, "error": None, "warnings": [], "metadata": {},
}  # fmt: skip


async def retrieve(context: Context, principal: Principal, video_id: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a video, for both ways into this route."""
    seen = await context.reader.find(principal.account_id, principal.livemode, video_id)
    body = msgspec.json.encode(video(seen, context.base, principal.currency))
    return body, {"ETag": etag_of(body)} | poll_hint(seen)


@get(
    "/v1/videos/{video_id:str}",
    operation=Operation(
        id="retrieveVideo",
        summary="Retrieve a video",
        tag="Videos",
        answer=Video,
        direct=retrieve,
        tagged=True,
        sample=Sample(answer=_COMPLETED),
    ),
)
async def retrieve_video(request: AnyRequest, video_id: FromPath[str]) -> ASGIApp:
    """Cheap to ask often. While the video is being made, `openai-poll-after-ms` says when to ask again."""
    body, headers = await retrieve(context_of(request), principal_of(request), video_id)
    return json_unless(none_match(conditions_of(request.scope["headers"])), body, headers)


def poll_hint(seen: Seen) -> dict[str, str]:
    """How long OpenAI's clients should wait before they ask again."""
    return {} if seen.finished_at else {"openai-poll-after-ms": str(POLL_MILLISECONDS)}
