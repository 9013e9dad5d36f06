"""The matrix, told a second time in another form, so that a slip in the data is seen."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from seedance_api.catalog import models
from seedance_api.catalog.capabilities import Model, State
from seedance_api.catalog.model_view import view
from seedance_api.catalog.order import Mode

BEFORE_ANY_END = date(2026, 5, 10)
TODAY = date(2026, 11, 23)

COLUMNS = (
    *("modes", "images", "videos", "audios", "total", "alone", "resolutions", "default_resolution"),
    *("least", "most", "auto", "default_duration", "frames", "audio", "seed", "camera", "draft"),
    *("tiers", "tasks"),
)
MATRIX = {
    "seedance-2.5": "TFLR 30 10 10 50 y 3 720p 4 30 y -1 - y unproven - 480p 1 4",
    "seedance-2.0": "TFLR 9 3 3 15 - 4 720p 4 15 y 5 - y accepted - - 1 1",
    "seedance-2.0-fast": "TFLR 9 3 3 15 - 2 720p 4 15 y 5 - y accepted - - 1 1",
    "seedance-2.0-mini": "TFLR 9 3 3 15 - 2 720p 4 15 y 5 - y accepted - - 1 1",
    "seedance-1.5-pro": "TFL - - - - - 3 720p 4 12 y 5 - y documented y 480p 2 1",
    "seedance-1.0-pro": "TFL - - - - - 3 1080p 2 12 - 5 y - documented y - 2 1",
    "seedance-1.0-pro-fast": "TF - - - - - 3 1080p 2 12 - 5 y - documented y - 2 1",
    "seedance-1.0-lite": "TFLR 4 - - 4 - 3 720p 2 12 - 5 y - documented y - 2 1",
}
LETTERS = {Mode.TEXT: "T", Mode.FIRST_FRAME: "F", Mode.FIRST_LAST: "L", Mode.REFERENCE: "R"}


def row(model: Model) -> list[str]:
    can, refers = model.capabilities, model.capabilities.references
    cells = (
        "".join(LETTERS[rules.mode] for rules in can.modes),
        *((refers.images, refers.videos, refers.audios, refers.total) if refers else (0, 0, 0, 0)),
        bool(refers and refers.audio_alone),
        len(can.resolutions),
        can.default_resolution,
        can.duration.least,
        can.duration.most,
        can.duration.auto,
        can.duration.default,
        can.frames is not None,
        can.audio,
        can.seed.value,
        can.camera_fixed,
        can.draft.resolution if can.draft else False,
        len(can.service_tiers),
        len(can.task_types),
    )
    return ["y" if cell is True else str(cell or "-") for cell in cells]


@pytest.mark.parametrize("name", MATRIX)
def test_the_capability_matrix(name: str) -> None:
    model = models.find(name)
    assert model
    assert dict(zip(COLUMNS, row(model), strict=True)) == dict(zip(COLUMNS, MATRIX[name].split(), strict=True))


def test_every_model_is_in_the_matrix() -> None:
    assert [model.name for model in models.MODELS] == list(MATRIX)


@pytest.mark.parametrize("model", models.MODELS, ids=lambda model: model.name)
def test_the_data_agree_with_themselves(model: Model) -> None:
    can = model.capabilities
    assert can.resolutions == tuple(model.pixels)
    assert can.default_resolution in can.resolutions
    assert can.duration.take(can.duration.default)
    assert can.duration.take(can.duration.typical)
    for table in model.pixels.values():
        assert set(table) == set(can.ratios) - {"adaptive"}
    for rules in can.modes:
        assert rules.default_ratio in rules.ratios
        assert set(rules.ratios) <= set(can.ratios)
        assert set(rules.resolutions) <= set(can.resolutions)
    refers = can.references
    assert (refers is not None) == model.takes(Mode.REFERENCE)
    # The check relies on this: whoever keeps to each kind's limit keeps to the total.
    assert refers is None or refers.images + refers.videos + refers.audios <= refers.total
    assert bool(refers and refers.videos) == (model.limits.video is not None)
    assert bool(refers and refers.audios) == (model.limits.audio is not None)
    assert models.find(models.DEFAULT) is not None


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("doubao-seedance-2-5-260628", "seedance-2.5"),
        ("dreamina-seedance-2-5-260628", "seedance-2.5"),
        ("doubao-seedance-2-0-260128", "seedance-2.0"),
        ("dreamina-seedance-2-0-260128", "seedance-2.0"),
        ("doubao-seedance-2-0-fast-260128", "seedance-2.0-fast"),
        ("dreamina-seedance-2-0-fast-260128", "seedance-2.0-fast"),
        ("doubao-seedance-2-0-mini-260615", "seedance-2.0-mini"),
        ("dreamina-seedance-2-0-mini-260615", "seedance-2.0-mini"),
        ("doubao-seedance-1-5-pro-251215", "seedance-1.5-pro"),
        ("seedance-1-5-pro-251215", "seedance-1.5-pro"),
        ("doubao-seedance-1-0-pro-250528", "seedance-1.0-pro"),
        ("seedance-1-0-pro-250528", "seedance-1.0-pro"),
        ("doubao-seedance-1-0-pro-fast-251015", "seedance-1.0-pro-fast"),
        ("seedance-1-0-pro-fast-251015", "seedance-1.0-pro-fast"),
        ("doubao-seedance-1-0-lite-t2v-250428", "seedance-1.0-lite"),
        ("doubao-seedance-1-0-lite-i2v-250428", "seedance-1.0-lite"),
        ("seedance-1-0-lite-t2v-250428", "seedance-1.0-lite"),
        ("seedance-1-0-lite-i2v-250428", "seedance-1.0-lite"),
        ("seedance-2.0", "seedance-2.0"),
        ("doubao-seedance-2-0", None),
        ("seedance-2-0-260128", None),
        ("", None),
    ],
)
def test_names(alias: str, name: str | None) -> None:
    found = models.find(alias)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("name", "day", "state"),
    [
        ("seedance-2.5", TODAY, State.ACTIVE),
        ("seedance-2.0-mini", date(2030, 1, 1), State.ACTIVE),
        ("seedance-1.0-pro", TODAY, State.RETIRING),
        ("seedance-1.0-pro", date(2027, 1, 1), State.RETIRING),
        ("seedance-1.0-pro-fast", TODAY, State.RETIRING),
        ("seedance-1.5-pro", BEFORE_ANY_END, State.RETIRING),
        ("seedance-1.5-pro", date(2026, 11, 10), State.RETIRING),
        ("seedance-1.5-pro", date(2026, 11, 11), State.RETIRED),
        ("seedance-1.0-lite", BEFORE_ANY_END, State.RETIRING),
        ("seedance-1.0-lite", TODAY, State.RETIRED),
    ],
)
def test_state(name: str, day: date, state: State) -> None:
    model = models.find(name)
    assert model
    assert model.state(day) is state


@pytest.mark.parametrize("model", models.MODELS, ids=lambda model: model.name)
def test_the_view_is_json_and_whole(model: Model) -> None:
    shown = msgspec.json.decode(msgspec.json.encode(view(model, today=TODAY)))
    assert shown["id"] == model.name
    dated = {alias.rsplit("-", 1)[1] for alias in shown["aliases"]}
    assert {datetime.fromtimestamp(shown["created"], UTC).strftime("%y%m%d")} == dated
    assert (shown["object"], shown["owned_by"]) == ("model", "bytedance")
    assert shown["default"] is (model.name == "seedance-2.0-mini")
    assert shown["lifecycle"]["state"] == model.state(TODAY)
    assert {cloud["cloud"] for cloud in shown["lifecycle"]["clouds"]} == {"volcengine", "byteplus"}
    assert shown["capabilities"]["duration"]["most"] == model.capabilities.duration.most
    assert shown["limits"]["image"]["max_bytes"] == 30_000_000
    assert msgspec.json.decode(msgspec.json.encode(view(model))) is not None


def test_the_view_of_one_model() -> None:
    model = models.find("seedance-1.0-pro")
    assert model
    shown = view(model, today=TODAY)
    assert shown.created == 1_748_390_400  # 2025-05-28
    assert shown.sizes["1080p"]["16:9"] == "1920x1088"
    assert shown.lifecycle.replacement == "seedance-2.0-mini"
    ends = [cloud.ends_at for cloud in shown.lifecycle.clouds]
    assert [end and end.isoformat() for end in ends] == ["2026-11-24T06:00:00+00:00", None]
