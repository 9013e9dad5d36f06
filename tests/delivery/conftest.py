"""One clip and one certificate for all tests of marks."""

from pathlib import Path

import pytest

from delivery.kit import made_certificate, make_clip, signed
from seedance_api.delivery.certificate import Certificate
from seedance_api.delivery.mark import Marked


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return made_certificate(tmp_path_factory.mktemp("marking") / "ours")


@pytest.fixture(scope="session")
def marked(clip: Path, ours: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file, outcome = signed(clip, tmp_path_factory.mktemp("marked") / "to", ours)
    assert outcome == Marked("none")
    return file
