"""Whether a download has arrived is seen of every client, whatever its address; of one that is gone nothing has."""

import socket
import struct
from collections.abc import Callable

import pytest

from security.attack import rows
from stage import Service, finished, until

SMALL = {"prompt": "A pond", "resolution": "480p", "duration": 4}


def state(service: Service, video: str) -> str:
    return rows(service.database_url, "SELECT state FROM content WHERE generation_id = $1", video)[0]["state"]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_a_client_is_known_by_its_address(start_service: Callable[..., Service]) -> None:
    service = start_service(host="::")
    port = service.url.rsplit(":", 1)[1]
    with service.client() as client:
        for address in ("127.0.0.1", "[::1]"):
            video = client.post("/v1/videos", json=SMALL).json()["id"]
            assert finished(client, video)["status"] == "completed"
            gone_at_once(service, int(port), video)
            assert state(service, video) == "stored", "nobody has it"
            got = client.get(f"http://{address}:{port}/v1/videos/{video}/content")
            assert got.status_code == 200
            until(lambda: state(service, video) == "delivered", 20)  # noqa: B023


def gone_at_once(service: Service, port: int, video: str) -> None:
    """Ask, and reset the connection before anything comes."""
    for _ in range(5):
        ask = f"GET /v1/videos/{video}/content HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {service.key}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port)) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.sendall(ask.encode())
