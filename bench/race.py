"""Many creates at once, and money for few of them: `python -m bench.race --url http://127.0.0.1:8000 --key sda_live_…`.

Asks what a video may cost and what the account has, sends all creates in one moment, each over a connection of its own
that is open already, and compares what the answers say with the balance afterwards, to the micro-dollar. The server
must use the sandbox for live keys (SEEDANCE_LIVE_SANDBOX=1), and nobody else may use the account meanwhile.

With --self-contained it starts a service of its own with four API processes, makes an account with money for exactly
ten videos, and runs the race three times: each request with a key of its own, twenty keys among all requests, and the
same with money for all. Then `doctor --invariants`. Exit codes: 0 all agrees, 1 something does not, 2 it cannot race.
"""

import argparse
import asyncio
import signal
import sys
import time
import uuid
from collections import Counter
from decimal import Decimal
from ipaddress import ip_address
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from rich.console import Console

from bench.__main__ import interrupt
from bench.service import Service, violations
from bench.stage import Stage

SHORT = {"model": "seedance-1.0-pro-fast", "duration": 2, "resolution": "480p", "seed": 3}
"""The cheapest clip there is: 49 frames."""
_BODY = SHORT | {"prompt": "Two hundred kites over the sea, and wind for ten"}
_FINAL = ("completed", "failed", "canceled")
_MAX_COUNT = 1000
_SECONDS = 60.0
_out = Console(highlight=False, soft_wrap=True)


class CannotRaceError(Exception):
    """It would say nothing, or cost somebody something; the text says why."""


class Money(msgspec.Struct, frozen=True):
    """`/v1/balance`, in micro-dollars. `spent` and `left` are those of each limit."""

    available: int
    held: int
    spent: dict[str, int]
    left: dict[str, int]
    currency: str


class Answer(msgspec.Struct, frozen=True):
    """What one request came to. `code` is the error's; `video` and `hold` are there when it was accepted."""

    key: str
    began: float
    ended: float
    code: str | None = None
    video: str | None = None
    hold: int = 0
    replayed: bool = False


class Race(msgspec.Struct, frozen=True, kw_only=True):
    """Before, the race, and after. `videos` are the accepted ones as they stand when `after` was asked."""

    hold: int
    requests: int
    keys: int
    together: int
    before: Money
    after: Money
    answers: list[Answer]
    videos: list[dict[str, Any]]


def main() -> int:
    """Race where it is asked for."""
    asked = read_arguments()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        if asked.self_contained:
            return self_contained(asked.requests, asked.together)
        url = loopback(asked.url)
        found = asyncio.run(race(url, asked.key, requests=asked.requests, together=asked.together, keys=asked.keys))
        return 0 if show(f"{asked.requests} creates at once", found) else 1
    except CannotRaceError as error:
        print(f"race: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def read_arguments() -> argparse.Namespace:
    """The command line."""
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="bench.race", description=about, epilog=more)
    parser.add_argument("--url", help="the server; only this machine's own addresses are taken")
    parser.add_argument("--key", help="a live key of an account that nobody else uses meanwhile")
    parser.add_argument("--self-contained", action="store_true", help="start a service for it")
    parser.add_argument("--requests", type=int, default=200, metavar="N", help="creates in all [200]")
    parser.add_argument("--together", type=int, metavar="N", help="connections, each open before the start [all]")
    parser.add_argument("--keys", type=int, metavar="N", help="idempotency keys among all requests [one each]")
    asked = parser.parse_args()
    if not asked.self_contained and not (asked.url and asked.key):
        parser.error("either --url and --key, or --self-contained")
    asked.together = asked.requests if asked.together is None else asked.together
    for name in ("requests", "together", "keys"):
        value = getattr(asked, name)
        if value is not None and not 1 <= value <= _MAX_COUNT:
            parser.error(f"--{name} must be 1 to {_MAX_COUNT}")
    return asked


def loopback(url: str) -> str:
    """The address without a slash at its end. Raises CannotRaceError for one that is not this machine's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_own = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if parts.scheme != "http" or not is_own or parts.path.strip("/"):
        raise CannotRaceError("--url must be http://, and this machine: 127.0.0.1, [::1] or localhost")
    return url.rstrip("/")


async def race(url: str, key: str, *, requests: int, together: int, keys: int | None = None) -> Race:
    """Ask, race, ask again."""
    async with _client(url, key) as client:
        hold = await _ask_hold(client)
        before = await ask_money(client)
        if min([before.available, *before.left.values()]) < hold:
            raise CannotRaceError(f"the account has not enough for one video, which may cost {amount(hold)}")
        await _refuse_unfinished(client)
        names = [f"race-{uuid.uuid4()}" for _ in range(min(keys or requests, requests))]
        answers = await _start(url, key, [names[at % len(names)] for at in range(requests)], together)
        videos, after = await _settle_down(client, sorted({one.video for one in answers if one.video}))
    return Race(
        hold=hold,
        requests=requests,
        keys=len(names),
        together=min(together, requests),
        before=before,
        after=after,
        answers=answers,
        videos=videos,
    )


def _client(url: str, key: str) -> httpx.AsyncClient:
    """One connection that stays open."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None),
        timeout=_SECONDS,
        trust_env=False,
        verify=False,  # there is no TLS, and a context for each of two hundred takes seconds
    )


async def _ask_hold(client: httpx.AsyncClient) -> int:
    answer = await _get(client, "POST", "/v1/videos/quote", json=_BODY)
    if not answer["livemode"]:
        raise CannotRaceError("a test key costs nothing; the race needs a live key")
    if not answer["sandbox"]:
        raise CannotRaceError("this server's live keys use a real upstream: the race would cost real money")
    hold = micro(answer["cost"]["hold"])
    if not hold:
        raise CannotRaceError("the price book asks nothing for this video")
    return hold


async def ask_money(client: httpx.AsyncClient) -> Money:
    """The account's balance."""
    answer = await _get(client, "GET", "/v1/balance")
    limits = {f"{one['scope']} a {one['period']}": one for one in answer["limits"]}
    return Money(
        available=micro(answer["available"]),
        held=micro(answer["held"]),
        spent={name: micro(one["spent"]) for name, one in limits.items()},
        left={name: micro(one["left"]) for name, one in limits.items()},
        currency=answer["currency"],
    )


async def _refuse_unfinished(client: httpx.AsyncClient) -> None:
    for status in ("queued", "in_progress"):
        if (await _get(client, "GET", f"/v1/videos?status={status}&limit=1"))["data"]:
            raise CannotRaceError("the account has unfinished videos, whose money would move meanwhile; try it later")


async def _get(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, path, **more)
    except httpx.TransportError as error:
        raise CannotRaceError(f"the server does not answer: {type(error).__name__}") from None
    if answer.status_code != 200:
        raise CannotRaceError(f"{method} {path.partition('?')[0]}: {answer.status_code} {_code(answer)}")
    return answer.json()


async def _start(url: str, key: str, names: list[str], together: int) -> list[Answer]:
    """Open every connection, wait for all of them at the barrier, then let go."""
    clients = [_client(url, key) for _ in range(min(together, len(names)))]
    try:
        for at in range(0, len(clients), 50):  # not faster than a server can accept
            await asyncio.gather(*(client.get("/healthz") for client in clients[at : at + 50]))
        waiting, start = count(), asyncio.Event()
        left = iter(names)
        answers: list[Answer] = []

        async def run(client: httpx.AsyncClient) -> None:
            name = next(left, None)
            if next(waiting) == len(clients) - 1:
                start.set()
            await start.wait()
            while name is not None:
                answers.append(await _create(client, name))
                name = next(left, None)

        await asyncio.gather(*(run(client) for client in clients))
        return answers
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))


async def _create(client: httpx.AsyncClient, name: str) -> Answer:
    began = time.perf_counter()
    try:
        answer = await client.post("/v1/videos", json=_BODY, headers={"Idempotency-Key": name})
    except httpx.HTTPError as error:
        return Answer(name, began, time.perf_counter(), code=f"no answer: {type(error).__name__}")
    ended = time.perf_counter()
    if answer.status_code != 200:
        return Answer(name, began, ended, code=f"{answer.status_code} {_code(answer)}")
    video = answer.json()
    replayed = "idempotent-replayed" in answer.headers
    return Answer(name, began, ended, None, video["id"], micro(video["cost"]["hold"]), replayed)


def _code(answer: httpx.Response) -> str:
    try:
        return answer.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return "without a code"


async def _settle_down(client: httpx.AsyncClient, ids: list[str]) -> tuple[list[dict[str, Any]], Money]:
    """The videos and the balance of one moment: no video changes between two looks, and the balance is in between."""
    deadline = time.monotonic() + _SECONDS
    videos = [await _get(client, "GET", f"/v1/videos/{one}") for one in ids]
    while True:
        money = await ask_money(client)
        again = [await _get(client, "GET", f"/v1/videos/{one}") for one in ids]
        if [one["cost"] for one in again] == [one["cost"] for one in videos]:
            return again, money
        if time.monotonic() > deadline:
            raise CannotRaceError("the videos never stood still between two looks")
        videos = again


def show(title: str, found: Race) -> bool:
    """Print it; whether all agrees."""
    accepted = [one for one in found.answers if one.video]
    refused = Counter(one.code for one in found.answers if one.code and one.code[:3].isdigit())
    others = Counter(one.code for one in found.answers if one.code and not one.code[:3].isdigit())
    videos = {one.video: one.hold for one in accepted if one.video}
    currency = found.before.currency
    _out.print(f"\n[bold]{title}[/bold]")
    tell("a video may cost", f"{amount(found.hold)} {currency}")
    tell("money for", f"{enough(found)} videos")
    tell(
        "requests",
        f"{found.requests} with {found.keys} idempotency keys, over {found.together} connections; "
        f"{peak_concurrency(found.answers)} under way at once, {seconds(found.answers):.2f} s in all",
    )
    replays = sum(one.replayed for one in accepted)
    tell("accepted", f"{len(accepted)}: {len(videos)} videos, {replays} answers repeated")
    tell("refused", ", ".join(f"{number} × {code}" for code, number in refused.most_common()) or "0")
    tell("other", ", ".join(f"{number} × {code}" for code, number in others.most_common()) or "0")
    tell("holds of the accepted", f"{amount(sum(videos.values()))} {currency}")
    tell("available", f"{amount(found.before.available)} before, {amount(found.after.available)} after")
    tell("held", f"{amount(found.before.held)} before, {amount(found.after.held)} after")
    return judge(
        compare(found), "the sums agree to the micro-dollar, and no more was accepted than there was money for"
    )


def tell(name: str, text: str) -> None:
    """A line of the report."""
    _out.print(f"{name:<24}{text}", markup=False)


def judge(wrong: list[str], well: str) -> bool:
    """Say what is wrong, or that all is well."""
    for line in wrong:
        _out.print(f"WRONG  {line}", style="bold red", markup=False)
    if not wrong:
        _out.print(f"ok     {well}", style="green", markup=False)
    return not wrong


def compare(found: Race) -> list[str]:
    """What does not agree, a line each."""
    accepted = [one for one in found.answers if one.video]
    ids = {one.video for one in accepted}
    holds = {(one.video, one.hold) for one in accepted if one.hold != found.hold}
    wrong = [f"{video}: {amount(hold)} on hold, quoted {amount(found.hold)}" for video, hold in sorted(holds, key=str)]
    for key in sorted({one.key for one in accepted}):
        made = {one.video for one in accepted if one.key == key}
        if len(made) > 1:
            wrong.append(f"one idempotency key made {len(made)} videos: {', '.join(sorted(filter(None, made)))}")
    fresh = Counter(one.video for one in accepted if not one.replayed)
    wrong += [f"{video}: {number} answers say that they made it" for video, number in fresh.items() if number > 1]
    unclear = sum(one.code is not None and not one.code.startswith("402 ") for one in found.answers)
    released = sum(micro(one["cost"]["released"] or "0") for one in found.videos)
    right = min(found.keys, enough(found))
    if len(ids) > right and not released:  # what a finished video gave back may have paid for another
        wrong.append(f"{len(ids)} videos were accepted, and there was money for {right}")
    if len(ids) < right and not unclear:
        wrong.append(f"only {len(ids)} videos were accepted, and there was money for {right}")
    if no_answer := sum(one.code is not None and one.code.startswith(("no answer", "5")) for one in found.answers):
        wrong.append(f"{no_answer} requests have no answer that says what became of them")
    return wrong + compare_sums(found)


def compare_sums(found: Race) -> list[str]:
    """The balance and the limits before, less what the accepted videos hold or were charged, is what they are now."""
    held = sum(micro(one["cost"]["hold"]) for one in found.videos if one["cost"]["charged"] is None)
    charged = sum(micro(one["cost"]["charged"] or "0") for one in found.videos)
    sums = {
        "available": (found.before.available - held - charged, found.after.available),
        "held": (found.before.held + held, found.after.held),
    } | {
        f"spent of the {name}": (spent + held + charged, found.after.spent[name])
        for name, spent in found.before.spent.items()
        if found.after.spent.get(name, -1) >= spent  # else a new day has begun
    }
    return [
        f"{name}: {amount(now)} where {amount(right)} is right" for name, (right, now) in sums.items() if now != right
    ]


def enough(found: Race) -> int:
    """For how many videos there was money, by the balance and by each limit."""
    return min([found.before.available, *found.before.left.values()]) // found.hold


def peak_concurrency(answers: list[Answer]) -> int:
    """How many requests were under way in the fullest moment."""
    changes = sorted([(one.began, 1) for one in answers] + [(one.ended, -1) for one in answers])
    now = peak = 0
    for _, change in changes:
        now += change
        peak = max(peak, now)
    return peak


def seconds(answers: list[Answer]) -> float:
    """From the first request to the last answer."""
    return max(one.ended for one in answers) - min(one.began for one in answers)


def micro(text: str) -> int:
    """An amount of the API in micro-dollars."""
    return int(Decimal(text).scaleb(6))


def amount(value: int) -> str:
    """Micro-dollars, as the API writes them."""
    return f"{Decimal(value).scaleb(-6):f}"


def self_contained(requests: int, together: int) -> int:
    """A service of four API processes, an account with money for ten videos, three races, and the doctor."""
    with Stage(quick=True) as stage:
        service = Service(stage, workers=4)
        stage.say("starting a service with 4 API processes")
        service.start()
        email = "race@example.org"
        key, key_id = service.account(email)
        service.command("account", "limit", email, "--day", "100", "--month", "1000")
        service.command("account", "limit", email, "--key", key_id, "--day", "100", "--month", "1000")
        right = True
        for title, videos, keys in (
            (f"{requests} creates at once, a key each, money for 10", 10, None),
            (f"{requests} creates at once, 20 keys, money for 10", 10, 20),
            (f"{requests} creates at once, 20 keys, money for {requests}", requests, 20),
        ):
            asyncio.run(_fill(stage, service, email, key, videos))
            found = asyncio.run(race(service.url, key, requests=requests, together=together, keys=keys))
            right = show(title, found) and right
            right = asyncio.run(_finish(stage, service.url, key, found)) and right
        return 0 if _examine(service) and right else 1


async def _fill(stage: Stage, service: Service, email: str, key: str, videos: int) -> None:
    """Credit what is missing for so many videos, exactly."""
    async with _client(service.url, key) as client:
        missing = await _ask_hold(client) * videos - (await ask_money(client)).available
    if missing > 0:
        stage.say(f"crediting {amount(missing)}: money for {videos} videos")
        service.command("account", "credit", email, amount(missing), "--reason", "for the race")


async def _finish(stage: Stage, url: str, key: str, found: Race) -> bool:
    """Wait for the videos: what they are charged must agree as well."""
    ids = [one["id"] for one in found.videos]
    stage.say(f"waiting for {len(ids)} videos")
    deadline = time.monotonic() + _SECONDS + 10 * len(ids)
    async with _client(url, key) as client:
        left = ids
        while left and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            left = [one for one in left if (await _get(client, "GET", f"/v1/videos/{one}"))["status"] not in _FINAL]
        videos, after = await _settle_down(client, ids)
    ended = Counter(one["status"] for one in videos)
    wrong = compare_sums(msgspec.structs.replace(found, after=after, videos=videos))
    if ended["completed"] < len(ids):
        wrong.append(f"of {len(ids)} videos {ended['completed']} were completed")
    charged = amount(sum(micro(one["cost"]["charged"] or "0") for one in videos))
    tell("then", ", ".join(f"{number} {status}" for status, number in ended.most_common()))
    tell("charged", f"{charged} {after.currency}")
    tell("available, held", f"{amount(after.available)}, {amount(after.held)}")
    return judge(wrong, "and so do the charges")


def _examine(service: Service) -> bool:
    report = service.doctor()
    _out.print("\n[bold]doctor --invariants[/bold]")
    return judge(violations(report), f"{report['violations']} violations in {report['checked']} invariants")


if __name__ == "__main__":
    sys.exit(main())
