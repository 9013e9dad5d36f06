"""A finished file on a host that the operator has not allowed: his file of upstreams is at fault, and not the video."""

from pathlib import Path

import pytest

from faults.upstream import MAIN, Live, fast_fake, table
from security.attack import log, rows
from stage import fresh_database, until

_TRIES = 8
"""More than a bad file is given."""


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("result_hosts = ['volces.com']", "result_hosts = ['127.0.0.1']", "is not one of result_hosts"),
        ("allow_networks = ['127.0.0.9/32']", "allow_networks = ['127.0.0.0/8']", "not in allow_networks"),
    ],
    ids=["result_hosts", "allow_networks"],
)
def test_a_host_that_is_not_allowed_is_waited_out_and_named(
    postgres: str, tmp_path: Path, wrong: str, right: str, said: str
) -> None:
    with fresh_database(postgres) as url, fast_fake() as fake:
        tables = table("main", fake.url, MAIN).replace('allow_networks = ["127.0.0.0/8"]\n', "")
        others = "" if "allow_networks" in wrong else "allow_networks = ['127.0.0.0/8']\n"
        live = Live(url, tmp_path, f"{tables}{others}{wrong}\n", fake)
        try:
            prompt = "fault of the file."
            video = live.create(prompt)
            live.reaches(video, "storing")
            sql = "SELECT state, tries, wrong_tries, waiting_for FROM generation WHERE id = $1"

            def tried() -> bool:
                live.hurry(video)
                (row,) = rows(url, sql, video)
                assert row["state"] == "storing", tuple(row)
                return row["tries"] >= _TRIES

            until(tried, 60)
            (row,) = rows(url, sql, video)
            assert row["wrong_tries"] == 0
            assert row["waiting_for"].startswith("127.0.0.1, ")
            assert said in row["waiting_for"]
            assert "store.waiting" in log(live.service)
            assert live.service.stop() == 0
            file = tmp_path / "upstreams.toml"
            file.write_text(f"{tables}{others if right != others.strip() else ''}{right}\n".replace("'", '"'))
            live.service.start()
            live.completed(video, prompt, hurried=True)
        finally:
            live.stop()
