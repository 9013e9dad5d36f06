"""One wrong API key after another: refused without a look, for longer each time; those that were right still are."""

from collections.abc import Callable

import pytest

from security.attack import rows
from seedance_api.accounts import keys
from seedance_api.accounts.keys import PREFIX, KeyMode, mint
from seedance_api.foundation.errors import AppError
from seedance_api.traffic import failed_keys
from seedance_api.traffic.failed_keys import FailedKeys, block_seconds
from seedance_api.traffic.metrics import FAILED_KEY_REFUSALS, FAILED_KEYS
from stage import Service

Start = Callable[..., Service]


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait_of(failures: FailedKeys, address: str) -> int:
    """The seconds that an address is told to wait; 0 when it is not blocked."""
    try:
        failures.check(address)
    except AppError as error:
        return int(error.headers["Retry-After"]) if error.code == "too_many_failed_keys" else -1
    return 0


def test_each_further_failure_blocks_for_twice_as_long() -> None:
    clock = Clock()
    failures = FailedKeys(3, clock=clock)
    waits: list[int] = []
    for _ in range(13):
        failures.count("192.0.2.1")
        waits.append(wait_of(failures, "192.0.2.1"))
        if waits[-1]:
            clock.now += waits[-1] - 0.5
            assert wait_of(failures, "192.0.2.1") == 1
            clock.now += 0.5
        assert wait_of(failures, "192.0.2.1") == 0
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert wait_of(failures, "192.0.2.2") == 0
    clock.now += failed_keys.FORGET_SECONDS + 1
    failures.count("192.0.2.1")
    assert wait_of(failures, "192.0.2.1") == 0, "an hour later it begins anew"


def test_wrong_keys_and_what_they_are_refused_are_counted() -> None:
    wrong, refused = (one.series[()] for one in (FAILED_KEYS, FAILED_KEY_REFUSALS))
    failures = FailedKeys(1, clock=Clock())
    failures.count("192.0.2.1")
    assert wait_of(failures, "192.0.2.1") == 1
    assert wait_of(failures, "192.0.2.2") == 0
    assert (FAILED_KEYS.series[()], FAILED_KEY_REFUSALS.series[()]) == (wrong + 1, refused + 1)


def test_the_number_of_failures_has_no_bound() -> None:
    assert block_seconds(10**9, 20) == failed_keys.MAX_BLOCK_SECONDS


def test_addresses_beyond_the_bound_push_out_those_that_failed_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_keys, "MAX_NAMES", 3)
    failures = FailedKeys(1, clock=Clock())
    for address in ("a", "b", "c", "a", "d"):
        failures.count(address)
    assert [wait_of(failures, address) for address in "abcd"] == [2, 0, 1, 1]


def test_wrong_secrets_of_one_key_block_it_wherever_they_come_from() -> None:
    clock = Clock()
    failures = FailedKeys(3, clock=clock)
    told = [failures.count(f"192.0.2.{number}", "AbCdEfGh") for number in range(6)]
    assert told == [None, None, 3, None, None, 6], "each time that as many more came"
    assert wait_of(failures, "192.0.2.1") == 0, "no address has sent enough"
    with pytest.raises(AppError) as refused:
        failures.check("192.0.2.9", "AbCdEfGh")
    assert refused.value.headers["Retry-After"] == "8"
    assert "6 requests had the id of this API key" in refused.value.message
    failures.check("192.0.2.9", "another1")
    clock.now += 8
    failures.check("192.0.2.9", "AbCdEfGh")


def forged(key: str) -> str:
    """A key with the id of another, a secret of chance, and a checksum that is right."""
    handle, other = key[len(f"{PREFIX}test_") :][:8], mint(KeyMode.TEST).text
    start = f"{PREFIX}test_{handle}{other[len(f'{PREFIX}test_') + 8 : -6]}"
    return start + keys._checksum(start)


def test_strangers_who_try_a_key_do_not_block_the_right_one(start_service: Start) -> None:
    service = start_service(max_failed_keys="5")
    alone, beside = service.new_key(), service.new_key()
    with service.client() as client:

        def ask(key: str, address: str) -> int:
            headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
            return client.get("/v1/models", headers=headers).status_code

        statuses = [ask(forged(alone), f"198.51.100.{number}") for number in range(20)]
        assert statuses[:5] == [401] * 5
        assert 429 in statuses[5:], "each from another address"
        while ask(forged(alone), "198.51.100.30") != 429:  # a busy machine lets a second go by
            continue
        assert ask(alone, "198.51.100.31") == 200, "the right one, though this process has never seen it"
        while ask(forged(beside), "203.0.113.9") != 429:
            continue
        assert ask(beside, "203.0.113.9") == 200, "not even from the address of those who try it"
        assert ask(service.new_key(), "203.0.113.9") == 429, "of another key nobody can tell without a look"
    told = rows(service.database_url, "SELECT kind, account_id, detail, letter, dedupe_key FROM notice ORDER BY id")
    assert [one["kind"] for one in told] == ["key_guessed"] * 2, "once a day for each key"
    assert {one["account_id"] for one in told} == {service.account["id"]}
    assert "198.51" not in str(told)
    assert "203.0" not in str(told)


def test_of_a_key_that_is_revoked_or_unknown_nobody_is_told(start_service: Start) -> None:
    service = start_service(max_failed_keys="3")
    unknown, revoked = mint(KeyMode.TEST).text, service.new_key()
    listed = service.command("key", "list", "--account", service.account["email"])["keys"]
    handle = revoked[len(f"{PREFIX}test_") :][:8]
    service.command("key", "revoke", next(one["id"] for one in listed if one["handle"] == handle))
    with service.client() as client:
        for key in (unknown, revoked):
            statuses: list[int] = []
            while 429 not in statuses:
                headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": f"192.0.2.{len(statuses)}"}
                statuses.append(client.get("/v1/models", headers=headers).status_code)
            assert statuses[:3] == [401] * 3
    assert rows(service.database_url, "SELECT * FROM notice") == []


def test_over_http_wrong_keys_are_refused_and_right_ones_pass(start_service: Start) -> None:
    service = start_service(max_failed_keys="5")
    with service.client() as client:

        def ask(key: str, address: str = "192.0.2.1") -> int:
            headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
            answer = client.get("/v1/models", headers=headers)
            if answer.status_code == 429:
                error = answer.json()["error"]
                assert (error["code"], error["type"]) == ("too_many_failed_keys", "rate_limit_error")
                assert "Correct the key" in error["message"]
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status_code

        assert ask(service.key) == 200
        new = service.new_key()
        wrong = [mint(KeyMode.TEST).text for _ in range(8)] + ["sda_test_mistyped"] * 8
        statuses = [ask(key) for key in wrong]
        assert statuses[:5] == [401] * 5
        assert 429 in statuses[5:]
        while ask("sda_test_mistyped") != 429:  # a busy machine lets a second go by
            continue
        assert ask(service.key) == 200, "it was right before"
        assert ask(new) == 429, "nobody can tell it from a guess without a look"
        assert ask(new, "192.0.2.2") == 200
        assert (
            client.get("/v1/models", headers={"Authorization": "", "X-Forwarded-For": "192.0.2.1"}).status_code == 401
        )
