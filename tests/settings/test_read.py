"""Settings: all that is wrong is said at once, and a secret may be in a file."""

from pathlib import Path

import pytest

from seedance_api.cli.run import configured
from seedance_api.settings import FORMER_NAMES, TABLE, read

SECRETS = [one.name for one in TABLE if one.secret]
GIVEN = {
    "PEPPER": "ab" * 32,
    "DATABASE_URL": "postgresql://u:hunter2@host/x",
    "STORAGE_URL": "s3://hunter2/x",
    "NOTICE_URL": "https://host/hunter2",
    "SMTP_URL": "smtp://u:hunter2@host",
    "MARKING_TSA_URL": "https://host/hunter2",
    "REDIS_URL": "redis://u:hunter2@host:6379/0",
}


def problems(**environment: str) -> list[str]:
    """Everything that is wrong."""
    with pytest.raises(ValueError) as refused:
        read({f"SEEDANCE_{name.upper()}": value for name, value in environment.items()})
    return str(refused.value).split("; ")


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    given = {
        "label_text": "a\nb", "port": "70000", "workers": "many", "grace_seconds": "1.5", "fetch_http": "ja",
        "pepper_file": str(gone), "smtp_url": "hunter2", "prot": "1", "marking_key": "/k",
    }  # fmt: skip
    assert problems(**given) == [
        "SEEDANCE_PORT: must be between 0 and 65535, not '70000'",
        "SEEDANCE_WORKERS: must be a number, not 'many'",
        "SEEDANCE_GRACE_SECONDS: must be a whole number, not '1.5'",
        "SEEDANCE_SMTP_URL: must start with smtp:// or smtps://",
        "SEEDANCE_FETCH_HTTP: must be true or false, not 'ja'",
        "SEEDANCE_LABEL_TEXT: must be one line of at most 60 characters, not 'a\\nb'",
        f"SEEDANCE_PEPPER_FILE: {gone} cannot be read: No such file or directory",
        "SEEDANCE_PROT: no such setting (did you mean SEEDANCE_PORT?)",
        "SEEDANCE_MARKING_CERTIFICATE and SEEDANCE_MARKING_KEY: set both, or neither",
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e9"])
def test_a_number_has_bounds(text: str) -> None:
    assert problems(port=text) == [f"SEEDANCE_PORT: must be between 0 and 65535, not '{text}'"]
    assert problems(lease_seconds=text) == [f"SEEDANCE_LEASE_SECONDS: must be between 1 and 600, not '{text}'"]


def test_lists_may_be_none() -> None:
    assert (read({}).rate_tiers, read({}).proxy_networks) == (
        ((100, 2), (1000, 5), (10000, 10)),
        ("127.0.0.0/8", "::1/128"),
    )
    none = read({"SEEDANCE_RATE_TIERS": "none", "SEEDANCE_PROXY_NETWORKS": "none"})
    assert (none.rate_tiers, none.proxy_networks) == ((), ())


@pytest.mark.parametrize(
    "text", ["100", "100:1", "0:2", "100:2,100:3", "100:2,200:2", "1:1001", "1:2,", "-1:2", "1:2.5"]
)
def test_tiers_grow(text: str) -> None:
    (said,) = problems(rate_tiers=text)
    assert said.startswith("SEEDANCE_RATE_TIERS: must be pairs spending:multiplier that grow in both, such as 100:2")


def test_blank_is_not_set() -> None:
    assert read({f"SEEDANCE_{one.name}": " " for one in TABLE}) == read({})
    assert read({f"SEEDANCE_{one.name}": one.default for one in TABLE}) == read({})


def test_every_secret_is_tried_here() -> None:
    assert set(GIVEN) == set(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_be_in_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(GIVEN[name] + "\n")
    found = read({f"SEEDANCE_{name}_FILE": str(file)})
    assert getattr(found, name.lower()) == GIVEN[name]
    assert found == read({f"SEEDANCE_{name}": GIVEN[name]})
    assert "hunter2" not in f"{found!r} {found}"


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_set_once(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(GIVEN[name])
    said = problems(**{name: GIVEN[name], f"{name}_file": str(file)})
    assert said == [f"SEEDANCE_{name} and SEEDANCE_{name}_FILE: set one of them"]
    assert read({f"SEEDANCE_{name}": GIVEN[name], f"SEEDANCE_{name}_FILE": " "}) == read(
        {f"SEEDANCE_{name}": GIVEN[name]}
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not text in UTF-8"),
    ],
)
def test_a_file_that_holds_no_secret_is_named(content: bytes | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    assert problems(pepper_file=str(file)) == [f"SEEDANCE_PEPPER_FILE: {file} {says}"]
    assert problems(pepper_file=str(tmp_path)) == [f"SEEDANCE_PEPPER_FILE: {tmp_path} cannot be read: Is a directory"]


def test_what_is_wrong_in_a_file_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2")
    for name in SECRETS:
        (said,) = problems(**{f"{name}_file": str(file)})
        assert said.startswith(f"SEEDANCE_{name}_FILE: must ")
        assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://host", "redis://host:6379/0", "redis://:p%2Fw@host:6379", "rediss://u:p:w@[::1]:6380/15?ssl_ca_certs=/x",
        "unix:///run/redis.sock", "unix://:pw@/run/redis.sock?db=1",
    ],
)  # fmt: skip
def test_redis_has_an_address(url: str) -> None:
    assert read({"SEEDANCE_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "host:6379", "http://host", "redis://", "redis:///0", "redis://host:0", "redis://host:70000", "redis://host:port",
        "redis://host/name", "redis://u:p/w@host", "redis://a b", "unix://run", "redis://h?max_connections=1",
        "rediss://h?ssl_foo=1", "redis://h?db=",
    ],
)  # fmt: skip
def test_what_is_no_address_of_redis_is_refused_and_not_shown(url: str) -> None:
    says = "must be redis://[user:password@]host[:port][/number], rediss://… or unix:///path"
    assert problems(redis_url=url) == [f"SEEDANCE_REDIS_URL: {says}"]


def test_only_a_secret_has_a_file() -> None:
    assert problems(port_file="/x") == ["SEEDANCE_PORT_FILE: no such setting (did you mean SEEDANCE_PORT?)"]
    assert problems(peper_file="/x") == ["SEEDANCE_PEPER_FILE: no such setting (did you mean SEEDANCE_PEPPER_FILE?)"]


@pytest.mark.parametrize(("former", "name"), FORMER_NAMES.items())
def test_a_setting_is_read_under_its_former_name(former: str, name: str) -> None:
    assert read({former: "77"}) == read({name: "77"}) == read({former: "77", name: "77"}) != read({})
    assert read({former: " ", name: "77"}) == read({name: "77"})
    with pytest.raises(ValueError, match=f"^{former} and {name}: set {name} only"):
        read({former: "77", name: "78"})


def test_a_former_name_is_warned_of(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SEEDANCE_ACCOUNT_AT_ONCE", "77")
    assert configured(None).account_concurrency == 77
    said = capfd.readouterr()
    assert "SEEDANCE_ACCOUNT_AT_ONCE is now SEEDANCE_ACCOUNT_CONCURRENCY" in said.err
    assert not said.out
