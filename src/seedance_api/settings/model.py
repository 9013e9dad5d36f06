"""Every setting: its environment variable, default, meaning and bounds. `docs/settings.md` is compared with this table."""

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import msgspec


class Setting(msgspec.Struct, frozen=True):
    """One row of the table. `least` and `most` bound numbers.

    `alike` ones must be the same on every machine of an installation; of `secret` ones only a digest is compared.
    """

    name: str
    default: str
    meaning: str
    least: float | None = None
    most: float | None = None
    alike: bool = False
    secret: bool = False


TABLE: tuple[Setting, ...] = (
    Setting(
        "DATA_DIR",
        "./data",
        "Folder for everything kept on this machine: embedded database, objects, secrets.",
    ),
    Setting(
        "DATABASE_URL",
        "",
        "PostgreSQL 15 or later, `postgresql://…`. Empty: an embedded PostgreSQL 18 in the data folder.",
    ),
    Setting(
        "STORAGE_URL",
        "",
        "Where videos and reference media live: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`, with credentials from the environment (docs/operate.md). Empty: a folder in the data folder.",
    ),
    Setting(
        "PEPPER",
        "",
        "64 hexadecimal digits that API keys are hashed with; the same on every machine. Empty: made with the installation in `secrets/pepper`, mode 0600.",
    ),
    Setting("HOST", "127.0.0.1", "Address to listen on. Put a TLS proxy in front before you make it public."),
    Setting("PORT", "8000", "Port to listen on; 0 takes a free one.", 0, 65535),
    Setting("WORKERS", "1", "API processes.", 1, 64),
    Setting(
        "CONNECTIONS",
        "4096",
        "Client connections of each API process. Fewer where the limit of open files allows no more: a third of it. When three quarters are taken, connections that wait for no answer are closed.",
        64,
        100_000,
    ),
    Setting(
        "CONNECTIONS_PER_ADDRESS",
        "256",
        "Client connections from one address (IPv6: from one /64) to each API process; those above are closed within a second. 0: no bound. Linux only.",
        0,
        100_000,
    ),
    Setting(
        "PROXY_NETWORKS",
        "127.0.0.0/8,::1/128",
        "Networks, comma-separated, whose connections are not counted by address: your proxies, which bring many clients. Empty: all are counted.",
    ),
    Setting(
        "STREAMS_PER_ACCOUNT",
        "64",
        "Event streams of one account at once in each API process; more are answered with 429 `too_many_streams`.",
        1,
        10_000,
    ),
    Setting(
        "HEALTH_PORT",
        "",
        "A second port, on the same address, that answers `/healthz` and `/readyz` only, whatever connections the API has. Empty: there is none.",
    ),
    Setting(
        "PUBLIC_URL",
        "",
        "The address customers use, `https://host[:port][/path]`, for the links in answers. Empty: the address that is listened on. What a request says of its host is never used.",
        alike=True,
    ),
    Setting("LOG_LEVEL", "info", "`debug`, `info`, `warning` or `error`."),
    Setting("DATABASE_CONNECTIONS", "10", "Connections of each process.", 2, 200),
    Setting("SANDBOX_RENDERERS", "2", "Sandbox clips that one worker process renders at once.", 1, 64),
    Setting(
        "SANDBOX_SLOTS",
        "8",
        "Sandbox videos in progress at once in the whole installation; more wait in the queue.",
        1,
        10_000,
        alike=True,
    ),
    Setting(
        "LEASE_SECONDS",
        "30",
        "How long a worker owns a step. After a crash a step is taken up again when this has passed.",
        1,
        600,
    ),
    Setting(
        "DEADLINE_SECONDS",
        "86400",
        "A video that is not finished this long after its creation fails.",
        60,
        604_800,
        alike=True,
    ),
    Setting(
        "RETENTION_SECONDS",
        "259200",
        "How long a finished video is kept unless the request says otherwise.",
        3600,
        604_800,
        alike=True,
    ),
    Setting(
        "GRACE_SECONDS",
        "3600",
        "How long a video is kept once it is delivered, unless its account has a grace of its own; never longer than its retention.",
        0,
        86_400,
        alike=True,
    ),
    Setting(
        "CONTENT_REDIRECT",
        "false",
        "Whether content is sent by the object store itself, through presigned links of 15 minutes. The service does not see what is downloaded then: a video is delivered only when the customer calls `delivered`.",
        alike=True,
    ),
    Setting(
        "FILE_RETENTION_SECONDS",
        "259200",
        "How long an uploaded reference file is kept.",
        3600,
        604_800,
        alike=True,
    ),
    Setting(
        "UPSTREAMS",
        "",
        "The file that names the upstreams of live keys (docs/upstreams.md). Empty: `upstreams.toml` in the data folder, if it is there.",
    ),
    Setting(
        "ACCOUNT_AT_ONCE",
        "8",
        "Videos of one account in progress at once at each upstream; more wait in the queue.",
        1,
        100_000,
        alike=True,
    ),
    Setting(
        "LIVE_SANDBOX",
        "false",
        "Whether live keys use the sandbox, at the price book's prices: to try everything about money. Every answer says `sandbox: true`.",
        alike=True,
    ),
    Setting(
        "NOTICE_URL",
        "",
        "Address that gets a POST with JSON about what an operator should know: a spending limit at 80 % and when it is reached, an endpoint that fails, an outage of the installation. Empty: this is only logged.",
        alike=True,
        secret=True,
    ),
    Setting(
        "SMTP_URL",
        "",
        "The mail server, `smtp://user:password@host:port` or `smtps://…`. Empty: mail is only logged.",
        alike=True,
        secret=True,
    ),
    Setting(
        "MAIL_FROM",
        "",
        "The sender of mail. Empty: `seedance@` and the mail server's host.",
        alike=True,
    ),
    Setting(
        "EVENT_RETENTION_DAYS",
        "30",
        "How long events and their deliveries are kept.",
        5,
        90,
        alike=True,
    ),
    Setting(
        "WEBHOOK_PORTS",
        "",
        "Ports, comma-separated, that webhooks may go to besides 443 and 8443.",
        alike=True,
    ),
    Setting(
        "FETCH_HTTP",
        "false",
        "Whether reference media may be fetched, and webhooks sent, over plain http.",
        alike=True,
    ),
    Setting(
        "FETCH_ALLOW_NETWORKS",
        "",
        "Networks, comma-separated, that reference URLs and webhooks may reach although they are not public.",
        alike=True,
    ),
    Setting(
        "DISK_RESERVE_PERCENT",
        "10",
        "Creates and uploads are refused while less than this, and less than 10 GiB, is free on a disk of this machine that videos, reference media or scratch files are written to. 0 never refuses.",
        0,
        90,
    ),
    Setting(
        "BALLAST_MEGABYTES",
        "64",
        "Size of the file `ballast` in the data folder, which the embedded PostgreSQL is given when its disk is full: it needs room to recover. 0: none is kept.",
        0,
        4096,
    ),
    Setting(
        "MAX_UPLOADS",
        "16",
        "Uploads, and creates that bring or fetch media, of one account that each API process receives at once. More wait up to 10 seconds for one of them to end, and are then refused with 429.",
        1,
        10_000,
    ),
    Setting(
        "MAX_UPLOAD_MEGABYTES",
        "2048",
        "Disk space that these may take together while they are received.",
        1024,
        1_000_000,
    ),
    Setting(
        "OPERATOR_NAME",
        "Seedance API",
        "Your name in the mark of each video, and in the certificate that is made with the installation.",
        alike=True,
    ),
    Setting(
        "MARKING_CERTIFICATE",
        "",
        "The certificate that marks are signed with: a PEM file, the signer's first and its CA's last. The same on every machine. Empty: one of our own, made with the installation in `secrets/marking` (docs/marking.md).",
    ),
    Setting("MARKING_KEY", "", "Its private key: a PEM file, mode 0600, without a password."),
    Setting(
        "MARKING_TRUSTED",
        "",
        "Folder of certificates that were rotated out, each a file `….pem` as above: what they have signed stays ours. Empty: `secrets/marking/trusted` in the data folder.",
    ),
    Setting(
        "MARKING_TSA_URL",
        "",
        "Address of a time-stamping authority (RFC 3161), called for each file. Empty: marks are not time-stamped.",
        alike=True,
        secret=True,
    ),
    Setting(
        "LABEL_SECONDS",
        "0",
        "Length of the visible label at the start of each video, 2 to 10 seconds; 0: no label.",
        0,
        10,
        alike=True,
    ),
    Setting(
        "LABEL_TEXT",
        "AI-generated",
        "What the visible label says.",
        alike=True,
    ),
    Setting("LABEL_FONT", "", "Font file of the visible label, for letters other than Latin ones."),
    Setting("VERIFY_MEGABYTES", "600", "The largest file that `POST /v1/verify` accepts.", 1, 4096),
    Setting(
        "VERIFY_A_MINUTE",
        "60",
        "`POST /v1/verify` requests a minute for each client address (IPv6: each /64), in each API process. Behind a proxy all clients have one address.",
        1,
        100_000,
    ),
    Setting("DRAIN_SECONDS", "20", "How long a stopping process waits for running requests and jobs.", 1, 600),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, read and checked."""

    data_dir: Path
    database_url: str | None
    storage_url: str | None
    pepper: str | None
    host: str
    port: int
    workers: int
    connections: int
    connections_per_address: int
    proxy_networks: tuple[str, ...]
    streams_per_account: int
    health_port: int | None
    public_url: str | None
    log_level: str
    database_connections: int
    sandbox_renderers: int
    sandbox_slots: int
    lease_seconds: float
    deadline_seconds: int
    retention_seconds: int
    grace_seconds: int
    content_redirect: bool
    file_retention_seconds: int
    upstreams: Path | None
    account_at_once: int
    live_sandbox: bool
    notice_url: str | None
    smtp_url: str | None
    mail_from: str | None
    event_retention_days: int
    webhook_ports: frozenset[int]
    fetch_http: bool
    fetch_allow_networks: tuple[str, ...]
    disk_reserve_percent: int
    ballast_megabytes: int
    max_uploads: int
    max_upload_megabytes: int
    operator_name: str
    marking_certificate: Path | None
    marking_key: Path | None
    marking_trusted: Path | None
    marking_tsa_url: str | None
    label_seconds: int
    label_text: str
    label_font: Path | None
    verify_megabytes: int
    verify_a_minute: int
    drain_seconds: float

    def __repr__(self) -> str:
        return "Settings(…)"  # an URL or the pepper may hold a secret


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read `SEEDANCE_…`. Raises ValueError naming every setting that is wrong."""
    values: dict[str, object] = {}
    problems: list[str] = []
    for setting in TABLE:
        text = environment.get("SEEDANCE_" + setting.name, "").strip() or setting.default
        try:
            values[setting.name.lower()] = _read_one(setting, text)
        except ValueError as error:
            problems.append(f"SEEDANCE_{setting.name}: {error}" + _shown(setting, text))
    known = {"SEEDANCE_" + setting.name for setting in TABLE} | _OF_OTHERS
    unknown = [name for name in environment if name.startswith("SEEDANCE_") and name not in known]
    problems += [f"{name}: no such setting{_nearest(name)}" for name in unknown]
    if bool(values.get("marking_certificate")) != bool(values.get("marking_key")):
        problems.append("SEEDANCE_MARKING_CERTIFICATE and SEEDANCE_MARKING_KEY: set both, or neither")
    if problems:
        raise ValueError("; ".join(problems))
    return msgspec.convert(values, Settings)


_OF_OTHERS = {
    "SEEDANCE_BASE_URL",
    "SEEDANCE_API_KEY",
    "SEEDANCE_WEBHOOK_SECRET",
    "SEEDANCE_PARENT",
    "SEEDANCE_KILL_POINTS",
}  # the client's, `serve`'s to its worker, and the tests' to `foundation/kill.py`


def _nearest(name: str) -> str:
    found = get_close_matches(name.removeprefix("SEEDANCE_"), [one.name for one in TABLE], 1)
    return f" (did you mean SEEDANCE_{found[0]}?)" if found else ""


def _shown(setting: Setting, text: str) -> str:
    """What was given, unless it may hold a secret."""
    silent = setting.secret or setting.name in ("PEPPER", "DATABASE_URL", "STORAGE_URL") or "@" in text
    return "" if silent else f", not {text[:100]!r}"


def _read_one(setting: Setting, text: str) -> object:
    reader = _READERS.get(setting.name)
    if reader is None and setting.least is not None and setting.most is not None:
        try:
            number = float(text)
        except ValueError:
            raise ValueError("must be a number") from None
        if not setting.least <= number <= setting.most:
            raise ValueError(f"must be between {setting.least:g} and {setting.most:g}")
        return number if setting.name in ("LEASE_SECONDS", "DRAIN_SECONDS") else int(number)
    return reader(text) if reader else text or None


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("must be true or false")
    return text.lower() in ("true", "1")


def _smtp(text: str) -> str | None:
    if text and not text.startswith(("smtp://", "smtps://")):
        raise ValueError("must start with smtp:// or smtps://")
    return text or None


def _ports(text: str) -> frozenset[int]:
    ports = [part.strip() for part in text.split(",") if part.strip()]
    if any(not one.isdecimal() or not 1 <= int(one) <= 65535 for one in ports):
        raise ValueError("must be port numbers with commas between")
    return frozenset(int(one) for one in ports)


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return text.lower()


def _pepper(text: str) -> str | None:
    if text and (len(text) != 64 or set(text.lower()) - set("0123456789abcdef")):
        raise ValueError("must be 64 hexadecimal digits")
    return text or None


def _database(text: str) -> str | None:
    if text and not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    for host in urlsplit(text).netloc.rpartition("@")[2].split(","):
        name, _, port = host.rpartition("]")[2].partition(":")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            raise ValueError(f"the port after {name or 'the host'} must be a number from 1 to 65535")
    return text.replace("postgres://", "postgresql://", 1) or None


def _storage(text: str) -> str | None:
    if text and not text.startswith(("s3://", "gs://", "az://", "file:///")):
        raise ValueError("must start with s3://, gs://, az:// or file:///")
    return text or None


def _path(text: str) -> Path | None:
    return Path(text).expanduser().resolve() if text else None


def _tsa(text: str) -> str | None:
    if text and not text.startswith(("https://", "http://")):
        raise ValueError("must start with https:// or http://")
    return text or None


def _notice(text: str) -> str | None:
    # the address may hold a secret, so what was given is not repeated
    if text and not (_NOTICE.fullmatch(text) and _has_usable_port(text)):
        raise ValueError("must be https://host/path, or http:// with SEEDANCE_FETCH_HTTP")
    return text or None


def _has_usable_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:  # no number, too large, or a bracket that is left open
        return False


_NOTICE = re.compile(r"https?://[^\s/@?#]{1,253}([/?][^\s#]*)?")


def _label_seconds(text: str) -> int:
    if text not in map(str, (0, *range(2, 11))):
        raise ValueError("must be 0 or a whole number from 2 to 10")
    return int(text)


def _public_url(text: str) -> str | None:
    if text and not _PUBLIC_URL.fullmatch(text):
        raise ValueError("must be https://host, perhaps with a port and a path, and nothing more")
    return text.rstrip("/") or None


_PUBLIC_URL = re.compile(
    r"https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,200})?"
)


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(part.strip())) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be networks, such as 10.0.0.0/8, with commas between") from None


def _health_port(text: str) -> int | None:
    if text and (not text.isdecimal() or not 1 <= int(text) <= 65535):
        raise ValueError("must be a port number")
    return int(text) if text else None


def _line(most: int) -> Callable[[str], str]:
    def read_line(text: str) -> str:
        if len(text) > most or not text.isprintable():
            raise ValueError(f"must be one line of at most {most} characters")
        return text

    return read_line


_READERS: dict[str, Callable[[str], object]] = {
    "DATA_DIR": lambda text: Path(text).expanduser().resolve(),
    "UPSTREAMS": _path,
    "OPERATOR_NAME": _line(100),
    "MARKING_CERTIFICATE": _path,
    "MARKING_KEY": _path,
    "MARKING_TRUSTED": _path,
    "MARKING_TSA_URL": _tsa,
    "LABEL_SECONDS": _label_seconds,
    "LABEL_TEXT": _line(60),
    "LABEL_FONT": _path,
    "FETCH_HTTP": _boolean,
    "LIVE_SANDBOX": _boolean,
    "CONTENT_REDIRECT": _boolean,
    "FETCH_ALLOW_NETWORKS": _networks,
    "NOTICE_URL": _notice,
    "WEBHOOK_PORTS": _ports,
    "PUBLIC_URL": _public_url,
    "PROXY_NETWORKS": _networks,
    "HEALTH_PORT": _health_port,
    "SMTP_URL": _smtp,
    "LOG_LEVEL": _level,
    "PEPPER": _pepper,
    "DATABASE_URL": _database,
    "STORAGE_URL": _storage,
}
