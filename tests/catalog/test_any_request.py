"""Whatever is asked, the check answers; and whatever it accepts, the model really takes."""

from datetime import date
from fractions import Fraction

import msgspec
from hypothesis import event, given
from hypothesis import strategies as st

from seedance_api.catalog import flags, models, tokens
from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.order import Kind, Mode, Order, TaskType
from seedance_api.catalog.problem import Code, Problem
from seedance_api.catalog.request import Facts, Media, Request

DAYS = st.sampled_from([date(2026, 5, 1), date(2026, 11, 23), date(2027, 6, 1)])


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


def some(*values: object) -> st.SearchStrategy[object]:
    return maybe(st.sampled_from(values))


ANY_FACTS = st.builds(
    Facts,
    media_type=st.sampled_from(["image/png", "video/mp4", "audio/wav"]) | st.text(),
    bytes=st.integers(),
    width=maybe(st.integers()),
    height=maybe(st.integers()),
    seconds=maybe(st.floats()),
    fps=maybe(st.floats()),
    video_codec=maybe(st.text()),
    audio_codec=maybe(st.text()),
)


def any_media(kind: Kind) -> st.SearchStrategy[list[Media]]:
    one = st.builds(
        Media,
        kind=st.just(kind),
        role=some("first_frame", "last_frame", "reference", "reference_image") | st.text(),
        path=st.just(f"{kind}s[0]"),
        facts=maybe(ANY_FACTS),
    )
    return st.lists(one, max_size=4)


ANY_REQUEST = st.builds(
    Request,
    model=some(*(model.name for model in models.MODELS)) | st.text(),
    prompt=maybe(st.text(st.characters())),
    duration=maybe(st.integers()),
    seconds=maybe(st.integers() | st.text()),
    resolution=maybe(st.text()),
    ratio=maybe(st.text()),
    size=maybe(st.text()),
    images=any_media(Kind.IMAGE),
    videos=any_media(Kind.VIDEO),
    audios=any_media(Kind.AUDIO),
    seed=maybe(st.integers()),
    generate_audio=maybe(st.booleans()),
    camera_fixed=maybe(st.booleans()),
    watermark=maybe(st.booleans()),
    return_last_frame=maybe(st.booleans()),
    draft=maybe(st.booleans()),
    service_tier=maybe(st.text()),
    frames=maybe(st.integers()),
    task_type=maybe(st.text()),
)

GOOD_FACTS = {
    Kind.IMAGE: st.builds(
        Facts,
        media_type=st.just("image/png"),
        bytes=st.just(1000),
        width=st.integers(400, 900),
        height=st.integers(400, 900),
    ),
    Kind.VIDEO: st.builds(
        Facts,
        media_type=st.just("video/mp4"),
        bytes=st.just(1000),
        width=st.integers(700, 900),
        height=st.integers(700, 900),
        seconds=st.floats(2, 6),
        fps=st.just(24.0),
        video_codec=st.just("h264"),
    ),
    Kind.AUDIO: st.builds(Facts, media_type=st.just("audio/wav"), bytes=st.just(1000), seconds=st.floats(2, 6)),
}


def likely_media(kind: Kind, *roles: str | None) -> st.SearchStrategy[list[Media]]:
    return GOOD_FACTS[kind].flatmap(
        lambda facts: st.sampled_from(
            [
                [Media(kind=kind, role=role, path=f"{kind}s[{index}]", facts=known) for index, role in enumerate(roles)]
                for known in (facts, None)
            ]
        )
    )


LIKELY_REQUEST = st.builds(
    Request,
    model=some(*(model.name for model in models.MODELS)),
    prompt=st.sampled_from(["a cat", "a cat --dur 5", "a cat --rs 480p", "a cat --seed 1 --wm true"]),
    duration=some(4, 5, 9, -1),
    seconds=some(5, "5"),
    resolution=some("480p", "720p", "1080p", "4k"),
    ratio=some("16:9", "1:1", "adaptive"),
    size=some("1280x720", "640x640"),
    images=st.just([])
    | likely_media(Kind.IMAGE, None)
    | likely_media(Kind.IMAGE, "first_frame", "last_frame")
    | likely_media(Kind.IMAGE, "reference", "reference"),
    videos=st.just([]) | likely_media(Kind.VIDEO, None),
    audios=st.just([]) | likely_media(Kind.AUDIO, None),
    seed=some(0, 7),
    generate_audio=some(False, True),
    camera_fixed=some(False, True),
    watermark=some(False, True),
    return_last_frame=some(False, True),
    draft=some(False, True),
    service_tier=some("default", "flex"),
    frames=some(29, 57),
    task_type=some("auto", "reference", "edit", "extend"),
)

# Few fields at a time, or hardly any request would be accepted.
SPARSE_REQUEST = st.tuples(LIKELY_REQUEST, st.sets(st.sampled_from(Request.__struct_fields__), max_size=4)).map(
    lambda pair: Request(
        **{"prompt": "a cat", "model": pair[0].model} | {name: getattr(pair[0], name) for name in pair[1]}
    )
)


@given(ANY_REQUEST, DAYS)
def test_the_check_answers_anything(request: Request, today: date) -> None:
    look_at(check(request, today=today), today)


@given(LIKELY_REQUEST | SPARSE_REQUEST, DAYS)
def test_the_check_answers_the_likely(request: Request, today: date) -> None:
    look_at(check(request, today=today), today)


@given(SPARSE_REQUEST, SPARSE_REQUEST, DAYS)
def test_the_check_answers_final_takes(first: Request, second: Request, today: date) -> None:
    draft = check(msgspec.structs.replace(first, model="seedance-2.5", draft=True), today=today)
    if isinstance(draft, Accepted):
        look_at(check(msgspec.structs.replace(second, final_of=draft.order), today=today), today)
        look_at(check(Request(final_of=draft.order), today=today), today)


def look_at(result: Accepted | list[Problem], today: date) -> None:
    msgspec.json.encode(result)
    event(type(result).__name__)
    if not isinstance(result, Accepted):
        assert result
        for problem in result:
            assert problem.code in Code
            assert problem.path.isascii()
            assert problem.path != "prompt" or problem.value is None
        return
    assert flags.parse(result.prompt).sources == {}
    keeps_to_the_model(result.order, today)


def keeps_to_the_model(order: Order, today: date) -> None:
    model = models.find(order.model)
    assert model
    assert model.state(today) != "retired"
    can = model.capabilities
    assert order.width > 0
    assert order.height > 0
    assert order.width % 2 == order.height % 2 == 0
    assert (order.width, order.height) in model.pixels[order.resolution].values()
    assert can.frames is not None if order.frames is not None else can.duration.take(order.duration)
    assert 0 < order.seconds <= can.duration.most + Fraction(1, 24)
    assert -1 <= order.seed < 2**31
    assert order.service_tier in can.service_tiers
    assert order.task_type in can.task_types
    assert order.generate_audio <= can.audio
    assert order.camera_fixed <= can.camera_fixed
    assert order.input_video_seconds == 0 or model.limits.video
    if order.mode is Mode.FINAL:
        assert can.draft
        assert order.resolution in can.draft.final_resolutions
        assert not order.draft
    else:
        rules = model.rules(order.mode)
        assert rules
        assert order.ratio in rules.ratios
        assert order.resolution in rules.resolutions
        assert order.camera_fixed <= rules.camera_fixed
        assert not order.draft or order.resolution == "480p"
    assert order.task_type is not TaskType.EDIT or (order.duration, order.ratio) == (-1, "adaptive")
    estimate = tokens.estimate(order)
    assert 0 < estimate.expected <= estimate.most
    round_trip = msgspec.json.decode(msgspec.json.encode(order), type=Order)
    assert round_trip == order
