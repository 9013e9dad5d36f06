"""Two renders that start at the same moment in a fresh process. One that waits for itself would wait for ever."""

import subprocess
import sys
from pathlib import Path

STORY = """
import asyncio, sys
from pathlib import Path
from seedance_api.providers.sandbox.workroom import Workroom

async def story():
    for turn in range(20):
        workroom = Workroom(Path(sys.argv[1]), f"owner-{turn}")
        rooms = await asyncio.gather(*(workroom.make_room(f"att_{n}") for n in range(4)))
        assert len({room for room in rooms if room.is_dir()}) == 4
        await workroom.close()

asyncio.run(story())
"""


def test_the_first_rooms_of_a_process_can_be_made_at_the_same_time(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", STORY, str(tmp_path)], timeout=20, check=True)
