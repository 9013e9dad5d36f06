"""A final take is promised for a day: the upstream's copy of the draft, which it is made from, is there as long."""

from faults.kit import do
from faults.outcome import paid
from faults.upstream import DRAFTS, Live
from security.attack import refused, rows
from stage import until


def upstream_has(live: Live, task: str) -> bool:
    """Whether the upstream still knows a task."""
    return task in {one["id"] for one in live.fakes[0].tasks(limit=5000)}


def test_a_final_take_is_made_of_a_draft_whose_content_is_purged(live: Live) -> None:
    draft = live.create("a quick look", model=DRAFTS, draft=True)
    (found,) = live.ends(draft)
    paid(found)
    task = live.task("a quick look")
    # it was fetched, and its grace is over
    do(live.url, "UPDATE content SET purge_at = now() WHERE generation_id = $1", draft)
    gone = "SELECT 1 FROM content WHERE generation_id = $1 AND cleared_at IS NOT NULL"
    until(lambda: rows(live.url, gone, draft), 30)
    waits = "SELECT 1 FROM pgqueuer WHERE entrypoint = 'tidy' AND convert_from(payload, 'UTF8') = $1"
    until(lambda: not rows(live.url, waits, draft), 30)
    with live.service.client() as client:
        seen = client.get(f"/v1/videos/{draft}").json()
        assert seen["draft_expires_at"] - seen["completed_at"] == 86_400
        assert client.get(f"/v1/videos/{draft}/content").status_code == 410
        kept = {one["what"]: one for one in client.get(f"/v1/videos/{draft}/receipt").json()["kept"]}
        assert "upstream_copy" in kept
        final = client.post("/v1/videos", json={"draft_id": draft})
        assert final.status_code == 200, final.text
        live.accepted.append(final.json()["id"])
        (taken,) = live.ends(final.json()["id"])
        paid(taken)
        assert upstream_has(live, task)

        # a day later
        do(live.url, "UPDATE generation SET draft_until = now() WHERE id = $1", draft)
        before = client.get("/v1/balance").json()
        for path in ("/v1/videos", "/v1/videos/quote"):
            refused(client.post(path, json={"draft_id": draft}), 410, code="draft_expired")
        assert client.get("/v1/balance").json() == before
        assert client.get(f"/v1/videos/{final.json()['id']}").json()["draft_expires_at"] is None
