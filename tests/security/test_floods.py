"""Requests that ask for much of our memory or time: nobody else notices."""

import base64
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import psutil

from security.attack import address, form, kept, refused, text_part
from stage import Service, until

MIB = 1 << 20


def test_a_million_keys_neither_hold_up_others_nor_flood_the_answer(start_service: Callable[..., Service]) -> None:
    service = start_service()
    body = ("{" + ",".join(f'"k{n}":1' for n in range(1_000_000)) + "}").encode()
    answers: list[httpx.Response] = []

    def send() -> None:
        with service.client() as client, suppress(httpx.HTTPError):  # it is killed when this takes too long
            answers.append(client.post("/v1/videos", content=body, headers={"Content-Type": "application/json"}))

    sender = threading.Thread(target=send)
    longest = 0.0
    try:
        with httpx.Client(base_url=service.url, timeout=10, trust_env=False) as other:
            sender.start()
            while sender.is_alive():
                started = time.monotonic()
                assert other.get("/healthz").status_code == 200
                longest = max(longest, time.monotonic() - started)
        refused(answers[0], 400)
        assert len(answers[0].content) < MIB
        assert longest < 5
    finally:
        service.kill()
        sender.join()


def test_bodies_that_never_end_do_not_shut_others_out(start_service: Callable[..., Service]) -> None:
    """Five senders stop in the middle; another customer's ordinary body is still taken."""
    service = start_service()
    head = f"POST /v1/videos/quote HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + '{"a":\r\n'
    before = kept(service)
    stalled = [socket.create_connection(address(service)) for _ in range(5)]
    try:
        for one in stalled:
            one.sendall(head.encode())
        with service.client() as client:
            for _ in range(50):  # the server has long begun to read the five by the last of them
                body = iter([b'{"prompt":"x"}'])
                answer = client.post("/v1/videos/quote", content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code == 200, answer.text
    finally:
        for one in stalled:
            one.close()
    until(lambda: kept(service) == before, 10)


def test_one_account_cannot_take_the_room_for_bodies_from_the_others(start_service: Callable[..., Service]) -> None:
    """Five bodies of 60 MiB come fast but for their end. Two find room, and another account's body does, too."""
    service = start_service()
    other = service.new_key(email=service.new_account()["email"])
    head = f"POST /v1/videos/quote HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {60 * MIB}\r\n\r\n"
    with ExitStack() as stack:
        stalled = [stack.enter_context(socket.create_connection(address(service), 30)) for _ in range(5)]

        def fill(one: socket.socket) -> int:
            with suppress(OSError):
                one.sendall(head.encode() + b" " * (59 * MIB))
            with suppress(OSError):
                one.settimeout(4)
                return int(one.recv(65536)[9:12])
            return 0

        with ThreadPoolExecutor(5) as pool:  # those that are refused wait two seconds first
            answers = sorted(pool.map(fill, stalled))
        assert answers == [0, 0, 429, 429, 429]
        with service.client(other) as client:
            body = b'{"prompt":"' + b" " * (50 * MIB) + b'x"}'
            answer = client.post("/v1/videos/quote", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (200, 400), answer.text


def test_many_large_bodies_at_once_are_bounded_in_memory(start_service: Callable[..., Service]) -> None:
    """Twelve of 60 MiB, JSON and forms, whose media are data URLs: they wait or are refused, they do not pile up."""
    service = start_service()
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * (45 * MIB)).decode()
    bodies = [
        (f'{{"prompt":"x","images":["{url}"]}}'.encode(), "application/json"),
        (form([text_part("prompt", "x"), text_part("images[]", url)]), "multipart/form-data; boundary=edge"),
    ]

    def send(number: int) -> httpx.Response:
        body, kind = bodies[number % 2]
        with service.client() as client:
            return client.post("/v1/videos/quote", content=body, headers={"Content-Type": kind})

    most = 0
    with ThreadPoolExecutor(12) as pool:
        sending = [pool.submit(send, number) for number in range(12)]
        while not all(one.done() for one in sending):
            most = max(most, sum(memory(one) for one in family(service)))
            time.sleep(0.05)
    for one in sending:
        assert one.result().status_code in (400, 429, 503), one.result().text
    assert most < 1200 * MIB, most // MIB


def family(service: Service) -> list[psutil.Process]:
    """`serve` and all that it started."""
    parent = psutil.Process(service.process.pid)
    everybody = [parent, *parent.children(recursive=True)]
    return [one for one in everybody if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def memory(process: psutil.Process) -> int:
    """What it holds; nothing when it ended a moment ago."""
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
