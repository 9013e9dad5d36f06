"""Every setting: its name, default, meaning and bounds. `docs/settings.md` is made of this."""

from typing import Annotated, Any, cast

import msgspec
from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from seedance_api.settings.kinds import (
    DatabaseUrl,
    File,
    Flag,
    Folder,
    HttpUrl,
    LabelSeconds,
    Level,
    Networks,
    NoticeUrl,
    Pepper,
    PortOrNone,
    Ports,
    Proxies,
    ProxyHeader,
    PublicUrl,
    Real,
    RedisUrl,
    SmtpUrl,
    StorageUrl,
    Text,
    Tiers,
    Whole,
    line,
)


def setting(
    default: str,
    meaning: str,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    alike: bool = False,
    secret: bool = False,
) -> Any:
    """A setting, whose default is the text that an operator would write. `minimum` and `maximum` bound numbers.

    `alike` ones must be the same on every machine of an installation; of `secret` ones only a digest is compared, the
    value is in no message, and it may be in a file that `SEEDANCE_…_FILE` names.
    """
    described: dict[str, Any] = {"minimum": minimum, "maximum": maximum, "alike": alike, "secret": secret}
    return Field(default, description=meaning, ge=minimum, le=maximum, json_schema_extra=described)


class Settings(BaseSettings):
    """The settings, read and checked."""

    model_config = SettingsConfigDict(frozen=True, validate_default=True, hide_input_in_errors=True)

    data_dir: Folder = setting(
        "./data", "Folder for everything kept on this machine: embedded database, objects, secrets."
    )
    database_url: DatabaseUrl = setting(
        "",
        "PostgreSQL 15 or later, `postgresql://…`. Empty: an embedded PostgreSQL 18 in the data folder.",
        secret=True,
    )
    storage_url: StorageUrl = setting(
        "",
        "Where videos and reference media live: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`, with credentials from the environment (docs/operate.md). Empty: a folder in the data folder.",
        secret=True,
    )
    pepper: Pepper = setting(
        "",
        "64 hexadecimal digits that API keys are hashed with; the same on every machine. Empty: made with the installation in `secrets/pepper`, mode 0600.",
        secret=True,
    )
    host: str = setting("127.0.0.1", "Address to listen on. Put a TLS proxy in front before you make it public.")
    port: Whole = setting("8000", "Port to listen on; 0 takes a free one.", 0, 65535)
    workers: Whole = setting("1", "API processes.", 1, 64)
    connections: Whole = setting(
        "4096",
        "Client connections of each API process. Fewer where the limit of open files allows no more: a third of it. When three quarters are taken, connections that wait for no answer are closed.",
        64,
        100_000,
    )
    connections_per_address: Whole = setting(
        "256",
        "Client connections from one address (IPv6: from one /64) to each API process; those above are closed within a second. 0: no bound. Linux only.",
        0,
        100_000,
    )
    proxy_networks: Proxies = setting(
        "127.0.0.0/8,::1/128",
        "Networks, comma-separated, of your proxies: they are believed about the client's address, and their connections are not counted by address. `none`: nobody is believed.",
    )
    proxy_header: ProxyHeader = setting(
        "x-forwarded-for",
        "The header in which your proxies tell the client's address, `x-forwarded-for` or `forwarded`. The other one is never read.",
    )
    request_log_days: Whole = setting("180", "How long requests are kept in the request log.", 30, 365, alike=True)
    request_log_address_days: Whole = setting(
        "30",
        "How long their full client addresses are kept; then only the network remains (/24, or /48 of IPv6).",
        7,
        90,
        alike=True,
    )
    analytics_days: Whole = setting(
        "730",
        "How long analytics are kept: counts by hour and by day in which no account is told.",
        30,
        3650,
        alike=True,
    )
    streams_per_account: Whole = setting(
        "64",
        "Event streams and waiting requests of one account at once in each API process; more are answered with 429 "
        "`too_many_streams`.",
        1,
        10000,
    )
    health_port: PortOrNone = setting(
        "",
        "A second port, on the same address, that answers `/healthz` and `/readyz` only, whatever connections the API has. Empty: there is none.",
    )
    metrics_port: PortOrNone = setting(
        "",
        "The port, on the same address, on which the worker answers `/metrics` for Prometheus. Each API process has one of the ports behind it: with 9100 and two of them, 9101 and 9102. Empty: there are no metrics.",
    )
    public_url: PublicUrl = setting(
        "",
        "The address customers use, `https://host[:port][/path]`, for the links in answers. Empty: the address that is listened on. What a request says of its host is never used.",
        alike=True,
    )
    log_level: Level = setting("info", "`debug`, `info`, `warning` or `error`.")
    database_connections: Whole = setting("10", "Connections of each process.", 2, 200)
    sandbox_renderers: Whole = setting("2", "Sandbox clips that one worker process renders at once.", 1, 64)
    sandbox_slots: Whole = setting(
        "8",
        "Sandbox videos in progress at once in the whole installation; more wait in the queue.",
        1,
        10000,
        alike=True,
    )
    sandbox_slots_per_account: Whole = setting(
        "6",
        "How many of these one account has at once, and never the last one: there are always some for others.",
        1,
        10000,
        alike=True,
    )
    lease_seconds: Real = setting(
        "30", "How long a worker owns a step. After a crash a step is taken up again when this has passed.", 1, 600
    )
    deadline_seconds: Whole = setting(
        "86400", "A video that is not finished this long after its creation fails.", 60, 604_800, alike=True
    )
    retention_seconds: Whole = setting(
        "259200", "How long a finished video is kept unless the request says otherwise.", 3600, 604_800, alike=True
    )
    grace_seconds: Whole = setting(
        "3600",
        "How long a video is kept once it is delivered, unless its account has a grace of its own; never longer than its retention.",
        0,
        86400,
        alike=True,
    )
    content_redirect: Flag = setting(
        "false",
        "Whether content is sent by the object store itself, through presigned links of 15 minutes. The service does not see what is downloaded then: a video is delivered only when the customer calls `delivered`.",
        alike=True,
    )
    file_retention_seconds: Whole = setting(
        "259200", "How long an uploaded reference file is kept.", 3600, 604_800, alike=True
    )
    upstreams: File = setting(
        "",
        "The file that names the upstreams of live keys (docs/upstreams.md). Empty: `upstreams.toml` in the data folder, if it is there.",
    )
    max_pending: Whole = setting(
        "10000",
        "Unfinished videos of one account's live keys, queued ones included; more are refused with 429 `too_many_pending`.",
        1,
        10_000_000,
        alike=True,
    )
    max_pending_test: Whole = setting(
        "500", "The same of its test keys, whose videos cost it nothing.", 1, 10_000_000, alike=True
    )
    max_files: Whole = setting(
        "20000",
        "Files of one account's live keys, uploaded or sent inside creates; more are refused with 409 `too_many_files`.",
        1,
        1_000_000,
        alike=True,
    )
    max_files_gigabytes: Whole = setting(
        "100", "What these may take together, those of equal content counted once.", 1, 1_000_000, alike=True
    )
    max_files_test: Whole = setting("2000", "Files of its test keys.", 1, 1_000_000, alike=True)
    max_files_test_gigabytes: Whole = setting("5", "What these may take together.", 1, 1_000_000, alike=True)
    max_keys: Whole = setting("100", "API keys of one account that are not revoked.", 1, 10_000, alike=True)
    max_webhook_endpoints: Whole = setting(
        "100", "Webhook endpoints of one account, in each mode.", 1, 10_000, alike=True
    )
    account_concurrency: Whole = setting(
        "8",
        "Videos of one account in progress at once at each upstream; more wait in the queue.",
        1,
        100_000,
        alike=True,
    )
    live_sandbox: Flag = setting(
        "false",
        "Whether live keys use the sandbox, at the price book's prices: to try everything about money. Every answer says `sandbox: true`.",
        alike=True,
    )
    notice_url: NoticeUrl = setting(
        "",
        "Address that gets a POST with JSON about what an operator should know: a spending limit at 80 % and when it is reached, an endpoint that fails, an outage of the installation. Empty: this is only logged.",
        alike=True,
        secret=True,
    )
    smtp_url: SmtpUrl = setting(
        "",
        "The mail server, `smtp://user:password@host:port` or `smtps://…`. Empty: mail is only logged.",
        alike=True,
        secret=True,
    )
    mail_from: Text = setting("", "The sender of mail. Empty: `seedance@` and the mail server's host.", alike=True)
    event_retention_days: Whole = setting("30", "How long events and their deliveries are kept.", 5, 90, alike=True)
    webhook_ports: Ports = setting(
        "", "Ports, comma-separated, that webhooks may go to besides 443 and 8443.", alike=True
    )
    fetch_http: Flag = setting(
        "false", "Whether reference media may be fetched, and webhooks sent, over plain http.", alike=True
    )
    fetch_allow_networks: Networks = setting(
        "",
        "Networks, comma-separated, that reference URLs and webhooks may reach although they are not public.",
        alike=True,
    )
    disk_reserve_percent: Whole = setting(
        "10",
        "Creates and uploads are refused while less than this, and less than 10 GiB, is free on a disk of this machine that videos, reference media or scratch files are written to. 0 never refuses.",
        0,
        90,
    )
    ballast_megabytes: Whole = setting(
        "64",
        "Size of the file `ballast` in the data folder, which the embedded PostgreSQL is given when its disk is full: it needs room to recover. 0: none is kept.",
        0,
        4096,
    )
    max_uploads: Whole = setting(
        "16",
        "Uploads, and creates that bring or fetch media, of one account that each API process receives at once. More wait up to 10 seconds for one of them to end, and are then refused with 429.",
        1,
        10000,
    )
    max_upload_megabytes: Whole = setting(
        "2048", "Disk space that these may take together while they are received.", 1024, 1_000_000
    )
    operator_name: Annotated[str, AfterValidator(line(100))] = setting(
        "Seedance API",
        "Your name in the mark of each video, and in the certificate that is made with the installation.",
        alike=True,
    )
    marking_certificate: File = setting(
        "",
        "The certificate that marks are signed with: a PEM file, the signer's first and its CA's last. The same on every machine. Empty: one of our own, made with the installation in `secrets/marking` (docs/marking.md).",
    )
    marking_key: File = setting("", "Its private key: a PEM file, mode 0600, without a password.")
    marking_trusted: File = setting(
        "",
        "Folder of certificates that were rotated out, each a file `….pem` as above: what they have signed stays ours. Empty: `secrets/marking/trusted` in the data folder.",
    )
    marking_tsa_url: HttpUrl = setting(
        "",
        "Address of a time-stamping authority (RFC 3161), called for each file. Empty: marks are not time-stamped.",
        alike=True,
        secret=True,
    )
    label_seconds: LabelSeconds = setting(
        "0", "Length of the visible label at the start of each video, 2 to 10 seconds; 0: no label.", 0, 10, alike=True
    )
    label_text: Annotated[str, AfterValidator(line(60))] = setting(
        "AI-generated", "What the visible label says.", alike=True
    )
    label_font: File = setting("", "Font file of the visible label, for letters other than Latin ones.")
    verify_megabytes: Whole = setting("600", "The largest file that `POST /v1/verify` accepts.", 1, 4096)
    redis_url: RedisUrl = setting(
        "",
        "Redis 6 or later, or Valkey, in which all API processes of all machines count the requests of the limits below together: `redis://user:password@host:port/0`, `rediss://…` or `unix:///path` (docs/operate.md). Empty: each API process counts for itself, and admits as many.",
        secret=True,
    )
    reads_per_minute: Whole = setting(
        "6000", "Reads (`GET`, `HEAD`) a minute of each account.", 1, 10_000_000, alike=True
    )
    writes_per_minute: Whole = setting("600", "Other requests a minute of each account.", 1, 10_000_000, alike=True)
    creates_per_minute: Whole = setting(
        "300", "Creates and quotes a minute of each account.", 1, 10_000_000, alike=True
    )
    uploads_per_minute: Whole = setting("300", "Uploads of files a minute of each account.", 1, 10_000_000, alike=True)
    rate_tiers: Tiers = setting(
        "100:2,1000:5,10000:10",
        "How many times these limits an account has once its live videos have cost so much in all, in its currency: pairs `spending:multiplier`. `none`: no tiers.",
        alike=True,
    )
    max_failed_keys: Whole = setting(
        "20",
        "Wrong API keys from a client address (IPv6: each /64) until each further one has it refused for a time: 1 s, then 2 s, 4 s, up to 5 minutes. Keys that were right before are not refused. Each API process counts for itself.",
        1,
        1_000_000,
        alike=True,
    )
    spending_alert_floor: Whole = setting(
        "50",
        "Spending of an API key within an hour, in whole units of its account's currency, up to which nobody is told of it, however unusual it is (docs/operate.md).",
        0,
        1_000_000,
        alike=True,
    )
    address_per_minute: Whole = setting(
        "12000",
        "Requests a minute from each client address (IPv6: each /64), with a key or without.",
        1,
        10_000_000,
        alike=True,
    )
    verify_per_minute: Whole = setting(
        "60",
        "`POST /v1/verify` requests a minute for each client address (IPv6: each /64).",
        1,
        100_000,
    )
    drain_notice_seconds: Whole = setting(
        "0",
        "How long a stopping service still answers requests while `/readyz` is 503 already, so that a load balancer sends them elsewhere first: longer than it takes to notice.",
        0,
        300,
    )
    drain_seconds: Real = setting("20", "How long a stopping process waits for running requests and jobs.", 1, 600)

    def __repr__(self) -> str:
        return "Settings(…)"  # an URL or the pepper may hold a secret

    __str__ = __repr__


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say about one setting."""

    name: str
    default: str
    meaning: str
    minimum: float | None
    maximum: float | None
    alike: bool
    secret: bool


def _described(name: str, field: FieldInfo) -> Setting:
    facts = cast("dict[str, Any]", field.json_schema_extra)
    return Setting(name=name.upper(), default=field.default, meaning=field.description or "", **facts)


TABLE: tuple[Setting, ...] = tuple(_described(name, field) for name, field in Settings.model_fields.items())
