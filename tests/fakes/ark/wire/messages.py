"""What goes over the wire: a request, an answer, and the manner in which the answer is to be spoilt."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl


@dataclass(slots=True)
class Request:
    """One request, read to its end. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str
    at: float

    def parameters(self) -> list[tuple[str, str]]:
        """The query's pairs, in order, repeated names included."""
        return parse_qsl(self.query, keep_blank_values=True)


@dataclass(slots=True)
class Manner:
    """How an answer is spoilt on its way."""

    reset: bool = False
    """A TCP reset instead of the answer."""
    drop: int | None = None
    """The connection is closed after so many bytes, counted from the status line."""
    cut: int | None = None
    """The connection is closed after so many bytes of the body."""
    length: int | None = None
    """The Content-Length that is declared, whatever is sent."""
    fill: bool = False
    """Zeros follow the body: up to the declared length, or for ever."""
    bytes_per_second: float | None = None


@dataclass(slots=True)
class Answer:
    """One answer."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    manner: Manner | None = None
