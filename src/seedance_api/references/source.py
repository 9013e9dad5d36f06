"""Source: where a medium comes from."""

import re

import msgspec

from seedance_api.catalog.order import Kind
from seedance_api.references.inspect import Staged


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a medium comes from: an address or data URL, an uploaded file's id, a file that came with the request, or
    an upstream's own asset, by its `asset://` address.

    `kind` is what it must be; None takes any kind.
    """

    path: str
    kind: Kind | None
    url: str | None = None
    file_id: str | None = None
    upload: Staged | None = None
    asset: str | None = None

    @property
    def arrives(self) -> bool:
        """Whether it comes with this request: to be fetched, looked into and kept."""
        return self.file_id is None and self.asset is None


ASSET = "asset://"

_ASSET = re.compile(r"asset://[A-Za-z0-9_-]{1,128}")


def is_asset(url: str) -> bool:
    """Whether an address that begins like one names an asset of an upstream."""
    return _ASSET.fullmatch(url) is not None
