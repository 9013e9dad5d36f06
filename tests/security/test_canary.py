"""P09: a prompt, a picture, metadata and an address go through success, refusal, failure and crash; nothing tells."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx
import psutil

from security.attack import log, picture, rows
from stage import Service, finished, until

CANARY = "c4n4ry7e57"
SMALL = {"duration": 4, "resolution": "480p"}
ALLOWED = {"generation": "metadata", "generation_input": "prompt"}
"""The only columns that may hold what a customer wrote."""


def test_what_customers_send_is_in_no_log_job_or_error(start_service: Callable[..., Service]) -> None:
    service = start_service(log_level="debug", lease_seconds="2", sandbox_renderers="1")
    said: list[str] = []
    with service.client() as client:
        client.event_hooks = {"response": [lambda response: said.append(response.headers.get("location", ""))]}
        refusals(client, said)
        videos = [outcome(client, spell) for spell in ("fail", "output_moderated", "input_moderated", "unclear", "")]
        for video in videos:
            done = finished(client, video)
            said.append(str(done["error"]))
            assert CANARY in str(done["prompt"])
        crashes(service, client, said)
    assert service.stop() == 0
    # whoever sent them is told which entry, which id that is none, and which host cannot be reached; nothing else of it
    named = re.compile(rf"metadata\[{CANARY}\]|file_{CANARY}|\({CANARY}\.invalid\)")
    assert not [text for text in said if CANARY in named.sub("", text)]
    assert CANARY not in log(service)
    assert columns_with_canary(service) <= {f"{table}.{column}" for table, column in ALLOWED.items()}


def refusals(client: httpx.Client, said: list[str]) -> None:
    """Everything that is refused before anything is made."""
    good = {"prompt": CANARY} | SMALL
    bodies: list[object] = [
        good | {"duration": 99},
        good | {"prompt": {CANARY: CANARY}},
        good | {"prompt": f"{CANARY}\0"},
        good | {"prompt": CANARY * 4000},
        good | {"prompt": f"{CANARY} --dur {CANARY}"},
        good | {"metadata": {CANARY: 5}},
        good | {"metadata": {CANARY: CANARY * 100}},
        good | {"metadata": {CANARY: "\0"}},
        good | {"images": [f"https://{CANARY}.invalid/{CANARY}?{CANARY}"]},
        good | {"images": [f"https://user:{CANARY}@example.org/"]},
        good | {"images": [f"http://127.0.0.1/{CANARY}"]},
        good | {"images": [f"data:image/png;base64,{CANARY}"]},
        good | {"images": [f"file_{CANARY}"]},
        good | {"images": [{"url": 5, "role": CANARY}]},
    ]
    said += [client.post("/v1/videos", json=body).text for body in bodies]
    said.append(
        client.post("/v1/videos", content=f'{{"prompt":"{CANARY}', headers={"Content-Type": "application/json"}).text
    )
    pictures = [CANARY.encode(), picture(canary=CANARY)[:-40]]
    said += [client.post("/v1/files", files={"file": (f"{CANARY}.png", data)}).text for data in pictures]


def outcome(client: httpx.Client, spell: str) -> str:
    """A create with canaries everywhere, that will end as the spell says."""
    data = {
        "prompt": f"{CANARY} [sandbox:{spell}]" if spell else CANARY,
        "metadata[note]": CANARY,
        "duration": "4",
        "resolution": "480p",
    }
    files = {"input_reference": (f"{CANARY}.png", picture(canary=CANARY))}
    answer = client.post("/v1/videos", data=data, files=files)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def crashes(service: Service, client: httpx.Client, said: list[str]) -> None:
    """A render that is killed, a worker that is killed, a row that cannot be read, a file that is gone."""
    video = outcome(client, "slow=60")
    for _ in range(2):  # it gets a second try
        child = until(lambda: renderers(service), 60)
        assert isinstance(child, list)
        child[0].kill()
        child[0].wait()
    said.append(str(finished(client, video)["error"]))

    video = outcome(client, "slow=5")
    until(lambda: renderers(service), 60)
    worker_of(service).kill()
    assert finished(client, video)["status"] == "completed"
    path = next((service.folder / "data" / "objects" / "content" / video).rglob("video.mp4"))
    path.unlink()
    try:
        said.append(client.get(f"/v1/videos/{video}/content").text[:1000])
    except httpx.HTTPError as error:
        said.append(str(error))

    video = outcome(client, "stall")
    until(lambda: client.get(f"/v1/videos/{video}").json()["status"] == "in_progress", 30)
    spoil(service, video)
    until(lambda: "ValidationError" in log(service), 60)
    said.append(client.get(f"/v1/videos/{video}").text)


def spoil(service: Service, video: str) -> None:
    """Make the row unreadable, in a way whose error text would quote it."""

    async def write() -> None:
        connection = await asyncpg.connect(service.database_url)
        await connection.execute(
            "UPDATE generation SET params = jsonb_set(params, '{mode}', $2::jsonb), due_at = now() WHERE id = $1",
            video,
            f'"{CANARY}"',
        )
        await connection.execute("UPDATE generation SET deadline_at = now() WHERE id = $1", video)
        await connection.close()

    asyncio.run(write())


def renderers(service: Service) -> list[psutil.Process]:
    """The processes that render."""
    found = psutil.Process(service.process.pid).children(recursive=True)
    return [one for one in found if any("seedance_preview.render" in part for part in command(one))]


def worker_of(service: Service) -> psutil.Process:
    """The worker that `serve` started."""
    return next(one for one in psutil.Process(service.process.pid).children() if command(one)[-1:] == ["worker"])


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def columns_with_canary(service: Service) -> set[str]:
    """Every column of every table whose text has the canary."""
    found: set[str] = set()
    columns = "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'"
    for table, name in rows(service.database_url, columns):
        sql = f'SELECT 1 FROM "{table}" WHERE strpos("{name}"::text, $1) > 0 OR strpos("{name}"::text, $2) > 0'
        spoilt_by_us = (table, name) == ("generation", "params")
        if rows(service.database_url, sql, CANARY, CANARY.encode().hex()) and not spoilt_by_us:
            found.add(f"{table}.{name}")
    return found


def test_no_canary_outlives_a_delete(start_service: Callable[..., Service]) -> None:
    service = start_service()
    data = service.folder / "data"
    with service.client() as client:
        video = outcome(client, "")
        finished(client, video)
        assert client.delete(f"/v1/videos/{video}").status_code == 200
        until(lambda: not files_with_canary(data), 30)
        until(lambda: not list((data / "objects").rglob("*.mp4")), 30)
    assert "generation_input.prompt" not in columns_with_canary(service)


def files_with_canary(folder: Path) -> list[Path]:
    """Every file with the canary, in the store or on its way."""
    found: list[Path] = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and CANARY.encode() in path.read_bytes():
                found.append(path)
        except FileNotFoundError:
            continue
    return found
