"""Where the halves of an installation are, in words without a password."""

from urllib.parse import parse_qs, unquote, urlsplit

from seedance_api.settings import Settings


def database_of(settings: Settings) -> str:
    """Such as `the database seedance at db.example.com:5432`, or the folder of the embedded one."""
    folder = settings.data_dir / "postgres"
    if settings.database_url is None:
        return f"the database folder {folder}"
    parts = urlsplit(settings.database_url)
    options = parse_qs(parts.query)
    host = options.get("host", [""])[0] or parts.netloc.rpartition("@")[2]
    if unquote(host).startswith(str(folder)):
        return f"the database folder {folder}"
    return f"the database {unquote(parts.path).strip('/') or '(default)'} at {unquote(host) or 'localhost'}"


def store_of(settings: Settings) -> str:
    """Such as `s3://bucket/prefix`, or a folder."""
    if settings.storage_url is None:
        return str(settings.data_dir / "objects")
    parts = urlsplit(settings.storage_url)
    if parts.scheme == "file":
        return parts.path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
