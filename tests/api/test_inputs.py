"""What people really send, by the cases of `tests/cases` and their neighbours, at a running service."""

import base64
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from security.attack import paths, refused
from seedance_api.catalog.limits import WIDEST
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.order import Kind
from stage import Service

CASES = Path(__file__).parent.parent / "cases"
RED, BLUE = (CASES / "red.png").read_bytes(), (CASES / "blue.png").read_bytes()
PNG = f"data:image/png;base64,{base64.b64encode(RED).decode()}"
FAST = "seedance-1.0-pro-fast"
"""Takes a first frame and no last one."""


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def case(name: str) -> bytes:
    return (CASES / name).read_bytes()


def made(response: httpx.Response) -> dict:
    """The answer to what was taken."""
    assert response.status_code == 200, response.text
    return response.json()


Field = tuple[str, str | bytes]


def form(*fields: Field, headers: Callable[[str], list[str]] | None = None, boundary: str = "edge") -> bytes:
    """A multipart body; bytes are files, with a name."""
    parts: list[bytes] = []
    for name, value in fields:
        head = f'Content-Disposition: form-data; name="{name}"'
        if isinstance(value, bytes):
            head += '; filename="a.bin"'
        lines = headers(name) if headers and isinstance(value, bytes) else [head]
        data = value if isinstance(value, bytes) else value.encode()
        parts.append(f"--{boundary}\r\n".encode() + "\r\n".join([*lines, "", ""]).encode() + data + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def send(client: httpx.Client, body: bytes, path: str = "/v1/videos/quote", kind: str = "") -> httpx.Response:
    headers = {"Content-Type": kind or "multipart/form-data; boundary=edge"}
    return client.post(path, content=body, headers=headers)


def quoted(client: httpx.Client, *fields: Field) -> httpx.Response:
    return send(client, form(("prompt", "x"), *fields))


def mode(response: httpx.Response) -> str:
    return made(response)["mode"]


# --- 1: one name several times ---


def test_a_plain_name_twice_is_a_list_of_two(client: httpx.Client) -> None:
    same = [("images", RED), ("images", BLUE)]
    assert mode(quoted(client, *same)) == "flf2v"
    assert mode(quoted(client, *same, *[("images[][role]", "reference")] * 2)) == "r2v"
    assert mode(quoted(client, ("input_reference", RED), ("input_reference", BLUE))) == "r2v"
    assert mode(quoted(client, ("images[]", RED), ("images", BLUE))) == "flf2v"


@pytest.mark.parametrize(
    "name", ["prompt", "model", "seconds", "seed", "metadata[k]", "images[0]", "images[0][role]", "webhook_url"]
)
def test_a_name_that_stands_for_one_value_is_refused_twice(client: httpx.Client, name: str) -> None:
    for path in ("/v1/videos", "/v1/videos/quote"):
        error = refused(send(client, form((name, "1"), (name, "2")), path), 400, code="invalid_request")
        assert paths(error) == {name}
        assert f"`{name}`" in error["message"]


def test_of_two_uploads_none_is_lost(client: httpx.Client) -> None:
    error = refused(send(client, form(("file", RED), ("file", BLUE)), "/v1/files"), 400, code="invalid_request")
    assert (error["param"], error["message"]) == ("file", "`file` is given more than once; send it once.")
    refused(send(client, form(("file", RED), ("file", BLUE)), "/v1/verify"), 400)


def test_json_and_queries_drop_nothing_either(client: httpx.Client) -> None:
    body = b'{"prompt": "a", "images": [{"url": "a", "url": "b"}]}'
    assert paths(refused(send(client, body, kind="application/json"), 400)) == {"url"}
    assert paths(refused(client.get("/v1/videos?limit=1&limit=2"), 400)) == {"limit"}
    assert paths(refused(client.get("/v1/usage?group_by=day&group_by=key"), 400)) == {"group_by"}
    assert paths(refused(client.get("/v1/events?after=a&after=b"), 400)) == {"after"}


# --- 2, 3, 7: what an upload takes, a create takes ---


@pytest.mark.parametrize(
    ("name", "seconds"), [("cut_copy.mp4", 4.0), ("fps23976.mp4", 4.004), ("v15_2997.mp4", 15.015), ("xavc.mp4", 4.0)]
)
@pytest.mark.parametrize("model", ["seedance-2.0-mini", "seedance-2.5"])
def test_a_video_that_is_uploaded_is_used(client: httpx.Client, name: str, seconds: float, model: str) -> None:
    file = made(client.post("/v1/files", files={"file": case(name)}))
    assert (file["kind"], file["media_type"], file["seconds"]) == ("video", "video/mp4", seconds)
    made(client.post("/v1/videos/quote", json={"model": model, "prompt": "x", "videos": [file["id"]]}))
    made(client.post("/v1/videos", json={"model": model, "prompt": "x", "videos": [file["id"]]}))


# --- 5, 6: bytes decide ---


TYPES = [
    "image/jpeg",
    "image/*",
    "text/plain",
    "application/octet-stream",
    "video/mp4",
    "image/svg+xml",
    "x",
    "text/html",
]


@pytest.mark.parametrize("kind", TYPES)
def test_the_bytes_decide_and_not_the_type(client: httpx.Client, kind: str) -> None:
    def labelled(name: str) -> list[str]:
        return [f'Content-Disposition: form-data; name="{name}"; filename="a.txt"', f"Content-Type: {kind}"]

    for name, media_type in (("png_named.jpg", "image/png"), ("camera_mpo.jpg", "image/jpeg")):
        file = made(send(client, form(("file", case(name)), headers=labelled), "/v1/files"))
        assert (file["kind"], file["media_type"]) == ("image", media_type)
        made(send(client, form(("images[]", case(name)), headers=labelled)))
        inline = f"data:{kind};base64,{base64.b64encode(case(name)).decode()}"
        made(client.post("/v1/videos/quote", json={"images": [inline]}))


def test_a_refusal_says_what_was_sent_and_what_is_taken(client: httpx.Client) -> None:
    for data, given in ((b"%PDF-1.7 " + bytes(99), "PDF"), (b"\x1aE\xdf\xa3" + bytes(99), "WebM or Matroska")):
        error = refused(client.post("/v1/files", files={"file": data}), 400, code="invalid_media")
        for name in (given, "JPEG", "PNG", "WebP", "GIF", "HEIC", "MP4", "MOV", "WAV", "MP3"):
            assert name in error["message"]
    error = refused(client.post("/v1/files", files={"file": b""}), 400, code="invalid_media")
    assert "the file is empty (0 bytes)" in error["message"]
    error = refused(client.post("/v1/videos/quote", json={"videos": [PNG]}), 400)
    assert "https address or a file id" in error["message"]


# --- 8: texts ---

TEXTS = [
    "👩‍🚀 e\u0301",
    "全角\u3000空白",
    "two\nlines\tand a tab",
    "\u200f\u202bעברית\u202c",
    "\ufeffmark",
    "\u00a0\u2028\u2029",
    "\ue000",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_people_write_comes_back_verbatim(client: httpx.Client, text: str) -> None:
    body = {"prompt": f"A boat {text}!", "metadata": {text: text, "k": text}, "duration": 4, "resolution": "480p"}
    video = made(client.post("/v1/videos", json=body))
    assert video["metadata"] == {text: text, "k": text}
    assert made(client.get(f"/v1/videos/{video['id']}"))["metadata"] == body["metadata"]
    fields = [("prompt", body["prompt"]), ("metadata[k]", text), ("duration", "4"), ("resolution", "480p")]
    video = made(send(client, form(*fields), "/v1/videos"))
    assert (video["metadata"], video["prompt"]) == ({"k": text}, body["prompt"])
    made(client.post("/v1/videos/quote", json={"prompt": f"x{text}"}))


@pytest.mark.parametrize("character", ["\x00", "\x07", "\r", "\x1b", "\x7f", "\x85", "\x9f"])
def test_control_characters_are_refused_with_their_place(client: httpx.Client, character: str) -> None:
    for metadata in ({"k": f"ab{character}"}, {f"ab{character}": "v"}):
        error = refused(client.post("/v1/videos/quote", json={"prompt": "x", "metadata": metadata}), 400)
        assert f"U+{ord(character):04X} (character 3)" in error["message"]
    error = refused(client.post("/v1/videos/quote", json={"prompt": f"a\x07{character}"}), 400)
    assert "U+0007 (character 2)" in error["message"]


def test_names_of_endpoints_may_hold_what_people_write(client: httpx.Client, service: Service) -> None:
    url = f"http://127.0.0.2:{service.webhook_port}/hook"
    body = {"url": url, "event_types": ["*"], "name": "👩‍🚀\u3000", "description": "\u200dtext"}
    endpoint = made(client.post("/v1/webhook_endpoints", json=body))
    assert (endpoint["name"], endpoint["description"]) == (body["name"], body["description"])
    made(client.delete(f"/v1/webhook_endpoints/{endpoint['id']}"))


# --- 9: two pictures in a form ---


def test_two_pictures_are_the_first_and_the_last_frame(client: httpx.Client) -> None:
    for name in ("images[]", "images"):
        assert mode(quoted(client, (name, RED), (name, BLUE))) == "flf2v"
        assert mode(quoted(client, (name, PNG), (name, PNG))) == "flf2v"
    assert mode(quoted(client, ("images[0]", RED), ("images[1]", BLUE))) == "flf2v"
    assert mode(quoted(client, ("images[][url]", PNG), ("images[][url]", PNG))) == "flf2v"
    assert mode(quoted(client, ("images[]", RED))) == "i2v"
    error = refused(quoted(client, ("model", FAST), ("images[]", RED), ("images[]", BLUE)), 400)
    assert "seedance-1.0-pro-fast does not take one" in error["message"]
    assert "send the first frame alone" in error["message"]


def test_of_more_each_needs_a_role(client: httpx.Client) -> None:
    error = refused(quoted(client, *[("images[]", RED)] * 3), 400)
    assert "`images[][role]` once for each picture, in their order" in error["errors"][0]["message"]


@pytest.mark.parametrize("order", ["after", "between", "before"])
@pytest.mark.parametrize("roles", [["first_frame", "last_frame"], ["last_frame", "first_frame"], ["reference"] * 2])
def test_roles_go_by_their_order(client: httpx.Client, order: str, roles: list[str]) -> None:
    pictures: list[Field] = [("images[]", RED), ("images[]", BLUE)]
    said: list[Field] = [("images[][role]", role) for role in roles]
    fields = {
        "after": [*pictures, *said],
        "before": [*said, *pictures],
        "between": [pictures[0], said[0], pictures[1], said[1]],
    }[order]
    assert mode(quoted(client, *fields)) == ("r2v" if roles[0] == "reference" else "flf2v")


def test_other_ways_to_write_items(client: httpx.Client) -> None:
    for key in ("[role]", "[file]"):
        first = ("images[0]", RED) if key == "[role]" else (f"images[0]{key}", RED)
        roles = [("images[0][role]", "first_frame"), ("images[1][role]", "last_frame")]
        assert mode(quoted(client, first, ("images[1]", BLUE), *roles)) == "flf2v"
    file = made(client.post("/v1/files", files={"file": RED}))["id"]
    assert mode(quoted(client, ("images[0][file_id]", file), ("images[0][role]", "reference"))) == "r2v"
    assert mode(quoted(client, ("input_reference[image_url]", PNG))) == "i2v"
    refused(quoted(client, ("images[0][url]", RED)), 400)
    assert mode(quoted(client, ("input_reference[file_id]", file))) == "i2v"
    error = refused(quoted(client, ("images[]", RED), *[("images[][role]", "reference")] * 2), 400)
    assert error["param"] == "images[][role]"


# --- 10: multipart as it is written ---


def disposition(name: str, more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}'


def test_a_file_without_a_name(client: httpx.Client) -> None:
    assert mode(send(client, case("no_filename.bin"))) == "i2v"
    for kind in ("image/jpeg", "image/*", "application/octet-stream", "IMAGE/PNG; x=y"):
        typed = form(("images[]", RED), headers=lambda name, kind=kind: [disposition(name), f"content-type: {kind}"])
        assert mode(send(client, typed)) == "i2v"
        upload = form(("file", RED), headers=lambda name, kind=kind: [disposition(name), f"Content-Type: {kind}"])
        made(send(client, upload, "/v1/files"))


@pytest.mark.parametrize(
    "more",
    ["; filename*=UTF-8''%E2%82%AC.png", '; filename=""', "; filename=a.png", '; filename="ü\\".png"', "; FileName=a"],
)
def test_names_of_files_in_every_spelling(client: httpx.Client, more: str) -> None:
    body = form(("images[]", RED), headers=lambda name: [disposition(name, more)])
    assert mode(send(client, body)) == "i2v"


def test_what_is_neither_a_file_nor_text_names_the_field(client: httpx.Client) -> None:
    for more in ([], ["Content-Type: text/plain"]):
        body = form(("images[]", RED), headers=lambda name, more=more: [disposition(name), *more])
        error = refused(send(client, body), 400, code="invalid_multipart")
        assert error["param"] == "images[]"
        assert "`images[]` is not text in UTF-8; a file needs `filename=`" in error["message"]


def test_texts_in_other_charsets(client: httpx.Client) -> None:
    for charset in ("iso-8859-1", "utf-8", "windows-1252"):
        head = f"{disposition('prompt')}\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
        body = b"--edge\r\n" + head.encode() + "Ein Boot, schön".encode(charset) + b"\r\n--edge--\r\n"
        video = made(send(client, body, "/v1/videos"))
        assert video["prompt"] == "Ein Boot, schön"


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "BASE64"])
def test_a_transfer_encoding_names_the_field(client: httpx.Client, encoding: str) -> None:
    def encoded(name: str) -> list[str]:
        return [disposition(name, '; filename="a"'), f"Content-Transfer-Encoding: {encoding}"]

    error = refused(send(client, form(("images[]", base64.b64encode(RED)), headers=encoded)), 400)
    assert (error["code"], error["param"]) == ("invalid_multipart", "images[]")
    assert f"sent as {encoding.lower()}" in error["message"]
    plain = form(("images[]", RED), headers=lambda name: [encoded(name)[0], "Content-Transfer-Encoding: binary"])
    made(send(client, plain))


def test_the_frame_of_a_form(client: httpx.Client) -> None:
    body = form(("prompt", "x"))
    made(send(client, b"This is a preamble.\r\n" + body + b"and an epilogue"))
    made(send(client, body, kind='Multipart/Form-Data; charset=utf-8; Boundary="edge"'))
    made(send(client, form(("prompt", "x"), boundary="=_a b:c"), kind='multipart/form-data; boundary="=_a b:c"'))
    for wrong, kind, said in (
        (body.replace(b"\r\n", b"\n"), "", "end with CR LF"),
        (body[:-8], "", "not whole"),
        (body, "multipart/form-data", "names no boundary"),
        (body, "multipart/form-data; boundary=other", "not whole"),
        (b"", "", "not whole"),
        (b"--edge\r\n\r\nx\r\n--edge--\r\n", "", "Content-Disposition"),
        (form(*[("images[]", "a")] * 201), "", "more than 200 parts"),
    ):
        error = refused(send(client, wrong, kind=kind), 400, code="invalid_multipart")
        assert said in error["message"], wrong[:80]


def test_a_form_of_nothing_needs_a_prompt(client: httpx.Client) -> None:
    error = refused(send(client, b"--edge--\r\n"), 400, code="invalid_request")
    assert error["param"] == "prompt"
    error = refused(send(client, form(("images[]", b""))), 400, code="invalid_media")
    assert error["param"] == "images[0]"
    assert "empty (0 bytes)" in error["message"]


# --- 11: data URLs ---


def test_data_urls_as_people_write_them(client: httpx.Client) -> None:
    assert mode(send(client, case("data_lines.json"), kind="application/json")) == "i2v"
    text = base64.b64encode(RED).decode()
    for url in (
        "DATA:IMAGE/PNG;BASE64," + text,
        "data:;base64," + text,
        "data:image/png;base64," + text.replace("+", "-").replace("/", "_").rstrip("="),
        "data:image/png;base64," + quote(text, safe=""),
        "data:image/png," + quote(RED),
        f"  data:image/png;base64,{text}\n",
    ):
        made(client.post("/v1/videos/quote", json={"images": [{"url": url}]}))
        made(quoted(client, ("images[]", url)))
    large = "DATA:image/png;base64," + base64.b64encode(RED + bytes(1_000_000)).decode()
    made(quoted(client, ("images[]", large)))


# --- 13: numbers ---


def test_numbers_in_json(client: httpx.Client) -> None:
    for name in ("duration", "seconds"):
        for text in ("5", "5.0", "5e0", "50.0e-1"):
            body = f'{{"prompt": "x", "{name}": {text}}}'.encode()
            assert made(send(client, body, kind="application/json"))["seconds"] == "5"
        refused(send(client, f'{{"prompt": "x", "{name}": 5.5}}'.encode(), kind="application/json"), 400)
    for text in ("5", "5.0"):
        assert made(client.post("/v1/videos/quote", json={"prompt": "x", "seconds": text}))["seconds"] == "5"
    body = {"prompt": "x", "seed": 7.0, "expires_after": 3600.0}
    video = made(client.post("/v1/videos", json=body | {"duration": 4.0, "resolution": "480p"}))
    assert (video["seed"], video["seconds"]) == (7, "4")


def test_numbers_in_forms_queries_and_prompts(client: httpx.Client) -> None:
    for name in ("duration", "seconds"):
        for text in ("5", "5.0", "5e0"):
            if (name, text) != ("seconds", "5e0"):
                assert made(quoted(client, (name, text)))["seconds"] == "5"
        refused(quoted(client, (name, "5.5")), 400)
    for text in ("true", "True", "1", "on"):
        error = refused(quoted(client, ("draft", text)), 400)
        assert error["param"] == "draft"  # understood, and not offered by this model
        assert "not offered" in error["message"]
    for text in ("false", "0", "off"):
        made(quoted(client, ("draft", text)))
    made(client.get("/v1/videos?limit=5.0"))
    refused(client.get("/v1/videos?limit=5.5"), 400)
    assert made(client.post("/v1/videos/quote", json={"prompt": "x --dur 5.0"}))["seconds"] == "5"
    refused(client.post("/v1/videos/quote", json={"prompt": "x --dur 5.5"}), 400)


# --- 14: what is wrong, and where ---


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", bytes), ("zstd", bytes)]
)
@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/quote", "/v1/files", "/v1/balance", "/v1/verify"])
def test_a_packed_body_is_named(client: httpx.Client, encoding: str, pack: Callable[[bytes], bytes], path: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    response = client.post(path, content=pack(b'{"prompt": "x"}'), headers=headers)
    error = refused(response, 415, code="unsupported_media_type")
    assert error["param"] == "Content-Encoding"
    assert f"The body is {encoding} (Content-Encoding)" in error["message"]
    assert response.headers["accept-encoding"] == "identity"


def test_bodies_that_are_not_packed(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "identity"}
    made(client.post("/v1/videos/quote", content=b'\xef\xbb\xbf{"prompt": "x"}', headers=headers))
    for charset in ("UTF-8", '"utf-8"', "iso-8859-1"):
        made(send(client, '{"prompt": "schön"}'.encode(), kind=f"application/json;charset={charset}"))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text/plain;charset=UTF-8", "The Content-Type is `text/plain`; send application/json or multipart/form-data."),
        ("application/x-www-form-urlencoded", '(with curl: -H "Content-Type: application/json")'),
        ("", "There is no Content-Type; send application/json"),
        ("sda_test_secret", "The Content-Type is malformed"),
    ],
)
def test_a_type_that_is_not_taken_is_named(client: httpx.Client, kind: str, said: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    error = refused(client.post("/v1/videos", content=b'{"prompt": "x"}', headers=headers), 415)
    assert said in error["message"]


def test_what_is_wrong_stands_in_the_message(client: httpx.Client) -> None:
    for body, param, said in (
        (b'{"prompt": "a \\ud83d cat"}', "prompt", "`prompt` holds half a surrogate pair"),
        (b'{"metadata": {"k": "\\udc00"}}', "metadata.k", "`metadata.k` holds half"),
        (b'{"prompt": "x", "seed": NaN}', "seed", "`seed` is NaN"),
        (b'{"prompt": "x",}', None, "(line 1, column 1"),
        ('{"prompt": "x"}'.encode("utf-16"), None, "The body is UTF-16; send UTF-8."),
        (b"[]", None, "must be a JSON object, not an array"),
    ):
        error = refused(send(client, body, kind="application/json"), 400, code="invalid_json")
        assert error["param"] == param
        assert said in error["message"]


def test_the_models_page_and_an_upload_read_one_table(client: httpx.Client) -> None:

    told = [made(client.get(f"/v1/models/{name}"))["limits"] for name in (one.name for one in MODELS)]
    for kind in Kind:
        for limits in (one[kind] for one in told if one[kind]):
            assert limits["max_bytes"] <= WIDEST[kind].max_bytes
            assert set(limits["media_types"]) <= set(WIDEST[kind].media_types)
    widest = next(one["video"] for one in told if one["video"]["seconds"] == [2, 30])
    assert (widest["fps"], widest["rounds_to"], widest["mov_audio_codecs"]) == ([23.8, 60], 0.1, ["pcm"])
