"""The body of a create: for every model and mode just what it takes, and that explicitly."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.ark.kit import CUSTOMER, commission, model_of, order, replaced
from seedance_api.catalog.models import MODELS
from seedance_api.catalog.order import Kind, Mode, Role, TaskType
from seedance_api.catalog.request import Media
from seedance_api.providers.ark.write import MAX_EXPIRES, draft_item, expires_after, nonce_of, write_body
from seedance_api.providers.provider import NONCES

M25, M20, M15, PRO, LITE = (
    "seedance-2.5",
    "seedance-2.0",
    "seedance-1.5-pro",
    "seedance-1.0-pro",
    "seedance-1.0-lite",
)
IMAGE = {"type": "image_url", "image_url": {"url": "https://x/i"}}
EVERYWHERE = {"model", "content", "watermark", "execution_expires_after", "safety_identifier"}

# What each takes beyond that (ModelArk 1520757), written down apart from the program's own table.
TAKES = {
    M25: {
        *("resolution", "ratio", "duration", "generate_audio", "return_last_frame", "draft", "callback_url"),
        "omni_reference_task_type",
    },
    M20: {"resolution", "ratio", "duration", "generate_audio", "seed", "return_last_frame", "callback_url"},
    M15: {
        *("resolution", "ratio", "duration", "generate_audio", "seed", "return_last_frame", "callback_url"),
        *("draft", "camera_fixed", "service_tier"),
    },
    PRO: {
        *("resolution", "ratio", "duration", "frames", "seed", "return_last_frame", "callback_url"),
        *("camera_fixed", "service_tier"),
    },
}
TAKES |= {"seedance-2.0-fast": TAKES[M20], "seedance-2.0-mini": TAKES[M20], "seedance-1.0-pro-fast": TAKES[PRO]}
TAKES |= {LITE: TAKES[PRO]}


def pictures(*roles: str | None) -> list[Media]:
    return [Media(kind=Kind.IMAGE, role=role, path=f"images[{number}]") for number, role in enumerate(roles)]


MEDIA = {
    Mode.TEXT: [],
    Mode.FIRST_FRAME: pictures("first_frame"),
    Mode.FIRST_LAST: pictures("first_frame", "last_frame"),
    Mode.REFERENCE: pictures("reference"),
}


def body_of(media=(), **fields):
    """The body for what the catalogue makes of a request."""
    of = order(**fields)
    made = commission(of=of, callback_url="https://api.example/callbacks/1")
    return write_body(made, list(media), model_of(of.model), "vendor-id")


CASES = [
    pytest.param(model.name, rules.mode, id=f"{model.name} {rules.mode}")
    for model, mode in itertools.product(MODELS, MEDIA)
    if (rules := model.rules(mode)) is not None
]


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_model_is_sent_what_it_takes_and_nothing_else(name, mode):
    """With every parameter asked for that the catalogue lets through."""
    model = model_of(name)
    takes, rules = model.capabilities, model.rules(mode)
    assert rules is not None
    asked = {"seed": 7, "watermark": True, "return_last_frame": True, "service_tier": takes.service_tiers[-1]}
    if rules.camera_fixed:
        asked["camera_fixed"] = True
    body = body_of(model=name, images=MEDIA[mode], media=[IMAGE] * len(MEDIA[mode]), **asked)
    sent = set(body) - EVERYWHERE
    assert sent <= TAKES[name]
    assert body["model"] == "vendor-id"
    assert body["safety_identifier"] == CUSTOMER
    assert body["watermark"] is True
    assert body["callback_url"] == "https://api.example/callbacks/1"
    must = {"resolution", "return_last_frame", "duration"} | ({"generate_audio", "service_tier", "seed"} & TAKES[name])
    if name != M25 or mode is Mode.TEXT:
        must |= {"ratio"}
    if rules.camera_fixed:
        must |= {"camera_fixed"}
    assert must <= sent
    assert not [name for name, value in body.items() if value is None]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": M20}, {"ratio": "adaptive", "duration": 5, "generate_audio": True, "watermark": False}),
        ({"model": M20, "duration": -1, "ratio": "21:9"}, {"duration": -1, "ratio": "21:9"}),
        ({"model": M20, "seed": 0}, {"seed": 0}),
        ({"model": M20, "seed": 2**31 - 1}, {"seed": 2**31 - 1}),
        ({"model": M25, "duration": 30, "ratio": "1:1"}, {"duration": 30, "ratio": "1:1"}),
        ({"model": M25}, {"ratio": "adaptive", "duration": -1}),
        ({"model": M25, "draft": True}, {"draft": True, "resolution": "480p"}),
        ({"model": M15, "draft": True}, {"draft": True, "resolution": "480p", "service_tier": "default"}),
        ({"model": M15, "service_tier": "flex", "generate_audio": False}, {"service_tier": "flex"}),
        ({"model": PRO, "frames": 57}, {"frames": 57, "ratio": "16:9"}),
        ({"model": PRO, "duration": 12}, {"duration": 12, "service_tier": "default"}),
    ],
)
def test_values_are_the_orders(fields, expected):
    body = body_of(**({"resolution": "480p"} | fields))
    assert {key: body.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("fields", "absent"),
    [
        ({"model": M20}, {"seed", "camera_fixed", "draft", "frames", "return_last_frame", "service_tier"}),
        ({"model": M25, "seed": 7}, {"seed", "camera_fixed", "service_tier", "omni_reference_task_type"}),
        ({"model": PRO}, {"generate_audio", "draft", "camera_fixed"}),
        ({"model": PRO, "frames": 57}, {"duration"}),
    ],
)
def test_what_was_not_asked_for_or_is_not_taken_is_absent(fields, absent):
    assert not absent & set(body_of(**({"resolution": "480p"} | fields)))


@pytest.mark.parametrize(
    ("task_type", "asked", "sent"),
    [
        (None, {}, {"duration": -1}),
        (None, {"ratio": "16:9", "duration": 4}, {"duration": 4, "ratio": "16:9"}),
        ("reference", {"duration": 9}, {"duration": 9, "omni_reference_task_type": "reference"}),
        ("edit", {}, {"omni_reference_task_type": "edit"}),
        ("extend", {"duration": 6}, {"duration": 6, "omni_reference_task_type": "extend"}),
    ],
)
def test_seedance_2_5_says_what_is_to_be_done_and_never_contradicts_it(task_type, asked, sent):
    clip = [Media(kind=Kind.VIDEO, path="videos[0]")]
    body = body_of(model=M25, videos=clip, task_type=task_type, **asked)
    about = ("duration", "ratio", "omni_reference_task_type")
    assert {key: body[key] for key in about if key in body} == sent


def test_frames_on_2_5_follow_the_picture():
    assert "ratio" not in body_of(model=M25, images=MEDIA[Mode.FIRST_FRAME], media=[IMAGE])


def test_the_prompt_comes_first_and_an_empty_one_not_at_all():
    made = commission(prompt="a lake")
    model = model_of(made.order.model)
    assert write_body(made, [IMAGE], model, "x")["content"] == [{"type": "text", "text": "a lake"}, IMAGE]
    empty = commission(prompt=" \n")
    assert write_body(empty, [IMAGE], model, "x")["content"] == [IMAGE]


@pytest.mark.parametrize(("name", "extra"), [(M25, set()), (M15, {"service_tier"})])
def test_a_final_take_repeats_nothing_of_its_draft(name, extra):
    draft = order(model=name, draft=True, seed=5)
    final = replaced(
        draft, mode=Mode.FINAL, draft=False, resolution="1080p", return_last_frame=True, task_type=TaskType.AUTO
    )
    made = commission(of=final, prompt="the draft's prompt", callback_url="https://api.example/c")
    body = write_body(made, [draft_item("cgt-1")], model_of(name), "vendor-id")
    assert body["content"] == [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}]
    allowed = {"resolution", "return_last_frame", "callback_url"} | extra
    assert set(body) == EVERYWHERE | allowed
    assert body["resolution"] == "1080p"


def test_a_1_5_draft_has_no_last_frame():
    of = replaced(order(model=M15, draft=True), return_last_frame=True)
    assert "return_last_frame" not in write_body(commission(of=of), [], model_of(M15), "x")


LEFT = st.floats(-1e9, 1e9)
NONCE = st.integers(0, NONCES - 1)


@given(NONCE, LEFT)
def test_the_expiry_is_within_the_vendors_bounds_and_not_long_after_the_deadline(nonce, seconds_left):
    seconds = expires_after(nonce, seconds_left)
    assert 3600 <= seconds < MAX_EXPIRES
    if 3600 <= seconds_left <= MAX_EXPIRES - NONCES:
        assert 0 <= seconds - int(seconds_left) < NONCES


@given(NONCE, LEFT, NONCE, LEFT)
def test_expiries_of_different_nonces_differ_whatever_their_deadlines(nonce, seconds_left, other, others_left):
    assert nonce_of(expires_after(nonce, seconds_left)) == nonce
    alike = expires_after(nonce, seconds_left) == expires_after(other, others_left)
    assert not alike or nonce == other


def test_roles_are_whole():
    assert {role.value for role in Role} == {"first_frame", "last_frame", "reference"}
