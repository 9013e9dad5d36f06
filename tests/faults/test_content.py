"""F32: what a disk loses of a finished video is found, not served, and fetched again; and what is deleted stays so."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from faults.upstream import Live
from security.attack import log, refused, rows
from stage import until


def stored(live: Live, video: str) -> tuple[Path, str]:
    """The file of a video and its digest."""
    sql = "SELECT object_key, sha256 FROM asset WHERE generation_id = $1 AND variant = 'video'"
    (row,) = rows(live.url, sql, video)
    return live.service.folder / "data" / "objects" / row["object_key"], row["sha256"]


DAMAGE: dict[str, Callable[[Path], None]] = {
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "longer": lambda file: os.truncate(file, file.stat().st_size + 1),
    "empty": lambda file: os.truncate(file, 0),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_F32_a_torn_object_is_found_and_fetched_again(shared: Live, how: str) -> None:
    video = shared.create(f"a torn object, {how}")
    shared.reaches(video, "completed")
    file, _ = stored(shared, video)
    DAMAGE[how](file)
    with shared.service.client() as client:
        place = f"/v1/videos/{video}/content"
        damaged = client.get(place)
        assert (damaged.status_code, damaged.json()["error"]["code"]) == (503, "content_damaged")
        assert damaged.headers["retry-after"] == "10"
        whole = until(lambda: mended(client, place), 30)
        assert isinstance(whole, httpx.Response)
    again, sha256 = stored(shared, video)
    assert hashlib.sha256(whole.content).hexdigest() == sha256
    assert again != file
    assert not file.exists()
    assert shared.service.doctor()["violations"] == 0


def flip(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        byte = opened.read(1)
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("parts", [1, 2])
def test_a_flipped_byte_is_no_delivery_and_the_file_is_fetched_again(shared: Live, parts: int) -> None:
    video = shared.create(f"a flipped byte, {parts}")
    shared.reaches(video, "completed")
    file, _ = stored(shared, video)
    flip(file)
    with shared.service.client() as client:
        place = f"/v1/videos/{video}/content"
        if parts == 1:  # nothing of it is sent that anybody could take for the file
            with suppress(httpx.RemoteProtocolError):
                refused(client.get(place), 503, code="content_damaged")
        else:  # a part has no digest: that is looked at when all of them are there
            middle = file.stat().st_size // 2
            assert client.get(place, headers={"Range": f"bytes=0-{middle}"}).status_code == 206
            assert client.get(place, headers={"Range": f"bytes={middle + 1}-"}).status_code == 206
        until(lambda: not file.exists(), 30)
        whole = until(lambda: mended(client, place), 30)
        assert isinstance(whole, httpx.Response)
        again, sha256 = stored(shared, video)
        assert again != file
        assert hashlib.sha256(whole.content).hexdigest() == sha256
        until(lambda: client.get(f"/v1/videos/{video}").json()["delivered_at"] is not None, 10)


def mended(client: httpx.Client, place: str) -> httpx.Response | None:
    answer = client.get(place)
    return answer if answer.status_code == 200 else None


def test_what_the_upstream_has_lost_as_well_is_said_and_what_is_deleted_is_not_mended(shared: Live) -> None:
    video = shared.create("lost twice")
    shared.reaches(video, "completed")
    file, _ = stored(shared, video)
    file.unlink()
    task = shared.task("lost twice")
    forget(shared, task)
    with shared.service.client() as client:
        place = f"/v1/videos/{video}/content"
        assert client.get(place).status_code == 503
        until(lambda: "mend.failed" in log(shared.service), 20)
        until(lambda: client.get(place).status_code == 500, 10)
        assert client.get(place).json()["error"]["code"] == "content_lost"
        until(lambda: "notice.content_lost" in log(shared.service), 10)
        assert client.delete(f"/v1/videos/{video}").status_code == 200
        refused(client.get(place), 410, code="content_gone")
        receipt = until(lambda: whole_receipt(client, video), 30)
        assert {line["what"] for line in receipt["deleted"]} >= {"video", "prompt", "upstream_copy"}  # type: ignore[index]


def forget(live: Live, task: str) -> None:
    """The upstream's operator deletes a task by hand."""
    fake = live.fakes[0]
    answer = httpx.delete(
        f"{fake.url}/contents/generations/tasks/{task}",
        headers={"Authorization": f"Bearer {fake.key}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def whole_receipt(client: httpx.Client, video: str) -> dict | None:
    found = client.get(f"/v1/videos/{video}/receipt").json()
    return found if found["complete"] else None
