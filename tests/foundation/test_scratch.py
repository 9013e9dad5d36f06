import subprocess
import sys
from pathlib import Path

from seedance_api.foundation.scratch import Scratch

LIVE = """
import sys
from pathlib import Path
from seedance_api.foundation.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch.path / "half").write_text("x")
print(scratch.path, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    living = Scratch(tmp_path)
    killed = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert killed.stdout is not None
    left = Path(killed.stdout.readline().decode().strip())
    second = Scratch(tmp_path)
    assert (left / "half").exists()
    killed.kill()
    killed.communicate()
    third = Scratch(tmp_path)
    assert not left.exists()
    assert living.path.exists()
    for one in (living, second, third):
        one.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_folders_that_are_not_ours_stay(tmp_path: Path) -> None:
    """A data folder that was given wrongly may have a `scratch` of somebody else's."""
    theirs = tmp_path / "results" / "run.csv"
    theirs.parent.mkdir()
    theirs.write_text("x")
    Scratch(tmp_path).close()
    assert theirs.read_text() == "x"
