"""ETags: which `If-None-Match` has one."""

import pytest

from seedance_api.foundation.etag import etag_of, lists

TAG = etag_of(b"a body")


def test_an_etag_is_of_the_bytes_alone() -> None:
    assert etag_of(b"a body") == TAG != etag_of(b"another")
    assert TAG[0] == TAG[-1] == '"'
    assert TAG.strip('"').isalnum()


@pytest.mark.parametrize(
    ("header", "is_there"),
    [
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"x", {TAG}', True),
        (f'"x",W/{TAG} , "y"', True),
        ("*", True),
        (" * ", True),
        ("", False),
        ('"x"', False),
        (TAG.strip('"'), False),
        (TAG.upper(), False),
        (f'"x{TAG[1:]}', False),
        ('"x",' * 2000 + TAG, False),
    ],
)
def test_whether_a_list_has_it(header: str, is_there: bool) -> None:
    assert lists(header, TAG) is is_there
