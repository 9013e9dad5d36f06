"""Multipart bodies that lie about themselves."""

from collections.abc import Iterator

import httpx
import pytest

from security.attack import file_part, form, kept, paths, picture, refused, text_part
from stage import Service

pytestmark = pytest.mark.usefixtures("nothing_kept")

KIND = "multipart/form-data; boundary=edge"


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def post(client: httpx.Client, body: bytes, path: str = "/v1/videos", kind: str = KIND) -> httpx.Response:
    return client.post(path, content=body, headers={"Content-Type": kind})


BROKEN = {
    "no boundary": (form([text_part("prompt", "x")]), "multipart/form-data"),
    "empty boundary": (form([text_part("prompt", "x")]), "multipart/form-data; boundary="),
    "other boundary": (form([text_part("prompt", "x")], b"other"), KIND),
    "enormous boundary": (form([text_part("prompt", "x")]), "multipart/form-data; boundary=" + "e" * 5000),
    "boundary with line break": (form([text_part("prompt", "x")]), 'multipart/form-data; boundary="e\\r\\n"'),
    "nothing": (b"", KIND),
    "only the end": (b"--edge--\r\n", KIND),
    "no end": (b"--edge\r\n" + text_part("prompt", "x"), KIND),
    "cut in a header": (b"--edge\r\nContent-Dispo", KIND),
    "no disposition": (form([b"\r\nx"]), KIND),
    "disposition twice": (form([b'Content-Disposition: form-data; name="a"\r\n' * 2 + b"\r\nx"]), KIND),
    "no name": (form([b"Content-Disposition: form-data\r\n\r\nx"]), KIND),
    "attachment": (form([b'Content-Disposition: attachment; name="prompt"\r\n\r\nx']), KIND),
    "enormous header": (form([b'Content-Disposition: form-data; name="%b"\r\n\r\nx' % (b"n" * 100_000)]), KIND),
    "10,000 headers": (form([b"X-A: b\r\n" * 10_000 + text_part("prompt", "x")]), KIND),
    "10,000 parts": (form([text_part("metadata[a]", "x")] * 10_000), KIND),
    "10,000 files": (form([file_part("images[]", "a.png", b"x")] * 10_000), KIND),
    "nested": (
        form([b'Content-Disposition: form-data; name="a"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx']),
        KIND,
    ),
    "text that is not UTF-8": (form([b'Content-Disposition: form-data; name="prompt"\r\n\r\n\xff\xfe']), KIND),
    "unknown charset": (
        form(
            [
                b'Content-Disposition: form-data; name="prompt"\r\nContent-Type: text/plain; charset=x\r\n\r\nx',
                text_part("seed", "y"),
            ]
        ),
        KIND,
    ),
    "unknown header charset": (form([text_part("seed", "y")]), KIND + "; charset=nonsense"),
    "NUL in a name": (form([text_part("a\0b", "x")]), KIND),
    "NUL in the prompt": (form([text_part("prompt", "a\0b")]), KIND),
    "a then a[x]": (form([text_part("metadata", "x"), text_part("metadata[x]", "y")]), KIND),
    "a[x] then a": (form([text_part("metadata[x]", "y"), text_part("metadata", "x")]), KIND),
    "a[] then a[x]": (form([text_part("images[]", "y"), text_part("images[x]", "x")]), KIND),
    "a[x] then a[]": (form([text_part("images[x]", "y"), text_part("images[]", "x")]), KIND),
    "a[x] then a[x][y]": (form([text_part("metadata[x]", "y"), text_part("metadata[x][y]", "x")]), KIND),
    "deep name": (form([text_part("a" + "[x]" * 1000, "x")]), KIND),
    "[] alone": (form([text_part("[]", "x")]), KIND),
    "unclosed bracket": (form([text_part("metadata[x", "x")]), KIND),
    "a file where text belongs": (form([file_part("prompt", "a.txt", b"x")]), KIND),
    "a file in metadata": (form([text_part("prompt", "x"), file_part("metadata[a]", "a.txt", b"x")]), KIND),
    "a file as url": (form([text_part("prompt", "x"), file_part("images[][url]", "a.png", picture())]), KIND),
    "a file as role": (form([text_part("prompt", "x"), file_part("images[][role]", "a.png", picture())]), KIND),
    "a text of 2 MiB": (form([text_part("prompt", "x" * (2 << 20))]), KIND),
}


@pytest.mark.parametrize(("body", "kind"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_form_is_refused(client: httpx.Client, body: bytes, kind: str) -> None:
    refused(post(client, body, kind=kind), 400, 413)
    refused(post(client, body, "/v1/videos/quote", kind), 400, 413)
    refused(post(client, body, "/v1/files", kind), 400, 413)


NAMES = [
    "../../../../etc/passwd",
    "..\\..\\x",
    "/etc/passwd",
    "a\0.png",
    "\u202egnp.exe",
    "x" * 5000,
    ".",
    "",
    "CON",
    "a.png\r\nX: y",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_file_name_leads_nowhere(client: httpx.Client, service: Service, name: str) -> None:
    before = kept(service)
    content = picture(640, 401 + NAMES.index(name))  # no other test's, for equal files share an object
    response = post(client, form([file_part("file", name, content)]), "/v1/files")
    if response.status_code != 200:
        refused(response, 400)
        return
    assert name not in response.text or not name.strip(".")
    assert len(set(kept(service)["objects"]) - set(before["objects"])) == 1  # type: ignore[call-overload]
    assert client.delete(f"/v1/files/{response.json()['id']}").status_code == 200


def test_only_one_file_and_nothing_else_is_uploaded(client: httpx.Client) -> None:
    both = form([file_part("file", "a.png", picture()), file_part("other", "b.png", picture())])
    assert paths(refused(post(client, both, "/v1/files"), 400)) == {"other"}
    assert paths(refused(post(client, form([text_part("file", "x")]), "/v1/files"), 400)) == {"file"}
    refused(client.post("/v1/files", json={"file": "x"}), 415)


def test_a_form_takes_lists_and_objects_by_their_names(client: httpx.Client) -> None:
    parts = [
        text_part("prompt", "x"),
        text_part("metadata[a]", "b"),
        text_part("duration", "4"),
        file_part("images[]", "a.png", picture()),
        text_part("generate_audio", "false"),
    ]
    assert post(client, form(parts), "/v1/videos/quote").status_code == 200


def test_seventy_megabytes_are_refused(client: httpx.Client) -> None:
    body = form([text_part("prompt", "x"), file_part("images[]", "a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 70_000_000)])
    refused(post(client, body), 413, code="body_too_large")
