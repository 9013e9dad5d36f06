"""A picture with a place and a name in it: what the upstream gets is the picture, and nothing of the rest."""

import base64
import io
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from faults.upstream import MAIN, Live, fast_fake, table
from stage import fresh_database, until

CANARY = "c4n4ry-51.4779N"


@pytest.fixture(scope="module", params=["link", "data"])
def live(request: pytest.FixtureRequest, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with fresh_database(postgres) as url, fast_fake() as fake:
        tables = table("main", fake.url, MAIN, media=f"'{request.param}'")
        live = Live(url, tmp_path_factory.mktemp("live"), tables, fake)
        yield live
        live.stop()


def located(form: str) -> bytes:
    """A picture whose EXIF says where it was taken, and by whom."""
    exif = Image.Exif()
    exif[0x010E] = CANARY
    exif[0x013B] = CANARY
    exif[0x8825] = {1: "N", 2: (51.0, 28.0, 40.0), 29: CANARY}
    file = io.BytesIO()
    picture = Image.linear_gradient("L").resize((640, 400)).convert("RGB")
    picture.save(file, form, exif=exif, **({"comment": CANARY.encode()} if form == "JPEG" else {}))
    return file.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("way", ["inline", "upload"])
def test_where_a_picture_was_taken_reaches_no_upstream(live: Live, form: str, way: str) -> None:
    given = located(form)
    assert CANARY.encode() in given
    prompt = f"{way} {form}"
    source = {"url": f"data:image/{form.lower()};base64,{base64.b64encode(given).decode()}"}
    if way == "upload":
        with live.service.client() as client:
            source = {"file_id": client.post("/v1/files", files={"file": ("a", given)}).json()["id"]}
    live.create(prompt, images=[source | {"role": "reference"}])
    until(lambda: live.creates(prompt), 30)
    (call,) = live.creates(prompt)
    assert CANARY not in str(call["body"])
    got = seen(call["body"])
    assert CANARY.encode() not in got
    with Image.open(io.BytesIO(got)) as picture:
        assert picture.size == (640, 400)
        assert not picture.getexif()
        assert not set(picture.info) & {"exif", "xmp", "comment", "icc_profile"}


def seen(body: dict) -> bytes:
    """The picture as the fake upstream got it, by its link or in the body."""
    (url,) = [item["image_url"]["url"] for item in body["content"] if item["type"] == "image_url"]
    if url.startswith("data:"):
        return base64.b64decode(url.partition(",")[2])
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 200
    return answer.content
