"""The common form of what the service answers with: frozen structs that tolerate fields they do not know."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound="Answer")

SECRET = ("signing_secret",)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded JSON object; `raw` is all of it as the server sent it."""

    raw: dict[str, Any] = {}

    @property
    def extra(self) -> dict[str, Any]:
        """What a newer server sends and this client has no name for."""
        return {name: value for name, value in self.raw.items() if name not in self.__struct_fields__}

    def __repr__(self) -> str:
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "raw"}
        # What is printed ends in logs.
        fields |= {name: "***" for name in SECRET if fields.get(name)}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


def from_dict(data: dict[str, Any], kind: type[T]) -> T:
    """Convert plain data to `kind`, tolerating and keeping fields that it does not name."""
    return msgspec.convert(data | {"raw": data}, kind)
