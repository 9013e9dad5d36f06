"""Declare: put into a file, in plain metadata, that it is AI-generated; C2PA's mark then covers that as well.

XMP in each kind of file, and in an MP4 a comment, for what does not show its XMP. The rest of the file stays as it is.
"""

import io
import struct
from typing import BinaryIO, NamedTuple

from seedance_api.delivery.declare_mp4 import declare_mp4
from seedance_api.delivery.declare_picture import declare_jpeg, declare_png, declare_webp
from seedance_api.delivery.part import MalformedError
from seedance_api.foundation.splice import Piece

_PICTURES = {"image/webp": declare_webp, "image/png": declare_png, "image/jpeg": declare_jpeg}


class Declaration(NamedTuple):
    """`source_type` is IPTC's address of how it was made, `comment` the same for people. Its first word is fixed."""

    source_type: str
    comment: str


def declared(file: BinaryIO, media_type: str, declaration: Declaration) -> list[Piece]:
    """The pieces of the file with the declaration in it, in the place of one that was there. Raises MalformedError."""
    size = file.seek(0, io.SEEK_END)
    try:
        if media_type == "video/mp4":
            return declare_mp4(file, size, declaration.source_type, declaration.comment)
        return _PICTURES[media_type](file, size, declaration.source_type)
    except (struct.error, IndexError) as error:
        raise MalformedError from error
