import multiprocessing
from pathlib import Path

import pytest

from seedance_api.delivery import link as content_link
from seedance_api.delivery import receipt
from seedance_api.foundation.secrets import derive, load_pepper
from seedance_api.generations.pseudonym import Pseudonyms
from seedance_api.references import link as media_link
from seedance_api.webhooks import sign

PEPPER = bytes(range(32))
PSEUDONYMS = Pseudonyms(PEPPER, "https://x.example")
DERIVED = {
    "7dcb8294f771ad203fff4b4ba5dc2f2cf61b9b02303a2e5901b7ee952ab40d58": media_link.link_key(PEPPER).hex(),
    "89a1196006500bae2e2a262bcb0c0d1e54ea89ca3f30adebdcfcdf1551507ad9": content_link.link_key(PEPPER).hex(),
    "eb1ebf1742f525a64f620bb8387b678285c214c2896196055d9b52e0d7814bd6": receipt.receipt_key(PEPPER)
    .private_bytes_raw()
    .hex(),
    "d8f15787ea0f348a0bade8da6d77b1617aad82ea22ee697dccc48f38527852bc": PSEUDONYMS.customer("acc_1"),
    "https://x.example/v1/callbacks/att_1/79f919015cf7844406120ce5c8f6e9cd1a186d64": PSEUDONYMS.callback_url("att_1"),
    "3a3592169c4a5dc53ee23de7e3ecfc4e1f1af5db91c5f8aff2ad857d00f086d2": sign.secret_of(PEPPER, "v1", "whe_1", 2).hex(),
    "5c5cc5679981d9f9b67f9fc72213ba5f3b331645f233e59bf4e8d093ff4ce278": sign.secret_of(PEPPER, "v1a", "whe_1", 2).hex(),
}
"""What installations derived before there was one place for it: what they signed has to verify for ever."""


def _load(folder: str) -> bytes:
    return load_pepper(Path(folder))


def test_processes_that_start_together_share_one_pepper(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = set(pool.map(_load, [str(tmp_path / "secrets")] * 8))
    assert len(found) == 1
    assert len(found.pop()) == 32


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    load_pepper(tmp_path)
    pepper = tmp_path / "pepper"
    assert pepper.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["pepper"]
    pepper.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        load_pepper(tmp_path)


@pytest.mark.parametrize(("before", "now"), DERIVED.items())
def test_a_derived_key_is_what_it_always_was(before: str, now: str) -> None:
    assert now == before


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert len({derive(PEPPER, purpose) for purpose in ("one", "two", "one, 1")}) == 3
