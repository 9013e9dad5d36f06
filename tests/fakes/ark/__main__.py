"""Run the fake as a process of its own."""

import argparse
import asyncio
import json
import os
import signal

import uvloop

from fakes.ark import api, control
from fakes.ark.api import Api
from fakes.ark.control import Control
from fakes.ark.fake import Fake
from fakes.ark.models import BY_ID
from fakes.ark.options import Options
from fakes.ark.wire.messages import Answer, Request
from fakes.ark.wire.server import listen

_PARENT_SECONDS = 0.25


def main() -> None:
    """Read the command line and serve until a signal comes."""
    given = _parser().parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(given))


async def _serve(given: argparse.Namespace) -> None:
    fake = Fake(_options(given))
    calls, steering = Api(fake), Control(fake)

    async def answer(request: Request) -> Answer:
        if request.path.startswith(control.PREFIX):
            return steering.answer(request)
        return await calls.answer(request)

    server = await listen(answer, given.host, given.port)
    port = server.sockets[0].getsockname()[1]
    fake.base = f"http://{f'[{given.host}]' if ':' in given.host else given.host}:{port}"
    print(json.dumps({"url": fake.base + api.PREFIX, "control": fake.base + control.PREFIX}), flush=True)  # noqa: T201
    await _until_the_end(with_parent=given.with_parent)
    server.close()


async def _until_the_end(*, with_parent: bool) -> None:
    """Until a signal comes or, if asked, the parent is gone."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    parent = os.getppid()
    while not ended.is_set() and (not with_parent or os.getppid() == parent):
        try:
            await asyncio.wait_for(ended.wait(), _PARENT_SECONDS if with_parent else None)
        except TimeoutError:
            continue


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("fakes.ark", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--with-parent", action="store_true", help="end when the parent ends")
    add("--key", action="append", help="an API key, which is an account; may be repeated")
    add("--speed", type=float, default=60.0, help="queues, generations and expiry pass so many times as fast")
    add("--seconds", type=float, nargs=2, metavar=("MIN", "MAX"), help="how long a generation takes, before speed")
    add("--instant", action="store_true", help="generations take no time")
    add("--seed", type=int, default=1, help="the same creates in the same order get the same durations")
    add("--individual", action="store_true", help="the lower limits of an individual account")
    add("--rpm", type=int, help="creates a minute per model; 0 for no limit")
    add("--concurrency", type=int, help="generations at a time per model; 0 for no limit")
    add("--most-queued", type=int, default=0, help="QuotaExceeded beyond so many queued tasks of a model")
    add("--enforce-budgets", action=argparse.BooleanOptionalAction, default=True, help="429 over the calls' budgets")
    add("--retention-speed", type=float, default=1.0, help="records and media age so many times as fast")
    add("--fetch", action=argparse.BooleanOptionalAction, default=True, help="download the references")
    add("--ack-seconds", type=float, default=5.0, help="how long a callback waits for its answer")
    add("--resend-seconds", type=float, default=1.0, help="how long until an unanswered callback is sent again")
    add("--endpoint", action="append", default=[], metavar="ID=MODEL", help="an endpoint id; may be repeated")
    add(
        "--not-open",
        action="append",
        default=[],
        choices=sorted(BY_ID),
        metavar="MODEL",
        help="a model that is not activated",
    )
    add("--most-tasks", type=int, default=200_000)
    add("--most-bodies", type=int, default=2_000, help="how many calls are remembered with their bodies")
    add("--hevc", action="store_true", help="1080p of 2.5 and 4k in HEVC with 10 bits, as Ark has them")
    add("--media-megabytes", type=int, default=96, help="how much of rendered media is kept in memory")
    return parser


def _options(given: argparse.Namespace) -> Options:
    return Options(
        keys=tuple(given.key or ["fake-ark-key"]), speed=given.speed,
        seconds=tuple(given.seconds) if given.seconds else None, instant=given.instant, seed=given.seed,
        individual=given.individual, rpm=given.rpm, concurrency=given.concurrency, most_queued=given.most_queued,
        enforce_budgets=given.enforce_budgets, retention_speed=given.retention_speed, fetch=given.fetch,
        ack_seconds=given.ack_seconds, resend_seconds=given.resend_seconds,
        endpoints=dict(pair.split("=", 1) for pair in given.endpoint), not_open=frozenset(given.not_open),
        most_tasks=given.most_tasks, most_bodies=given.most_bodies, media_megabytes=given.media_megabytes,
        hevc=given.hevc,
    )  # fmt: skip


if __name__ == "__main__":
    main()
