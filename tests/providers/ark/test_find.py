"""Whether a task is the one that an attempt without an answer has made: what each field says, and all together."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.ark.kit import CUSTOMER, commission, order, replaced, search
from seedance_api.catalog.order import Mode, Order
from seedance_api.providers.ark.match import Match, Sought, match, sought
from seedance_api.providers.ark.note import write_note
from seedance_api.providers.ark.read import Task, read_task
from seedance_api.providers.ark.write import expires_after

NOW = 1_780_000_000
PRO, M25 = "seedance-1.0-pro", "seedance-2.5"
IDS = ("dreamina-seedance-2-0-mini-260615",)


def like(of: Order | None = None, **changes) -> Sought:
    """A search for a commission that was sent 200 seconds ago."""
    sent = datetime.fromtimestamp(NOW - 200, UTC)
    return sought(search(commission(of=of), sent_at=sent, **changes), IDS)


def task(**fields) -> Task:
    """The task of that commission, as the list tells of it while it waits."""
    base = {
        "id": "cgt-20261003224324-vdy12", "model": IDS[0], "customer": CUSTOMER, "created_at": NOW - 190,
        "expires_after": expires_after(17, 21_600), "service_tier": "default",
    }  # fmt: skip
    return Task(**(base | fields))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, Match.YES),
        # its name: another's, or not told
        ({"customer": "d" * 64}, Match.NO),
        ({"customer": None}, Match.PERHAPS),
        ({"expires_after": expires_after(18, 21_600)}, Match.NO),
        ({"expires_after": None}, Match.PERHAPS),
        ({"model": "dreamina-seedance-2-0-260128"}, Match.NO),
        ({"model": None}, Match.PERHAPS),
        ({"model": "ep-20260101000000-abcde"}, Match.PERHAPS),
        ({"created_at": NOW - 330}, Match.NO),
        ({"created_at": NOW - 310}, Match.YES),
        ({"created_at": NOW + 130}, Match.NO),
        ({"created_at": None}, Match.PERHAPS),
        ({"service_tier": "flex"}, Match.NO),
        ({"service_tier": None}, Match.YES),
        # what was ordered: told after its end only
        ({"resolution": "480P", "duration": 5, "generate_audio": True, "draft": False}, Match.YES),
        ({"resolution": "720p"}, Match.PERHAPS),
        ({"duration": 8}, Match.PERHAPS),
        ({"ratio": "16:9"}, Match.YES),  # it was left to the model
        ({"generate_audio": False}, Match.PERHAPS),
        ({"draft": True}, Match.PERHAPS),
        ({"seed": 4711}, Match.YES),  # nobody asked for one
        # both at once
        ({"customer": "d" * 64, "resolution": "720p"}, Match.NO),
        ({"customer": None, "expires_after": 3600}, Match.NO),
    ],
)
def test_what_each_field_says(fields, wanted):
    assert match(task(**fields), like()) is wanted


def test_what_was_asked_for_in_so_many_words_is_compared():
    of = order(model=PRO, resolution="480p", ratio="9:16", seed=7, frames=29)
    asked = like(of)
    mine = task(model="seedance-1-0-pro-250528", ratio="9:16", seed=7, frames=29, resolution="480p")
    assert match(mine, asked) is Match.YES
    for wrong in ({"ratio": "16:9"}, {"seed": 8}, {"frames": 33}):
        assert match(msgspec.structs.replace(mine, **wrong), asked) is Match.PERHAPS, wrong


def test_a_final_take_is_that_of_its_own_draft():
    of = replaced(order(model=M25, resolution="480p", draft=True), mode=Mode.FINAL, resolution="1080p", draft=False)
    note = write_note("cgt-20261003224324-draft", tier="default", model=None, at=None)
    asked = like(of, draft=note)
    mine = task(model="dreamina-seedance-2-5-260628", resolution="1080p", duration=11, seed=3, ratio="5:4")
    assert match(mine, asked) is Match.YES
    assert match(msgspec.structs.replace(mine, draft_task="cgt-20261003224324-draft"), asked) is Match.YES
    assert match(msgspec.structs.replace(mine, draft_task="cgt-20261003224324-other"), asked) is Match.NO


def test_what_belongs_to_another_attempt_is_not_ours():
    assert match(task(), like(others=frozenset({task().id}))) is Match.NO


def test_without_a_nonce_no_task_is_surely_ours():
    """An attempt that an older version sent, with a number that another one has as well."""
    assert match(task(), like(nonce=None)) is Match.PERHAPS


def test_the_fields_are_read_where_the_vendor_has_them():
    said = {"id": "cgt-1", "generate_audio": True, "draft": False, "draft_task_id": "cgt-2"}
    read = read_task(said)
    assert read is not None
    assert (read.generate_audio, read.draft, read.draft_task) == (True, False, "cgt-2")
    odd = read_task({"id": "cgt-1", "generate_audio": "yes", "draft": 1, "draft_task_id": {}})
    assert odd is not None
    assert (odd.generate_audio, odd.draft, odd.draft_task) == (None, None, None)


FIELDS = {
    "customer": st.sampled_from([None, CUSTOMER, "d" * 64]),
    "expires_after": st.sampled_from([None, *(expires_after(nonce, 21_600) for nonce in (16, 17, 18))]),
    "model": st.sampled_from([None, IDS[0], "dreamina-seedance-2-0-260128", "ep-1"]),
    "created_at": st.sampled_from([None, NOW - 1000, NOW - 190, NOW, NOW + 1000]),
    "service_tier": st.sampled_from([None, "default", "flex"]),
    "resolution": st.sampled_from([None, "480p", "720p"]),
    "duration": st.sampled_from([None, 5, 8]),
    "draft": st.sampled_from([None, True, False]),
}


@given(st.fixed_dictionaries(FIELDS), st.sampled_from(sorted(FIELDS)), st.data())
def test_what_is_ours_says_nothing_against_it_and_less_said_is_never_surer(fields, name, data):
    said = match(task(**fields), like())
    if said is Match.YES:
        assert (fields["customer"], fields["expires_after"]) == (CUSTOMER, expires_after(17, 21_600))
        assert fields["resolution"] in (None, "480p")
        assert fields["duration"] in (None, 5)
        assert not fields["draft"]
    if name in ("customer", "expires_after", "model", "created_at"):
        assert match(task(**(fields | {name: None})), like()) is not Match.YES
    # two nonces are never both right
    nonces = data.draw(st.lists(st.integers(0, 3599), min_size=2, max_size=2, unique=True))
    answers = [match(task(**fields), like(nonce=nonce)) for nonce in nonces]
    assert answers.count(Match.YES) <= 1
