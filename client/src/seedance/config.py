"""Where the base URL and the key come from: arguments, the environment, the saved login."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec

from seedance.errors import ConfigurationError

DEFAULT_BASE_URL = "http://127.0.0.1:8000"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send requests, and as whom; what `seedance login` saves."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Login(base_url={self.base_url!r}, api_key=***)"


def find_config(base_url: str | None, api_key: str | None) -> Login:
    """Arguments win over the environment, the environment over the saved login."""
    base_url = base_url or os.environ.get("SEEDANCE_BASE_URL")
    api_key = api_key or os.environ.get("SEEDANCE_API_KEY")
    login = None if base_url and api_key else load_login()
    address = check_base_url(base_url or (login.base_url if login else DEFAULT_BASE_URL))
    if api_key is None and login is not None:
        # A saved key belongs to the server it was saved for and is shown to no other.
        if check_base_url(login.base_url) != address:
            raise ConfigurationError(f"the saved login is for {login.base_url}, not for {address}: log in there")
        api_key = login.api_key
    if not api_key:
        raise ConfigurationError("no API key: set SEEDANCE_API_KEY, or run `seedance login`")
    return Login(base_url=address, api_key=api_key.strip())


def check_base_url(base_url: str) -> str:
    """Without the `/v1` that the paths begin with; it is often copied with it. Raises ConfigurationError."""
    given = base_url.strip()
    try:
        url = httpx.URL(given)
        host = url.host  # decodes an internationalized name, and raises for one that is none
        host.encode("idna")  # as a look-up does, which raises for an empty label or one that is too long
    except (httpx.InvalidURL, ValueError):
        raise ConfigurationError("the base URL is not a URL; it looks like https://api.example.com") from None
    if url.userinfo or url.query or url.fragment:
        raise ConfigurationError("the base URL must not carry a password, a query or a fragment")
    if url.scheme not in {"http", "https"} or not host:
        shown = "" if "@" in given else f" {given!r}"  # before an @ may stand a password
        raise ConfigurationError(
            f"the base URL{shown} must start with http:// or https:// and name a host, such as https://api.example.com"
        )
    return re.sub(r"(/+v1)*/*$", "", str(url))


def load_login() -> Login | None:
    try:
        content = login_path().read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{login_path()} cannot be read: {error.strerror}") from None
    try:
        return msgspec.json.decode(content, type=Login)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ConfigurationError(f"{login_path()} is damaged: run `seedance login` again") from None


def save_login(login: Login) -> Path:
    path = Path(os.path.realpath(login_path()))  # kept elsewhere, it stays a link to there
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        # Created with its final mode, so that the key is never readable for others, even for a moment.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(login)))
        draft.replace(path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    return path


def login_path() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "seedance" / "credentials.json"
