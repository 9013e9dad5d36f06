"""JSON bodies nobody should send: each is refused with a reason, nothing is kept, nobody else waits."""

import gzip
from collections.abc import Iterator

import httpx
import jsonschema
import pytest

from security.attack import paths, raw, refused
from stage import Service

pytestmark = pytest.mark.usefixtures("nothing_kept")

MIB = 1 << 20
ANYTHING = [
    True,
    False,
    5,
    -5,
    0,
    1.5,
    2**31,
    2**53,
    2**63,
    2**64,
    10**30,
    1e300,
    "text",
    "",
    " ",
    "9" * 5000,
    [],
    [[]],
    [None],
    [5],
    {},
    {"a": 1},
    {"a": {"b": []}},
    {"url": 5},
    [{"url": {}}],
]


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def create_schema(client: httpx.Client) -> dict:
    """The create body's schema, able to stand alone."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    return {"$ref": "#/components/schemas/CreateVideo", "components": {"schemas": schemas}}


def post(client: httpx.Client, body: bytes, path: str = "/v1/videos", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=body, headers={"Content-Type": "application/json"} | named)


def test_every_field_refuses_every_wrong_type(client: httpx.Client) -> None:
    schema = create_schema(client)
    validator = jsonschema.Draft202012Validator(schema)
    for field in schema["components"]["schemas"]["CreateVideo"]["properties"]:
        for value in ANYTHING:
            body = {"prompt": "x"} | {field: value}
            response = client.post("/v1/videos/quote", json=body)
            if not validator.is_valid(body):
                assert response.status_code == 400, (body, response.text)
                error = refused(response, 400)
                assert any(path.startswith(field) for path in paths(error)), (body, error)
            elif response.status_code != 200:
                refused(response, 400, 402)  # 402: `max_cost` is understood, and too little


def test_all_wrong_fields_are_reported_at_once(client: httpx.Client) -> None:
    fields = create_schema(client)["components"]["schemas"]["CreateVideo"]["properties"]
    wrong = {name: {"a": [1]} if name not in ("metadata", "input_reference") else 5 for name in fields}
    error = refused(client.post("/v1/videos", json=wrong), 400)
    assert {path.split("[")[0] for path in paths(error)} == set(fields)


@pytest.mark.parametrize(("wrong", "right"), [("promt", "prompt"), ("Resolution", "resolution"), ("imges", "images")])
def test_an_unknown_field_names_the_nearest(client: httpx.Client, wrong: str, right: str) -> None:
    error = refused(client.post("/v1/videos", json={"prompt": "x", wrong: "x"}), 400, code="invalid_request")
    (problem,) = error["errors"]
    assert (problem["path"], problem["code"], problem["allowed"]) == (wrong, "unknown_field", [right])


def test_fields_of_the_answer_are_not_taken_as_input(client: httpx.Client) -> None:
    fields = set(client.get("/openapi.json").json()["components"]["schemas"]["Video"]["properties"])
    inputs = set(create_schema(client)["components"]["schemas"]["CreateVideo"]["properties"])
    own = fields - inputs
    body = {"prompt": "x"} | dict.fromkeys(own, 1) | {"account_id": "a", "price": 0, "livemode": True}
    assert paths(refused(client.post("/v1/videos", json=body), 400)) == own | {"account_id", "price", "livemode"}


def test_an_impossible_combination_lists_every_problem(client: httpx.Client) -> None:
    body = {
        "model": "seedance-2.0-mini",
        "prompt": "x",
        "duration": 99,
        "resolution": "8k",
        "ratio": "7:7",
        "seed": -7,
        "service_tier": "express",
        "frames": 7,
        "camera_fixed": True,
        "draft": True,
        "expires_after": 3600,
        "metadata": {"a": "b"},
    }
    error = refused(client.post("/v1/videos", json=body), 400)
    assert paths(error) >= {
        "duration",
        "resolution",
        "ratio",
        "seed",
        "service_tier",
        "frames",
        "camera_fixed",
        "draft",
    }


NOT_JSON = {
    "empty": b"",
    "not an object": b"[]",
    "two objects": b"{}{}",
    "invalid UTF-8": b'{"prompt":"\xff\xfe"}',
    "overlong UTF-8": b'{"prompt":"\xc0\xaf"}',
    "UTF-16": '{"prompt":"x"}'.encode("utf-16"),
    "10,000 deep list": b'{"prompt":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "10,000 deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "100,000 open brackets": b"[" * 100_000,
    "1e400": b'{"prompt":"x","seed":1e400}',
    "NaN": b'{"prompt":"x","seed":NaN}',
    "lone surrogate": b'{"prompt":"\\ud800"}',
    "lone surrogate in a name": b'{"prompt":"x","\\udfff":1}',
    "raw control character": b'{"prompt":"\x00"}',
    "trailing comma": b'{"prompt":"x",}',
    "cut": b'{"prompt":"x',
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_refused(client: httpx.Client, body: bytes) -> None:
    refused(post(client, body), 400, code="invalid_json")
    refused(post(client, body, "/v1/videos/quote"), 400, code="invalid_json")


HOSTILE = {
    "NUL in the prompt": b'{"prompt":"a\\u0000b"}',
    "NUL in metadata": b'{"prompt":"x","metadata":{"a":"\\u0000"}}',
    "NUL in a metadata key": b'{"prompt":"x","metadata":{"\\u0000":"a"}}',
    "NUL in the model": b'{"prompt":"x","model":"\\u0000"}',
    "NUL in a file id": b'{"prompt":"x","images":[{"file_id":"file_\\u0000"}]}',
    "NUL in a draft id": b'{"prompt":"x","draft_id":"vid_\\u0000"}',
    "NUL in a URL": b'{"prompt":"x","images":["https://example.org/\\u0000"]}',
    "17 metadata entries": b'{"prompt":"x","metadata":{%b}}' % b",".join(b'"%d":"a"' % n for n in range(17)),
    "long metadata": b'{"prompt":"x","metadata":{"a":"%b"}}' % (b"x" * 513),
    "long prompt": b'{"prompt":"%b"}' % (b"x" * 32_001),
    "10,000 images": b'{"prompt":"x","images":[%b]}' % b",".join([b'"https://example.org/"'] * 10_000),
    "enormous number": b'{"prompt":"x","seed":%b}' % (b"9" * 4000),
    "enormous flag": b'{"prompt":"x --dur %b"}' % (b"9" * 5000),
    "enormous size": b'{"prompt":"x","size":"%bx%b"}' % (b"9" * 5000, b"9" * 5000),
    "900 deep": b'{"prompt":"x","input_reference":' + b'{"url":' * 900 + b"1" + b"}" * 901,
    "nothing": b"{}",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_values_are_refused(client: httpx.Client, body: bytes) -> None:
    refused(post(client, body), 400)
    refused(post(client, body, Idempotency_Key="k"), 400)


def test_of_duplicate_keys_none_is_dropped(client: httpx.Client) -> None:
    answer = post(client, b'{"prompt":"x","duration":99,"duration":4}', "/v1/videos/quote")
    assert paths(refused(answer, 400, code="invalid_request")) == {"duration"}


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/quote"])
@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
def test_seventy_megabytes_of_json_are_refused(client: httpx.Client, path: str, declared: bool) -> None:
    body = b'{"prompt":"' + b"x" * 70_000_000 + b'"}'
    chunks = (body[at : at + MIB] for at in range(0, len(body), MIB))
    headers = {"Content-Type": "application/json"}
    response = client.post(path, content=body if declared else chunks, headers=headers)
    refused(response, 413, code="body_too_large")


def test_a_declared_size_is_refused_before_a_byte_is_sent(service: Service) -> None:
    head = f"POST /v1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
    head += "Content-Length: 99999999999\r\nContent-Type: application/json\r\n\r\n"
    answer = raw(service, head.encode(), seconds=5)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_compressed_body_is_not_unpacked(client: httpx.Client) -> None:
    packed = gzip.compress(b'{"prompt":"' + b"x" * 50_000_000 + b'"}')
    refused(post(client, packed, Content_Encoding="gzip"), 400, 415)


CONTENT_TYPES = [
    "",
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/json-seq",
    "/",
    "application/jsonx",
    "multipart/mixed; boundary=x",
    "a" * 10_000,
    "application/json, text/plain",
]


@pytest.mark.parametrize("kind", CONTENT_TYPES, ids=lambda kind: kind[:30] or "none")
@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/quote", "/v1/files"])
def test_other_content_types_are_refused(client: httpx.Client, path: str, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    refused(client.post(path, content=b'{"prompt":"x"}', headers=headers), 415, code="unsupported_media_type")


def test_a_form_that_says_it_is_json_and_json_that_says_it_is_a_form_are_refused(client: httpx.Client) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n--x--\r\n'
    refused(post(client, form), 400, code="invalid_json")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(client.post("/v1/videos", content=b'{"prompt":"x"}', headers=headers), 400)


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "ä", "a\tb"], ids=repr)
def test_a_bad_idempotency_key_is_refused(client: httpx.Client, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    error = refused(client.post("/v1/videos", json={"prompt": "x"}, headers=headers), 400)
    assert paths(error) == {"Idempotency-Key"}
