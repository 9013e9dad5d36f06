"""The OpenAPI document is valid, complete, and true of real answers."""

import io
import re
from typing import Any

import httpx
import jsonschema
import jsonschema_rs
import msgspec
import pytest
import schemathesis
from PIL import Image

from seedance_api.api import docs, openapi
from seedance_api.api.reference import Reference
from seedance_api.api.routes import ROUTES
from seedance_api.api.video_form import CreateVideo
from seedance_api.catalog.models import DEFAULT
from seedance_api.generations.states import FAILURES
from seedance_api.web.notes import field_notes
from stage import Service, finished

PLAIN = {("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/"), ("POST", "/v1/callbacks/{attempt}/{token}")}
"""They are the document and its page, and what an upstream calls at an address of its own: no part of the API."""


def document() -> dict[str, Any]:
    """The document of all routes."""
    return openapi.document(tuple(ROUTES))


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation of the document, by method and path."""
    return {
        (method.upper(), path): one
        for path, methods in document()["paths"].items()
        for method, one in methods.items()
        if method != "parameters"
    }


def check(schema: str, answer: httpx.Response) -> dict[str, Any]:
    """The answer, once its body fits the schema."""
    body = answer.json()
    problems = [error.message for error in validator(schema).iter_errors(body)]
    assert problems == []
    return body


def validator(schema: str) -> jsonschema.Draft202012Validator:
    """Checks against a schema; what it does not name is not allowed, so that nothing is left undescribed."""
    closed = {
        name: one | ({"additionalProperties": False} if "properties" in one else {})
        for name, one in document()["components"]["schemas"].items()
    }
    return jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": closed}}
    )


# The document


def test_it_is_openapi_3_1() -> None:
    served = msgspec.json.decode(msgspec.json.encode(document()))
    schemathesis.openapi.from_dict(served).validate()


def test_every_schema_is_a_json_schema() -> None:
    for one in document()["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | one)


def test_every_reference_leads_to_a_schema_and_every_schema_is_used() -> None:
    text = msgspec.json.encode(document()).decode()
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) == set(document()["components"]["schemas"])


def test_it_has_every_route_of_the_framework_and_no_other() -> None:
    routes = {
        (method, re.sub(r"\{(\w+):\w+\}", r"{\1}", path))
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods
    }
    assert routes == set(operations()) | PLAIN


def test_the_names_of_the_operations_are_unique() -> None:
    names = [one["operationId"] for one in operations().values()]
    assert len(names) == len(set(names))


def test_every_path_parameter_is_described() -> None:
    for path, methods in document()["paths"].items():
        named = {one["name"] for one in methods.get("parameters", []) if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


def test_only_health_signed_links_verify_and_reports_of_keys_need_no_key() -> None:
    is_open = {path for (_, path), one in operations().items() if one.get("security") == []}
    assert is_open == {
        "/healthz",
        "/readyz",
        "/v1/media/{token}",
        "/v1/content/{token}",
        "/v1/keys/revoke_leaked",
        "/v1/verify",
        "/v1/verify/certificates",
    }


def test_every_field_of_a_create_has_a_sentence() -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(CreateVideo)}
    assert set(field_notes(CreateVideo)) == fields
    properties = document()["components"]["schemas"]["CreateVideo"]["properties"]
    assert {name: one["description"] for name, one in properties.items()} == field_notes(CreateVideo)
    assert DEFAULT in field_notes(CreateVideo)["model"]


def test_the_examples_of_the_page_fit_the_schemas() -> None:
    looked = 0
    for one in Reference(tuple(ROUTES)).operations:
        shape = operations()[one.method, one.path]["responses"]["200"].get("content", {}).get("application/json")
        if one.answer and shape:
            problems = validator(shape["schema"]["$ref"].rsplit("/", 1)[-1]).iter_errors(
                msgspec.json.decode(one.answer)
            )
            assert [error.message for error in problems] == [], one.name
            looked += 1
    assert looked >= 20


# Real answers


def test_the_document_is_served(service: Service) -> None:
    with service.client() as client:
        answer = client.get("/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == msgspec.json.decode(msgspec.json.encode(document()))


def test_videos(service: Service) -> None:
    with service.client() as client:
        wish = {"prompt": "A harbour", "resolution": "480p", "duration": 4, "metadata": {"a": "b"}}
        check("QuoteView", client.post("/v1/videos/quote", json=wish))
        created = check("Video", client.post("/v1/videos", json=wish | {"return_last_frame": True}))
        assert created["status"] == "queued"
        path = f"/v1/videos/{created['id']}"
        finished(client, created["id"])
        done = check("Video", client.get(path))
        assert done["status"] == "completed"
        assert all(done["urls"].values())
        assert check("VideoList", client.get("/v1/videos", params={"limit": 1}))["data"]
        for variant, kind in (("video", "video/mp4"), ("last_frame", "image/png"), ("thumbnail", "image/webp")):
            answer = client.get(f"{path}/content", params={"variant": variant}, headers={"range": "bytes=0-9"})
            described = operations()["GET", "/v1/videos/{video_id}/content"]["responses"][str(answer.status_code)]
            assert (answer.status_code, answer.headers["content-type"]) == (206, kind)
            assert kind in described["content"]
        events = client.get(f"{path}/events")
        assert events.headers["content-type"].startswith("text/event-stream")
        assert events.text.startswith("event: video.completed\n")
        check("VideoDeleted", client.delete(path))


def test_videos_that_fail_or_are_canceled(service: Service) -> None:
    with service.client() as client:
        failing = check("Video", client.post("/v1/videos", json={"prompt": "[sandbox:input_moderated]"}))
        stalled = check("Video", client.post("/v1/videos", json={"prompt": "[sandbox:stall]"}))
        check("Video", client.post(f"/v1/videos/{stalled['id']}/cancel"))
        finished(client, failing["id"])
        finished(client, stalled["id"])
        failed = check("Video", client.get(f"/v1/videos/{failing['id']}"))
        canceled = check("Video", client.get(f"/v1/videos/{stalled['id']}"))
        assert failed["error"]["code"] in FAILURES
        assert (canceled["status"], canceled["error"]["code"]) == ("canceled", "canceled")


def test_files(service: Service) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (640, 400), "teal").save(picture, "PNG")
    with service.client() as client:
        made = check("FileView", client.post("/v1/files", files={"file": ("a.png", picture.getvalue())}))
        check("FileView", client.get(f"/v1/files/{made['id']}"))
        check("FileDeleted", client.delete(f"/v1/files/{made['id']}"))


def test_models(service: Service) -> None:
    with service.client() as client:
        for model in check("ModelList", client.get("/v1/models"))["data"]:
            check("ModelView", client.get(f"/v1/models/{model['id']}"))


def test_health(service: Service) -> None:
    for path in ("/healthz", "/readyz"):
        check("Health", httpx.get(service.url + path, trust_env=False))


UNKNOWN = "0" * 26


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/videos", {"json": {"prompt": "x", "durration": 5}}),
        ("POST", "/v1/videos", {"json": {"model": "seedance-2.0-mini", "resolution": "4k", "duration": 99}}),
        ("POST", "/v1/videos", {"content": b"{", "headers": {"content-type": "application/json"}}),
        ("POST", "/v1/videos", {"content": b"x", "headers": {"content-type": "text/plain"}}),
        ("POST", "/v1/videos", {"json": {"images": ["data:image/png;base64,AAAA"]}}),
        ("POST", "/v1/videos/quote", {"json": {}}),
        ("POST", "/v1/files", {"files": {"fil": ("a.png", b"x")}}),
        ("POST", "/v1/files", {"files": {"file": ("a.png", b"x")}}),
        ("GET", "/v1/videos", {"params": {"limit": "0"}}),
        ("GET", "/v1/videos/{video_id}", {}),
        ("DELETE", "/v1/videos/{video_id}", {}),
        ("POST", "/v1/videos/{video_id}/cancel", {}),
        ("GET", "/v1/videos/{video_id}/content", {}),
        ("GET", "/v1/videos/{video_id}/content", {"params": {"variant": "x"}}),
        ("GET", "/v1/videos/{video_id}/events", {}),
        ("GET", "/v1/files/{file_id}", {}),
        ("DELETE", "/v1/files/{file_id}", {}),
        ("GET", "/v1/media/{token}", {}),
        ("GET", "/v1/models/{model}", {}),
        ("POST", "/v1/verify", {"content": b"x"}),
    ],
)
def test_a_refusal_has_the_shape_status_and_code_that_the_document_says(
    service: Service, method: str, path: str, body: dict[str, Any]
) -> None:
    place = path.format(video_id=f"vid_{UNKNOWN}", file_id=f"file_{UNKNOWN}", model="seedance-9", token="x")
    with service.client() as client:
        answer = client.request(method, place, **body)
        error = check("ErrorView", answer)["error"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert {one["code"] for one in error["errors"]} <= set(docs.PROBLEMS)
    assert f"`{error['code']}`" in operations()[method, path]["responses"][str(answer.status_code)]["description"]


@pytest.mark.parametrize(
    ("method", "path"),
    sorted(one for one, says in operations().items() if one[1].startswith("/v1/") and says.get("security") != []),
)
def test_nobody_gets_in_without_a_key(service: Service, method: str, path: str) -> None:
    answer = httpx.request(method, service.url + path, trust_env=False)
    assert answer.status_code == 401
    if method != "HEAD":
        assert check("ErrorView", answer)["error"]["code"] == "missing_key"
    assert "`missing_key`" in operations()[method, path]["responses"]["401"]["description"]
