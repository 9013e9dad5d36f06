"""After DELETE the content is gone, in every form and at once, and the receipt says so; others never had it."""

import httpx

from security.attack import refused
from stage import Service, finished

VARIANTS = ("video", "thumbnail", "last_frame")


def test_deleted_content_is_gone_and_not_unknown(service: Service) -> None:
    other = service.new_key(email=service.new_account()["email"])
    with service.client() as client, service.client(other) as stranger, service.client(service.new_key("live")) as live:
        made = client.post(
            "/v1/videos",
            json={"prompt": "It goes", "duration": 4, "resolution": "480p", "return_last_frame": True},
        ).json()["id"]
        assert finished(client, made)["status"] == "completed"
        place = f"/v1/videos/{made}"
        links = [client.post(f"{place}/links", json={"variant": one}).json()["url"] for one in VARIANTS]
        assert {httpx.get(one, trust_env=False).status_code for one in links} == {200}
        assert client.delete(place).json()["deleted"]

        receipt = f"{place}/receipt"

        def gone(response: httpx.Response) -> None:
            assert response.headers["link"] == f'<{receipt}>; rel="describedby"'
            if response.request.method == "HEAD":
                assert (response.status_code, response.content) == (410, b"")
            else:
                assert receipt in refused(response, 410, code="content_gone")["message"]

        for variant in (*VARIANTS, None):
            content = f"{place}/content" + (f"?variant={variant}" if variant else "")
            gone(client.get(content))
            gone(client.head(content))
            gone(client.get(content, headers={"Range": "bytes=0-9"}))
            for somebody in (stranger, live):
                refused(somebody.get(content), 404, code="not_found")
        for url in links:
            gone(httpx.get(url, trust_env=False))
            gone(httpx.head(url, trust_env=False))
            gone(httpx.get(url, headers={"Range": "bytes=0-9"}, trust_env=False))
        gone(client.post(f"{place}/links", json={"variant": "video"}))
        gone(client.post(f"{place}/delivered"))

        # the video itself is not there any more, for its owner and for all others alike
        for path in (place, f"{place}/events"):
            refused(client.get(path), 404, code="not_found")
        refused(client.delete(place), 404, code="not_found")
        assert made not in [one["id"] for one in client.get("/v1/videos", params={"limit": 100}).json()["data"]]

        said = client.get(receipt).json()
        assert {*VARIANTS, "prompt"} <= {one["what"] for one in said["deleted"]}
        for somebody in (stranger, live):
            refused(somebody.get(receipt), 404, code="not_found")


def test_a_deleted_video_that_never_had_content_says_the_same(service: Service) -> None:
    with service.client() as client:
        made = client.post("/v1/videos", json={"prompt": "[sandbox:moderated]", "resolution": "480p"}).json()["id"]
        finished(client, made)
        refused(client.get(f"/v1/videos/{made}/content"), 404, code="not_ready")
        client.delete(f"/v1/videos/{made}")
        refused(client.get(f"/v1/videos/{made}/content"), 410, code="content_gone")


def test_an_id_that_is_none_is_unknown(service: Service) -> None:
    with service.client() as client:
        for name in ("vid_" + "0" * 26, "vid_x", "x"):
            refused(client.get(f"/v1/videos/{name}/content"), 404, code="not_found")
