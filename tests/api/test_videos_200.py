"""What `/v1/videos` does when it is asked for something it can do."""

import base64
import io
import json
import uuid

import httpx
from PIL import Image

from stage import Service, finished

SMALL = {"prompt": "A quiet lake", "resolution": "480p", "duration": 4}


def picture(colour: str = "teal", kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 400), colour).save(file, kind)
    return file.getvalue()


def create(client: httpx.Client, **fields: object) -> dict[str, object]:
    answer = client.post("/v1/videos", json=SMALL | fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_create_says_what_was_understood(service: Service) -> None:
    with service.client() as client:
        answer = client.post(
            "/v1/videos", json={"prompt": "A lake --rs 480p --dur 4 --seed 5", "metadata": {"order": "7"}}
        )
        video = answer.json()
        assert answer.headers["location"] == f"/v1/videos/{video['id']}"
        assert answer.headers["openai-poll-after-ms"].isdecimal()
        assert answer.headers["x-request-id"].startswith("req_")
        assert "app;dur=" in answer.headers["server-timing"]
        assert (video["prompt"], video["resolution"], video["duration"], video["seed"]) == ("A lake", "480p", 4, 5)
        assert video["metadata"] == {"order": "7"}
        assert (video["livemode"], video["sandbox"], video["ai_generated"]) == (False, True, True)


def test_a_form_and_json_that_say_the_same_are_the_same(service: Service) -> None:
    with service.client() as client:
        form = {name: (None, str(value)) for name, value in SMALL.items()}
        headers = {"Idempotency-Key": '"one and the same"'}
        first = client.post("/v1/videos", files=form, headers=headers)
        again = client.post("/v1/videos", files=form, headers={"Idempotency-Key": "one and the same"})
        assert first.status_code == again.status_code == 200, first.text
        assert first.json()["id"] == again.json()["id"]
        assert again.headers["idempotent-replayed"] == "true"
        as_json = client.post("/v1/videos", json=SMALL, headers=headers)
        assert as_json.json()["id"] == first.json()["id"]
        assert client.post("/v1/videos", json=SMALL | {"seed": 1}, headers=headers).status_code == 422


def test_quote_is_what_a_finished_video_used(service: Service) -> None:
    with service.client() as client:
        quote = client.post("/v1/videos/quote", json=SMALL | {"ratio": "9:16"}).json()
        assert quote["tokens"]["expected"] <= quote["tokens"]["most"]
        video = finished(client, str(create(client, ratio="9:16")["id"]))
        assert video["usage"] == {"total_tokens": quote["tokens"]["expected"]}
        assert (video["size"], video["ratio"], video["duration"], video["frames"]) == ("496x864", "9:16", 4, 97)


def test_pictures_come_in_every_way(service: Service) -> None:
    with service.client() as client:
        uploaded = client.post("/v1/files", files={"file": ("a.png", picture(), "image/png")}).json()
        assert uploaded["kind"] == "image"
        data_url = "data:image/jpeg;base64," + base64.b64encode(picture("red", "JPEG")).decode()
        made = [
            create(
                client,
                images=[{"file_id": uploaded["id"], "role": "first_frame"}, {"url": data_url, "role": "last_frame"}],
            ),
            create(client, images=[uploaded["id"]]),
            create(client, input_reference={"image_url": data_url}),
            create(
                client,
                images=[{"file_id": uploaded["id"], "role": "reference"}, {"url": data_url, "role": "reference"}],
            ),
            client.post(
                "/v1/videos",
                data={
                    "prompt": "x",
                    "seconds": "4",
                    "size": "480x854",
                    "model": "seedance-2.0-mini",
                    "resolution": "480p",
                },
                files={"input_reference": ("upload", picture("blue"), "application/octet-stream")},
            ).json(),
        ]
        for video in made[:4]:
            assert finished(client, str(video["id"]))["status"] == "completed"


def test_variants_head_etag_and_ranges(service: Service) -> None:
    with service.client() as client:
        video = finished(client, str(create(client, return_last_frame=True)["id"]))
        place = f"/v1/videos/{video['id']}/content"
        whole = client.get(place)
        assert whole.headers["content-type"] == "video/mp4"
        head = client.head(place)
        assert head.headers["content-length"] == str(len(whole.content))
        assert head.content == b""
        etag = whole.headers["etag"]
        assert client.get(place, headers={"If-None-Match": etag}).status_code == 304
        parts = [client.get(place, headers={"Range": wanted}) for wanted in ("bytes=0-999", "bytes=1000-")]
        assert [part.status_code for part in parts] == [206, 206]
        assert b"".join(part.content for part in parts) == whole.content
        assert client.get(place, headers={"Range": "bytes=5-", "If-Range": '"other"'}).status_code == 200
        assert Image.open(io.BytesIO(client.get(f"{place}?variant=last_frame").content)).size == (864, 496)
        assert Image.open(io.BytesIO(client.get(f"{place}?variant=thumbnail").content)).width == 640


def test_a_draft_and_its_final_take(service: Service) -> None:
    with service.client() as client:
        draft = finished(client, str(create(client, model="seedance-2.5", draft=True, seed=3)["id"]))
        assert draft["draft"] is True
        answer = client.post("/v1/videos", json={"draft_id": draft["id"]})
        assert answer.status_code == 200, answer.text
        final = answer.json()
        assert (final["resolution"], final["prompt"], final["draft"]) == ("1080p", "A quiet lake", False)
        wrong = client.post("/v1/videos", json={"draft_id": final["id"]})
        assert wrong.json()["error"]["errors"][0]["path"] == "draft_id"


def test_pages_by_cursor_and_filter(service: Service) -> None:
    key = service.new_key(email=service.command("account", "create", f"{uuid.uuid4().hex[:8]}@example.org")["email"])
    with service.client(key) as client:
        ids = [create(client, prompt="[sandbox:stall] x")["id"] for _ in range(5)]
        seen: list[str] = []
        after = None
        while True:
            page = client.get("/v1/videos", params={"limit": 2} | ({"after": after} if after else {})).json()
            seen += [video["id"] for video in page["data"]]
            assert page["first_id"] == page["data"][0]["id"]
            after = page["last_id"]
            if not page["has_more"]:
                break
        assert seen == ids[::-1]
        up = client.get("/v1/videos", params={"order": "asc", "limit": "3", "after": str(ids[0])}).json()
        assert [video["id"] for video in up["data"]] == ids[1:4]
        canceled = client.post(f"/v1/videos/{ids[4]}/cancel").json()
        assert canceled["status"] in ("canceled", "in_progress")
        assert finished(client, str(ids[4]))["status"] == "canceled"
        found = client.get("/v1/videos", params={"status": "canceled"}).json()
        assert [video["id"] for video in found["data"]] == [ids[4]]
        assert client.get("/v1/videos", params={"model": "seedance-2.5"}).json()["data"] == []
        assert client.get("/v1/videos", params={"created_after": 4_000_000_000}).json()["data"] == []
        for one in ids[:4]:
            client.post(f"/v1/videos/{one}/cancel")


def test_events_tell_every_change_and_end(service: Service) -> None:
    with service.client() as client:
        video = create(client, prompt="[sandbox:slow=3] waves")
        names: list[str] = []
        progress: list[int] = []
        with client.stream("GET", f"/v1/videos/{video['id']}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    names.append(line[7:])
                elif line.startswith("data: "):
                    progress.append(json.loads(line[6:])["progress"])
        assert names[-1] == "video.completed"
        assert progress == sorted(progress)
        assert len(set(progress)) > 3


def test_models_are_listed_and_found_by_their_aliases(service: Service) -> None:
    with service.client() as client:
        models = client.get("/v1/models").json()["data"]
        assert "seedance-2.0-mini" in [model["id"] for model in models]
        found = client.get("/v1/models/dreamina-seedance-2-5-260628").json()
        assert found["id"] == "seedance-2.5"


def test_health(service: Service) -> None:
    for path in ("/healthz", "/readyz"):
        answer = httpx.get(service.url + path, trust_env=False)
        assert answer.json() == {"status": "ok"}
