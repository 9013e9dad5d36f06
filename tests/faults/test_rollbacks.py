"""F28: a database that breaks off one transaction in five (a deadlock, a failed serialization) costs time only."""

import threading
from collections.abc import Callable

from faults.kit import SHORT, completes, consistent, do
from security.attack import rows
from stage import Service, until

_FAIL = """
    CREATE SEQUENCE broken_off;
    CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF random() < 0.2 THEN
            PERFORM nextval('broken_off');
            IF random() < 0.5 THEN RAISE EXCEPTION 'a test' USING ERRCODE = 'deadlock_detected'; END IF;
            RAISE EXCEPTION 'a test' USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER break_off AFTER INSERT OR UPDATE OR DELETE ON generation
        FOR EACH STATEMENT EXECUTE FUNCTION break_off();
"""
_CLIENTS = 4
_EACH = 4


def test_F28_one_transaction_in_five_is_broken_off(start_service: Callable[..., Service]) -> None:  # noqa: N802
    service = start_service(live_sandbox="true", lease_seconds="2")
    service.credit("5")
    service.key = service.new_key("live")
    do(service.database_url, _FAIL)
    videos: list[str] = []
    statuses: list[int] = []

    def client(number: int) -> None:
        with service.client() as http:
            for at in range(_EACH):
                key = {"Idempotency-Key": f"{number} {at}"}
                body = SHORT | {"prompt": f"{number} {at}"}
                tries = 0
                while (answer := http.post("/v1/videos", json=body, headers=key)).status_code != 200:
                    tries += 1
                    assert answer.status_code == 503, answer.text
                    assert int(answer.headers["retry-after"]) >= 1
                    assert tries < 20
                mine = answer.json()["id"]
                videos.append(mine)
                again = http.post("/v1/videos", json=body, headers=key)
                statuses.append(again.status_code)
                assert again.status_code != 200 or again.json()["id"] == mine

    clients = [threading.Thread(target=client, args=(number,)) for number in range(_CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert len(set(videos)) == len(videos) == _CLIENTS * _EACH
    assert set(statuses) <= {200, 503}
    completes(service, videos)
    assert rows(service.database_url, "SELECT count(*) AS n FROM generation")[0]["n"] == len(videos)
    until(lambda: rows(service.database_url, "SELECT last_value AS n FROM broken_off")[0]["n"] >= 10, 30)
    consistent(service, 60)
