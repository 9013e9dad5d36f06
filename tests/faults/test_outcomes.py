"""Every magic value's outcome, and cancel, delete and deadline in every state."""

from collections.abc import Callable, Iterator

import pytest

from faults.kit import FINAL, consistent, create, do, gate, outcome, reaches, state_of
from security.attack import refused
from seedance_api.providers.sandbox.magic import SPELLS
from stage import Service, finished, fresh_database

OUTCOMES = {
    "fail": ("failed", "provider_failed"),
    "input_moderated": ("failed", "input_moderated"),
    "output_moderated": ("failed", "output_moderated"),
    "overloaded": ("completed", None),
    "unclear": ("completed", None),
    "slow=2": ("completed", None),
    "vanish": ("failed", "provider_lost"),
    "broken": ("failed", "output_invalid"),
    "stall": ("canceled", "canceled"),
    "fale": ("failed", "invalid_sandbox_value"),
}


def test_every_magic_value_has_its_outcome(start_service: Callable[..., Service]) -> None:
    assert {spell.split("=")[0] for spell in OUTCOMES} - {"fale"} == set(SPELLS)
    service = start_service(sandbox_slots="20")
    videos = {spell: create(service, f"[sandbox:{spell}]") for spell in OUTCOMES}
    with service.client() as client:
        reaches(service, videos["stall"], "running")
        assert client.post(f"/v1/videos/{videos['stall']}/cancel").status_code == 200
        for spell, video in videos.items():
            seen = finished(client, video, 120)
            assert (seen["status"], (seen["error"] or {}).get("code")) == OUTCOMES[spell], spell  # type: ignore[attr-defined]
            if seen["status"] != "completed":
                assert seen["usage"] is None
                refused(client.get(f"/v1/videos/{video}/content"), 404, code="not_ready")
    consistent(service, collect_first=True)


STATES = {
    # a kill point that keeps it there, or a spell that does
    "queued": ("generation queued>submitting", "[sandbox:stall]"),  # however late the cancel comes, it is not done yet
    "submitting": ("", "[sandbox:overloaded]"),
    "running": ("", "[sandbox:stall]"),
    "storing": ("generation storing>completed", ""),
}


@pytest.fixture(scope="module")
def calm(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service where one video after the other is made, and nothing else."""
    with fresh_database(postgres) as url:
        service = Service(url, tmp_path_factory.mktemp("calm"))
        yield service
        service.stop()


@pytest.mark.parametrize("state", STATES)
def test_cancel_and_delete_in_each_state(calm: Service, state: str) -> None:
    point, spell = STATES[state]
    with gate(calm) as held, calm.client() as client:
        video = create(calm, spell or "A pond", metadata={"pause": point})
        reaches(calm, video, state)
        if point:
            held.wait_for(1)
        refused(client.delete(f"/v1/videos/{video}"), 409, code="not_finished")
        held.open()  # the row is locked by the step that waits, so the cancel comes right behind it
        assert client.post(f"/v1/videos/{video}/cancel").status_code in (200, 409)
        finished(client, video)
        assert outcome(calm, video) == (("completed", None) if state == "storing" else ("canceled", "canceled"))
        refused(client.post(f"/v1/videos/{video}/cancel"), 409, code="not_cancelable")
        consistent(calm, collect_first=True)
        assert client.delete(f"/v1/videos/{video}").json()["deleted"]
        refused(client.get(f"/v1/videos/{video}"), 404)
        refused(client.delete(f"/v1/videos/{video}"), 404)
        refused(client.get(f"/v1/videos/{video}/content"), 410, code="content_gone")
    consistent(calm, collect_first=True)


OVERDUE = "UPDATE generation SET deadline_at = now(), due_at = least(due_at, now())"


def test_a_deadline_ends_what_is_unfinished(start_service: Callable[..., Service]) -> None:
    service = start_service(sandbox_slots="4")
    running = create(service, "[sandbox:stall]")
    submitting = create(service, "[sandbox:overloaded] late")
    storing = create(service, "[sandbox:broken]")
    queued = create(service, "waits")
    reaches(service, running, "running")
    reaches(service, submitting, "submitting")
    do(service.database_url, f"{OVERDUE} WHERE id <> $1", storing)
    reaches(service, storing, "storing")
    do(service.database_url, f"{OVERDUE} WHERE id = $1", storing)
    for video, codes in {
        running: {"deadline_exceeded"},
        submitting: {"provider_overloaded", "deadline_exceeded"},
        storing: {"output_invalid"},
        queued: {"deadline_exceeded", None},  # it may have had its turn before the sweep came
    }.items():
        reaches(service, video, *FINAL, seconds=60)
        assert outcome(service, video)[1] in codes, state_of(service, video)
    consistent(service, collect_first=True)
