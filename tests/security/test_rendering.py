"""A stored file is never rendered by a browser, whatever stands in it: it is saved, or nothing happens."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from security.attack import log, rows
from stage import Service, finished

SCRIPT = "<html><body><script>document.title='c4n4ry'; document.body.append('r4n')</script></body></html>"
CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_video_with_a_page_inside_is_not_rendered(service: Service, tmp_path: Path) -> None:
    with service.client() as client:
        made = client.post("/v1/videos", json={"prompt": "A pond", "duration": 4, "resolution": "480p"}).json()
        video = finished(client, made["id"])["id"]
        (row,) = rows(
            service.database_url,
            """
            UPDATE asset SET bytes = $2, sha256 = $3 WHERE generation_id = $1 AND variant = 'video' RETURNING object_key
            """,
            video,
            len(SCRIPT),
            hashlib.sha256(SCRIPT.encode()).hexdigest(),
        )
        (service.folder / "data" / "objects" / row["object_key"]).write_text(SCRIPT)
        link = client.post(f"/v1/videos/{video}/links").json()["url"]
        assert client.get(link).text == SCRIPT
    page = tmp_path / "page.html"
    page.write_text(SCRIPT)
    if "r4n" not in shown(f"file://{page}", tmp_path):  # what it would be, were it rendered
        pytest.skip("chromium shows nothing here")
    assert "r4n" not in shown(link, tmp_path)
    assert link.rsplit("/", 1)[1] not in log(service)


def shown(url: str, folder: Path) -> str:
    """What a browser makes of an address."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
               "--virtual-time-budget=2000", "--dump-dom", url]  # fmt: skip
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).stdout.decode()
    except subprocess.TimeoutExpired as error:  # with nothing to show, it may wait for ever
        return (error.stdout or b"").decode()
