"""The customers of a storm: good clients, who try again until there is an answer, and watch what they were promised."""

import asyncio
import random
import uuid
from collections import Counter
from typing import Any

import httpx
import msgspec

from bench.race import SHORT

FINAL = ("completed", "failed", "canceled")
_REFUSED = "input_moderated"
"""How a light order ends: the sandbox refuses it at the start, which costs no render."""


class Seen(msgspec.Struct):
    """What the client saw. Everything in it was answered to it."""

    asked: int = 0
    tries: int = 0
    videos: dict[str, str] = {}
    """The id that was answered, by idempotency key."""
    ended: dict[str, str] = {}
    """The status of each finished video."""
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    errors: Counter[str] = msgspec.field(default_factory=Counter)
    kills: Counter[str] = msgspec.field(default_factory=Counter)
    freezes: Counter[str] = msgspec.field(default_factory=Counter)
    stops: list[float] = []
    """For how many seconds PostgreSQL was away each time."""
    unfinished: int = 0
    wrong: list[str] = []

    def __str__(self) -> str:
        ended = Counter(self.ended.values())
        states = ", ".join(f"{ended[state]} {state}" for state in FINAL)
        return (
            f"{self.kills.total()} kills, {self.freezes.total()} freezes, {len(self.stops)} stops, "
            f"{self.asked} creates: {len(self.videos)} accepted ({states}), "
            f"{self.refused.total()} refused; {self.tries - self.asked} tried again"
        )


class Customers:
    """Those who create until it is `over`, each order with an idempotency key of its own, and ask until its end."""

    def __init__(self, seen: Seen, over: asyncio.Event) -> None:
        self._seen = seen
        self._over = over
        self.watching: set[asyncio.Task[None]] = set()

    async def create_on(self, client: httpx.AsyncClient, *, pause: float, max_unfinished: int) -> None:
        """Orders that are rendered, while fewer than so many of them are unfinished."""
        seen = self._seen
        while not self._over.is_set():
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            if seen.unfinished < max_unfinished:
                seen.unfinished += 1
                try:
                    video = await self._order(client, "A kite in a storm")
                except BaseException:
                    seen.unfinished -= 1
                    raise
                if video is None:
                    seen.unfinished -= 1
                else:
                    watching = asyncio.create_task(self._watch(client, video))
                    self.watching.add(watching)
                    watching.add_done_callback(self._let_go)

    async def create_in_turn(self, client: httpx.AsyncClient) -> None:
        """Light orders, the next one when the last has ended: there may be thousands."""
        while not self._over.is_set():
            if (video := await self._order(client, f"A kite on a string [sandbox:{_REFUSED}]")) is not None:
                await self._watch(client, video, fails=_REFUSED)

    def _let_go(self, watching: asyncio.Task[None]) -> None:
        self.watching.discard(watching)
        self._seen.unfinished -= 1

    async def _order(self, client: httpx.AsyncClient, prompt: str) -> str | None:
        """One create, until there is an answer: the video's id, or None for a refusal."""
        seen, key = self._seen, f"storm-{uuid.uuid4()}"
        seen.asked += 1
        answer = await self._post(client, key, prompt)
        if answer.status_code != 200:
            return None
        seen.videos[key] = answer.json()["id"]
        if random.random() < 0.3:
            await self._repeat(client, key, prompt)
        return seen.videos[key]

    async def _repeat(self, client: httpx.AsyncClient, key: str, prompt: str) -> None:
        """The same request once more, as after a lost answer: it must be the same video."""
        video = self._seen.videos[key]
        answer = await self._post(client, key, prompt)
        found = answer.json().get("id") if answer.status_code == 200 else f"{answer.status_code} {code_of(answer)}"
        if found != video or "idempotent-replayed" not in answer.headers:
            self._seen.wrong.append(f"{key}: its repetition was answered with {found}, not with {video}")

    async def _post(self, client: httpx.AsyncClient, key: str, prompt: str) -> httpx.Response:
        """Send a create, again where that may help. The body is the key's own, for a twin would be noticed then."""
        body = SHORT | {"prompt": f"{prompt}, {key}", "metadata": {"key": key}}
        while True:
            self._seen.tries += 1
            answer = await self._send(client, "POST", "/v1/videos", json=body, headers={"Idempotency-Key": key})
            if answer.status_code == 200:
                return answer
            if answer.status_code < 500 and "retry-after" not in answer.headers:
                self._seen.refused[f"{answer.status_code} {code_of(answer)}"] += 1
                if answer.status_code != 402:
                    self._seen.wrong.append(f"{key}: refused with {answer.status_code} {code_of(answer)}")
                return answer
            await asyncio.sleep(random.uniform(0.2, 0.6))

    async def _send(self, client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
        """Send until something answers."""
        while True:
            try:
                answer = await client.request(method, path, **more)
            except httpx.TransportError as error:
                self._seen.errors[type(error).__name__] += 1
                await asyncio.sleep(random.uniform(0.1, 0.4))
                continue
            if answer.status_code >= 500:
                self._seen.errors[f"{answer.status_code} {code_of(answer)}"] += 1
            if answer.status_code == 500:
                self._seen.wrong.append(f"{method} {path}: 500, request {answer.headers.get('x-request-id')}")
            return answer

    async def _watch(self, client: httpx.AsyncClient, video: str, *, fails: str | None = None) -> None:
        """Ask until it is finished; three in ten are canceled. A video that was answered once must be there at every
        later moment, and fail for nothing else than what was asked for."""
        seen = self._seen
        if random.random() < 0.3:
            await self._send(client, "POST", f"/v1/videos/{video}/cancel")
        while True:
            answer = await self._send(client, "GET", f"/v1/videos/{video}")
            if answer.status_code == 200 and (status := answer.json()["status"]) in FINAL:
                seen.ended[video] = status
                error = (answer.json()["error"] or {}).get("code")
                if status != "canceled" and error != fails:
                    seen.wrong.append(f"{video}: {status}, with the error {error} instead of {fails}")
                return
            if answer.status_code < 500 and answer.status_code != 200:
                seen.wrong.append(f"{video}: asked for, and answered with {answer.status_code} {code_of(answer)}")
                return
            await asyncio.sleep(random.uniform(0.4, 0.8))


def code_of(answer: httpx.Response) -> str:
    """The code of a refusal."""
    try:
        return answer.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return "without a code"
