"""Receivers on 127.0.0.2, which plays the public internet, and endpoints with something to deliver to them."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec

from generations.kit import Owner
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.outbound import Outbound
from seedance_api.webhooks.announce import News, announce_to_accounts
from seedance_api.webhooks.claim import Deliverer
from seedance_api.webhooks.schedule import deliver

PEPPER = b"p" * 32


class Came(msgspec.Struct, frozen=True):
    """A request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


Answer = Callable[[Came, asyncio.StreamWriter], Awaitable[None]]


def status(code: int, **headers: str) -> Answer:
    """Answer with a status."""

    async def answer(came: Came, writer: asyncio.StreamWriter) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {code} X\r\ncontent-length: 0\r\n{lines}\r\n".encode())
        await writer.drain()

    return answer


class Receiver:
    """A customer's server: what came, and how it answers."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.answer = status(200)
        self.url = ""
        self.port = 0
        self.under_way = 0
        self.most = 0

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = [line.split(": ", 1) for line in head[1:] if line]
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            came = Came(head[0].split(" ")[1], headers, body)
            self.came.append(came)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await self.answer(came, writer)
            finally:
                self.under_way -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver."""
    made = Receiver()
    server = await asyncio.start_server(made.hear, "127.0.0.2", 0)
    made.port = server.sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.2:{made.port}/hook?token=s3cret"
    try:
        yield made
    finally:
        server.close()


@contextmanager
def standing_receiver(port: int) -> Iterator[Receiver]:
    """A receiver with a thread of its own, for a service that calls it from other processes."""
    made, ready, loop = Receiver(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(made.hear, "127.0.0.2", port)
        made.port = server.sockets[0].getsockname()[1]
        made.url = f"http://127.0.0.2:{made.port}/hook?token=s3cret"
        ready.set()
        async with server:
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def outbound(*ports: int, **changes: Any) -> Outbound:
    """A door that lets the receivers' ports and addresses through."""
    options: dict[str, Any] = {"allow_http": True, "extra_ports": frozenset(ports), "allow_networks": ("127.0.0.2/32",)}
    options |= {"failure_step_seconds": 0.01}
    return Outbound(**options | changes)


@asynccontextmanager
async def deliverer(db: Database, *receivers: Receiver, **changes: Any) -> AsyncIterator[Deliverer]:
    """What delivers to these receivers."""
    door = outbound(*(one.port for one in receivers), **changes)
    try:
        yield (told := Deliverer(db=db, outbound=door, pepper=PEPPER))
        await told.drain(1)
    finally:
        await door.aclose()


async def endpoint(db: Database, owner: Owner, url: str, *kinds: str, livemode: bool = True, **columns: Any) -> str:
    """An endpoint's row; returns its id."""
    endpoint_id = new_id("whe")
    await db.execute(
        "INSERT INTO webhook_endpoint (id, account_id, livemode, url, event_types, signs, hidden)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        endpoint_id, owner.account_id, livemode, url, list(kinds or ("balance.low",)),
        columns.get("signs", ["v1"]), columns.get("hidden", False),
    )  # fmt: skip
    return endpoint_id


async def happen(db: Database, owner: Owner, count: int = 1) -> None:
    """Events of an account, each in a transaction of its own."""
    for number in range(count):
        async with db.transaction() as connection:
            news = News(kind="balance.low", account_id=owner.account_id, data={"number": number})
            await announce_to_accounts(connection, [news])


async def run_jobs(db: Database, told: Deliverer) -> None:
    """What the worker does with the nudges that are waiting."""
    jobs = await db.fetch(
        "DELETE FROM pgqueuer WHERE entrypoint IN ('deliver', 'deliver_slow') RETURNING entrypoint, payload"
    )
    await asyncio.gather(
        *(deliver(bytes(job["payload"]).decode(), told, slow=job["entrypoint"] == "deliver_slow") for job in jobs)
    )


async def age(db: Database, seconds: float) -> None:
    """Let so much time pass for endpoints and deliveries."""
    by = f"{seconds} seconds"
    await db.execute(
        """
        UPDATE webhook_endpoint SET failing_since = failing_since - $1::text::interval,
            closed_until = closed_until - $1::text::interval
        """,
        by,
    )
    await db.execute(
        """
        UPDATE delivery SET due_at = due_at - $1::text::interval, claimed_until = claimed_until - $1::text::interval
        WHERE state = 'pending'
        """,
        by,
    )
