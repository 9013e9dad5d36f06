"""Holds the API key, puts it on requests, and shows it nowhere else."""

from __future__ import annotations

import re
from collections.abc import Generator

import httpx

from seedance.errors import ConfigurationError


class BearerAuth(httpx.Auth):
    """The only holder of the key."""

    def __init__(self, api_key: str) -> None:
        # Checked here because an HTTP library refuses such a header with an error that quotes it.
        if not re.fullmatch(r"[\x21-\x7e]+", api_key):
            raise ConfigurationError("the API key is empty or has characters that no key has")
        self._reveal = lambda: api_key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._reveal()}"
        yield request

    def scrub(self, content: bytes) -> bytes:
        """Take the key out of an answer that echoes it."""
        return content.replace(self._reveal().encode(), b"sda_***")

    def __repr__(self) -> str:
        return "BearerAuth(***)"
