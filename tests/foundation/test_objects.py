"""Objects: durable, whole or not there, and many deleted at once. F32: a put that is torn or killed."""

import asyncio
import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, ObjectStore, S3Store

from seedance_api.foundation import objects
from seedance_api.foundation.put_object import put_bytes, put_file
from seedance_api.foundation.read_object import open_range

KEY = "content/vid_a/1/video.mp4"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return objects.open_store(None, tmp_path / "objects") if request.param == "folder" else MemoryStore()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(bytes(range(256)) * 12_000)
    return path


def run(verb: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await verb

    return asyncio.run(main())


async def keys(store: ObjectStore) -> list[str]:
    return sorted(meta["path"] for meta in await obstore.list(store).collect_async())


def test_a_file_comes_back_as_it_was(store: ObjectStore, source: Path) -> None:
    whole = source.read_bytes()

    async def verb() -> None:
        await put_file(store, KEY, source)
        await put_bytes(store, "files/small", b"small")
        size = 256 * 12_000
        back = b"".join([chunk async for chunk in await open_range(store, KEY, 0, size, size=size)])
        assert back == whole
        assert await objects.size_of(store, "files/small") == 5
        assert await keys(store) == [KEY, "files/small"]

    run(verb())


def test_a_put_is_on_disk_before_it_has_its_name_and_its_folders_after(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(opened: int) -> None:
        did.append(Path(f"/proc/self/fd/{opened}").readlink().name.partition(".part-")[0])
        sync(opened)

    def noted_replace(part: Path, to: Path) -> Path:
        did.append("renamed")
        return replace(part, to)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    run(put_file(objects.open_store(None, tmp_path / "objects"), KEY, source))
    assert did == ["video.mp4", "renamed", "1", "vid_a", "content", "objects"]


def test_readers_see_all_of_it_or_nothing(source: Path, tmp_path: Path) -> None:
    store = objects.open_store(None, tmp_path / "objects")
    place, size = tmp_path / "objects" / KEY, source.stat().st_size
    seen: set[int] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if place.exists():
                seen.add(place.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(50):
        run(put_file(store, KEY, source))
    over.set()
    watcher.join()
    assert seen == {size}


def test_a_torn_put_is_an_error_and_leaves_nothing(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F32 against a store that keeps half of what it is given and says that all is well."""
    store, put = MemoryStore(), obstore.put_async
    half = source.read_bytes()[:-1]

    async def truncating(store: ObjectStore, key: str, _: Path) -> object:
        return await put(store, key, half)

    monkeypatch.setattr(obstore, "put_async", truncating)
    with pytest.raises(objects.TornError):
        run(put_file(store, KEY, source))
    assert run(keys(store)) == []
    monkeypatch.undo()
    run(put_file(store, KEY, source))
    assert run(objects.size_of(store, KEY)) == source.stat().st_size


def test_a_full_disk_leaves_neither_a_part_nor_a_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    store = objects.open_store(None, tmp_path / "objects")
    with pytest.raises(OSError, match="No space left"):
        run(put_file(store, KEY, source))
    assert run(keys(store)) == []


def test_killed_before_it_has_its_name_a_put_leaves_an_object_that_can_be_collected(
    source: Path, tmp_path: Path
) -> None:
    (tmp_path / "points").mkdir()
    (tmp_path / "points" / "object.written").touch()
    program = (
        "import asyncio, sys; from pathlib import Path; from seedance_api.foundation import objects\n"
        "from seedance_api.foundation.put_object import put_file\n"
        "store = objects.open_store(None, Path(sys.argv[1]))\n"
        f"asyncio.run(put_file(store, {KEY!r}, Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "objects"), str(source)]
    environment = os.environ | {"SEEDANCE_KILL_POINTS": str(tmp_path / "points")}
    assert subprocess.run(command, env=environment, check=False).returncode == 137
    store = objects.open_store(None, tmp_path / "objects")
    (left,) = run(keys(store))
    assert left.startswith(f"{KEY}.part-")  # listed, so `collect` finds that no row names it
    run(objects.delete(store, [left]))
    subprocess.run(command, env=environment, check=True)
    assert run(keys(store)) == [KEY]


@pytest.mark.parametrize("missing", [(), (0,), (700, 1500)], ids=["all there", "one gone", "some gone"])
def test_many_are_deleted_at_once_and_what_is_gone_is_no_error(store: ObjectStore, missing: tuple[int, ...]) -> None:
    async def verb() -> None:
        names = [f"files/obj_{n}" for n in range(2100)]
        for n, name in enumerate(names):
            if n not in missing:
                await obstore.put_async(store, name, b"x")
        await obstore.put_async(store, "files/other", b"x")
        await objects.delete(store, names)
        assert await keys(store) == ["files/other"]
        await objects.delete(store, names)
        await objects.delete(store, [])

    run(verb())


def test_puts_and_deletes_that_empty_a_folder_do_not_disturb_each_other(tmp_path: Path, source: Path) -> None:
    store = objects.open_store(None, tmp_path / "objects")

    async def churn(number: int) -> None:
        for _ in range(60):
            await put_bytes(store, f"files/a/{number}", b"x")
            await objects.delete(store, [f"files/a/{number}"])

    async def verb() -> None:
        await asyncio.gather(*(churn(number) for number in range(8)))
        assert await keys(store) == []

    run(verb())


@pytest.mark.parametrize("open_it", [lambda folder: f"file://{folder}", lambda _: None], ids=["file URL", "no URL"])
def test_a_folder_of_this_machine(open_it: Callable[[Path], str | None], tmp_path: Path) -> None:
    store = objects.open_store(open_it(tmp_path / "there"), tmp_path / "there")
    assert isinstance(store, LocalStore)
    run(put_bytes(store, "a/b", b"x"))
    assert (objects.folder_of(store) or tmp_path) / "a" / "b" == tmp_path / "there" / "a" / "b"


GCS = {"GOOGLE_SERVICE_ACCOUNT_KEY": "…"}
AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5a2V5"}
S3 = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-central-1"}


@pytest.mark.parametrize(
    ("url", "environment", "kind", "place"),
    [
        ("s3://bucket/some/prefix", S3, S3Store, "https://s3.eu-central-1.amazonaws.com/bucket/some/prefix/files/a?"),
        ("s3://bucket", S3, S3Store, "https://s3.eu-central-1.amazonaws.com/bucket/files/a?"),
        (
            "s3://bucket/prefix",
            S3 | {"AWS_ENDPOINT": "https://s3.example.org"},
            S3Store,
            "https://s3.example.org/bucket/prefix/files/a?",
        ),
        ("gs://bucket/prefix", GCS, GCSStore, "https://storage.googleapis.com/bucket/prefix/files/a?"),
        ("az://container/prefix", AZURE, AzureStore, "https://account.blob.core.windows.net/container/prefix/files/a?"),
    ],
    ids=["S3", "S3 without a prefix", "another maker's S3", "Google", "Azure"],
)
def test_an_address_opens_its_store_and_links_are_made_without_a_network(
    url: str,
    environment: dict[str, str],
    kind: type[S3Store | GCSStore | AzureStore],
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As far as Google's and Azure's stores can be tried here: there is no server of theirs on this machine."""
    for name, value in environment.items():
        monkeypatch.setenv(name, service_account() if value == "…" else value)
    store = objects.open_store(url, tmp_path / "objects")
    assert isinstance(store, kind)
    assert obstore.sign(store, "GET", "files/a", timedelta(hours=1)).startswith(place)
    assert not (tmp_path / "objects").exists()


def service_account() -> str:
    """A Google service account with a key of its own."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return json.dumps({"client_email": "x@example.org", "private_key": pem.decode(), "private_key_id": "1"})
