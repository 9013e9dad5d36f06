"""Inputs go as a link, inside the body, or as the vendor's own asset; what cannot go is said."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from obstore.store import HTTPStore, LocalStore, MemoryStore

from seedance_api.catalog.order import Kind, Role
from seedance_api.providers.ark import media as media_module
from seedance_api.providers.ark.media import Media
from seedance_api.providers.provider import Input, NotSent, Refused

CONTENT = {Kind.IMAGE: "image/JPEG", Kind.VIDEO: "video/mp4", Kind.AUDIO: "audio/mpeg"}


def one(kind=Kind.IMAGE, role=Role.REFERENCE, **changes) -> Input:
    return Input(**({"kind": kind, "role": role, "object_key": "in/1", "media_type": CONTENT[kind]} | changes))


def items(*inputs: Input, link=None, prefer: Any = "link", store=None) -> Any:
    if store is None:
        store = MemoryStore()
        store.put("in/1", b"bytes")
    return asyncio.run(Media(store=store, link=link, prefer=prefer).items(inputs))


def link(one: Input) -> str:
    return f"https://files.example/{one.object_key}?seal=1"


def url(item: dict) -> str:
    return item[item["type"]]["url"]


@pytest.mark.parametrize("kind", Kind)
def test_a_link(kind):
    (item,) = items(one(kind), link=link)
    name = f"{kind}_url"
    assert item == {"type": name, name: {"url": "https://files.example/in/1?seal=1"}, "role": f"reference_{kind}"}


def test_bytes_in_the_body_and_a_video_by_a_link():
    image, audio, video = items(one(), one(Kind.AUDIO), one(Kind.VIDEO), link=link, prefer="data")
    encoded = base64.b64encode(b"bytes").decode()
    assert url(image) == f"data:image/jpeg;base64,{encoded}"
    assert url(audio) == f"data:audio/mp3;base64,{encoded}"
    assert url(video) == "https://files.example/in/1?seal=1"


def test_without_a_link_everything_goes_inside_and_a_video_not_at_all():
    (image,) = items(one())
    assert url(image).startswith("data:image/jpeg;base64,")
    refused = items(one(Kind.VIDEO))
    assert isinstance(refused, Refused)
    assert refused.code == "input_unreadable"


@pytest.mark.parametrize(("role", "said"), [(Role.FIRST_FRAME, "first_frame"), (Role.LAST_FRAME, "last_frame")])
def test_frames_keep_their_roles_and_all_their_order(role, said):
    made = items(one(role=role), one(object_key="in/2"), link=link)
    assert [item["role"] for item in made] == [said, "reference_image"]
    assert [url(item)[-8:] for item in made] == ["1?seal=1", "2?seal=1"]


def test_the_vendors_own_asset_passes_through():
    (item,) = items(one(Kind.VIDEO, object_key=None, asset="asset://asset-1"))
    assert url(item) == "asset://asset-1"


@pytest.mark.parametrize(
    "lost", [one(object_key="in/2"), one(object_key=None), one(object_key=None, asset="https://x/y")]
)
def test_what_is_gone_is_refused(lost):
    refused = items(one(), lost, prefer="data", link=link)
    assert isinstance(refused, Refused)
    assert refused.code == "input_unreadable"


def test_the_body_has_its_limit(monkeypatch):
    store = MemoryStore()
    store.put("in/1", bytes(3000))
    monkeypatch.setattr(media_module, "MAX_BODY_BYTES", 8200)
    assert isinstance(items(one(), one(), store=store), list)
    refused = items(one(), one(), one(), store=store)
    assert isinstance(refused, Refused)
    assert "larger" in refused.message


def test_a_store_in_trouble_sends_nothing(tmp_path: Path):
    broken = HTTPStore("http://127.0.0.1:9/", client_options={"allow_http": True}, retry_config={"max_retries": 0})
    assert isinstance(items(one(), store=broken), NotSent)
    assert isinstance(items(one(), store=LocalStore(tmp_path)), Refused)
