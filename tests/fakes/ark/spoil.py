"""Apply what a rule says to an answer."""

import asyncio
import random

import msgspec

from fakes.ark.faults import Do
from fakes.ark.media import credentials, serve
from fakes.ark.media.library import Item, Library
from fakes.ark.wire.messages import Answer, Manner, Request


def verbatim(do: Do) -> Answer:
    """The answer that stands in the rule."""
    body = b"" if do.body is None else do.body.encode() if isinstance(do.body, str) else msgspec.json.encode(do.body)
    return spoil(Answer(do.status or 200, body, headers=dict(do.headers)), do)


def spoil(answer: Answer, do: Do) -> Answer:
    """The answer with the rule's headers and manner."""
    answer.headers |= do.headers
    answer.manner = Manner(
        reset=do.reset, drop=do.drop, length=do.content_length, fill=do.endless, bytes_per_second=do.drip
    )
    if do.content_type is not None:
        answer.media_type = do.content_type
    return answer


async def spoil_download(library: Library, request: Request, item: Item, do: Do | None) -> Answer:
    """A file, or what a rule makes of it."""
    if do is None:
        return await serve.serve(request, item, library)
    await asyncio.sleep(do.delay_before)
    if do.answers:
        answer = verbatim(do)
    elif do.junk is not None:
        answer = spoil(serve.part(request, random.Random(do.junk).randbytes(do.junk), item.media_type), do)
    elif do.credentials is not None:
        film = await asyncio.to_thread(credentials.sign, await library.read(item), broken=do.credentials == "broken")
        answer = spoil(serve.part(request, film, item.media_type), do)
    elif do.empty:
        answer = spoil(Answer(200, b"", item.media_type), do)
    else:
        answer = spoil(await serve.serve(request, item, library, do.picture), do)
    if do.cut is not None and answer.manner:
        answer.manner.cut = int(len(answer.body) * do.cut)
    await asyncio.sleep(do.delay)
    return answer
