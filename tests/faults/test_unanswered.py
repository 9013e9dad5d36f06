"""F09 for a crowd: twenty creates of one account lose their answers in one moment, and half of them were made. Each
video goes to who ordered it, what was not made is made, and each is charged for its own."""

import json

from faults.outcome import paid
from faults.upstream import CROWD, Live
from security.attack import rows
from stage import until

COUNT = 20


def test_of_twenty_unanswered_creates_each_finds_its_own(live: Live) -> None:
    prompts = [
        live.fault("create", {"reset": True, "made": number % 2 == 0}, times=1) + f" crowd. {number}"
        for number in range(COUNT)
    ]
    live.fakes[0].faults({"on": "callback", "match": {"prompt": "crowd."}, "do": {"none": True}})
    videos: list[str] = []
    for number, prompt in enumerate(prompts):
        videos.append(live.create(prompt, model=CROWD, duration=4 + number % 5))

    def settled() -> bool:
        """Every create was sent; those that were not made wait for the list to be sure."""
        live.reopen("crowd", forget=True)
        live.hurry(*videos)
        sent = [len(live.creates(prompt)) for prompt in prompts]
        found = rows(
            live.url,
            """
            SELECT count(*) FILTER (WHERE operation IS NOT NULL) AS made,
                count(*) FILTER (WHERE state = 'unknown') AS unknown
            FROM attempt WHERE generation_id = ANY ($1)
            """,
            videos,
        )[0]
        return all(sent) and found["made"] >= COUNT // 2 and found["unknown"] == COUNT - COUNT // 2

    until(settled, 60)
    for video in videos:
        live.age(video)
    for number, found in enumerate(live.ends(*videos, hurried=True)):
        paid(found)
        (made,) = [one for one in found.attempts if one["state"] == "succeeded"]
        assert json.loads(made["operation"])["id"] in {one["task_id"] for one in live.creates(prompts[number])}
        assert len(live.creates(prompts[number])) == 1 + number % 2
        assert round(json.loads(found.row["output"])["seconds"]) == 4 + number % 5
