"""`Idempotency-Key`: one video, whatever the client and the network do."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from faults.kit import SHORT, completes, consistent
from security.attack import address, picture, refused, rows
from stage import Service


def test_fifty_at_once_make_one(start_service: Callable[..., Service]) -> None:
    service = start_service(workers="2")

    def send(number: int) -> httpx.Response:
        with service.client() as client:
            headers = {"Idempotency-Key": "a key"}
            if number % 2:
                return client.post("/v1/videos", json=SHORT | {"prompt": "x"}, headers=headers)
            return client.post("/v1/videos", json={"prompt": "x"} | SHORT, headers={"Idempotency-Key": '"a key"'})

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert {answer.status_code for answer in answers} == {200}
    (video,) = {answer.json()["id"] for answer in answers}
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert rows(service.database_url, "SELECT count(*) AS n FROM generation")[0]["n"] == 1
    with service.client() as client:
        other = client.post("/v1/videos", json=SHORT | {"prompt": "y"}, headers={"Idempotency-Key": "a key"})
    refused(other, 422, code="idempotency_mismatch")
    completes(service, [video])
    consistent(service)


def test_twenty_at_once_with_a_picture_keep_one_picture(start_service: Callable[..., Service]) -> None:
    service = start_service(workers="2")
    image = picture()

    def send(_: int) -> httpx.Response:
        with service.client() as client:
            data = {name: str(value) for name, value in SHORT.items()} | {"prompt": "x"}
            return client.post(
                "/v1/videos", data=data, files={"input_reference": ("a.png", image)}, headers={"Idempotency-Key": "k"}
            )

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    busy = [answer for answer in answers if answer.status_code != 200]
    for answer in busy:  # looking into a picture takes a while, and one does it for all
        refused(answer, 409, code="idempotency_in_progress")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["x-should-retry"] == "true"
    again = send(0)
    assert again.headers["idempotent-replayed"] == "true"
    (video,) = {answer.json()["id"] for answer in [*answers, again] if answer not in busy}
    assert rows(service.database_url, "SELECT count(*) AS n FROM file")[0]["n"] == 1
    completes(service, [video])
    consistent(service, 10)


def test_a_client_that_leaves_before_the_answer_has_one_video_or_none(start_service: Callable[..., Service]) -> None:
    service = start_service()
    body = b'{"prompt":"x","model":"seedance-1.0-pro-fast","duration":2,"resolution":"480p"}'
    videos: list[str] = []
    for number in range(10):
        with socket.create_connection(address(service)) as connection:
            connection.sendall(
                b"POST /v1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
                b"Idempotency-Key: k%d\r\nContent-Length: %d\r\n\r\n" % (service.key.encode(), number, len(body)) + body
            )
        with service.client() as client:
            headers = {"Idempotency-Key": f"k{number}", "Content-Type": "application/json"}
            answer = client.post("/v1/videos", content=body, headers=headers)
            assert answer.status_code == 200
            videos.append(answer.json()["id"])
    assert rows(service.database_url, "SELECT count(*) AS n FROM generation")[0]["n"] == 10
    with service.client() as client:
        for video in videos[1:]:
            client.post(f"/v1/videos/{video}/cancel")
    completes(service, videos[:1])
    consistent(service)


def test_a_refused_create_does_not_use_up_its_key(start_service: Callable[..., Service]) -> None:
    service = start_service()
    with service.client() as client:
        refused(client.post("/v1/videos", json={"prompt": "x", "duration": 99}, headers={"Idempotency-Key": "k"}), 400)
        answer = client.post("/v1/videos", json=SHORT | {"prompt": "x"}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 200
        client.post(f"/v1/videos/{answer.json()['id']}/cancel")
