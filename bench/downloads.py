"""Downloads: `/v1/videos/{id}/content` against nginx with the same file, and the memory that many of them take."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.figures import Figure, ratios, take_turns
from bench.memory import Watch, api_process, resident
from bench.seed import write_completed, write_file
from bench.stage import Ground, Server, Stage, clean_environment, free_port, tool
from seedance_api.foundation.db import Database

_LARGE, _SMALL = 50_000_000, 10_000_000
_PARALLEL = 8

_NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def measure(stage: Stage) -> list[Figure]:
    """The memory, from an idle server; then the rate against nginx."""
    nginx = tool("nginx")
    ground = stage.ground()
    paths = {size: asyncio.run(_put_video(ground, size)) for size in (_LARGE, _SMALL)}
    ours = stage.serve(ground)
    try:
        memory = _memory(stage, ground, ours, paths)
        nginx_url = _start_nginx(stage, nginx, ground.data / "objects")
        return [_rate(stage, ground, ours, paths[_LARGE], nginx_url), *memory]
    finally:
        ours.stop()


async def _put_video(ground: Ground, size: int) -> str:
    """The path of a finished video of this size."""
    file = ground.data / "objects" / "content" / f"{size}.mp4"
    write_file(file, size)
    db = await Database.connect(ground.url, max_connections=2)
    try:
        (one,) = await write_completed(db, ground, 1, file=file)
    finally:
        await db.close()
    return f"/v1/videos/{one}/content"


def _start_nginx(stage: Stage, nginx: str, root: Path) -> str:
    """The address of an nginx with one worker process and a configuration of its own."""
    folder = stage.folder / "nginx"
    folder.mkdir()
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, root=root, user=user))
    command = [nginx, "-c", str(config), "-e", str(folder / "error.log"), "-p", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    stage.until_left(process.wait, 10)
    stage.until_left(process.terminate)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return url  # it answers, and does not list folders
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nginx did not start")


def _rate(stage: Stage, ground: Ground, ours: Server, path: str, nginx: str) -> Figure:
    seconds = stage.seconds(4, 2)
    theirs = f"/content/{_LARGE}.mp4"

    def run(url: str, where: str) -> float:
        paths = ground.data / "one-path"
        paths.write_text(where + "\n")
        load = stage.wrk(url, ground.key, str(paths), connections=_PARALLEL, seconds=seconds)
        return load.bytes / load.seconds / 1e6

    stage.say(f"downloads of {_LARGE // 1_000_000} MB over {_PARALLEL} connections, MB/s")
    run(ours.url, path)
    found = take_turns(stage.rounds, stage.say, ours=lambda: run(ours.url, path), nginx=lambda: run(nginx, theirs))
    return Figure(
        name="downloads over nginx",
        how=f"bytes a second of `/v1/videos/{{id}}/content` of {_LARGE // 1_000_000} MB over {_PARALLEL} connections, "
        "one API process, over nginx with one worker process and `sendfile on` serving the same file",
        values=ratios(found["ours"], found["nginx"]),
        sides=found,
        side_unit="MB/s",
        bar=0.5,
    )


def _memory(stage: Stage, ground: Ground, ours: Server, paths: dict[int, str]) -> list[Figure]:
    """Many downloads whose readers first do not read at all: what is sent ahead would stay in our memory."""
    count = 20 if stage.quick else 200
    process = api_process(ours)
    idle = resident(process)
    stage.say(f"{count} downloads at once, MiB of memory in use where {idle:.0f} were before")

    def run(size: int) -> float:
        command = [sys.executable, "-m", "bench.drain", ours.url + paths[size], ground.key, str(count), str(size), "1"]
        with Watch(process) as watch:
            done = subprocess.run(command, env=clean_environment(), timeout=200, check=False, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"a download came out short: {done.stderr.decode()[-500:]}")
        return watch.peak

    run(_SMALL)  # threads and buffers that are made once and kept
    found = take_turns(1 if stage.quick else 2, stage.say, large=lambda: run(_LARGE), small=lambda: run(_SMALL))
    return _memory_figures(count, idle, found["large"], found["small"])


def _memory_figures(count: int, idle: float, large: list[float], small: list[float]) -> list[Figure]:
    sizes = f"{_LARGE // 1_000_000} MB", f"{_SMALL // 1_000_000} MB"
    sides = {f"{count} of {sizes[0]}": large, f"{count} of {sizes[1]}": small}
    return [
        Figure(
            name=f"memory of {count} downloads, {sizes[0]} over {sizes[1]}",
            how=f"most resident memory of the API process during {count} downloads at once, of {sizes[0]} each over of "
            f"{sizes[1]} each; the readers begin to read after a second. Flat is 1: it does not depend on the size",
            values=ratios(large, small),
            sides=sides,
            side_unit="MiB",
            bar=1.1,
            is_minimum=False,
        ),
        Figure(
            name=f"memory added by {count} downloads",
            how=f"most resident memory of the API process during {count} downloads of {sizes[0]} at once "
            f"({count * _LARGE // 1_000_000:,} MB in all), less what it had before the first one",
            values=[one - idle for one in large],
            unit="MiB",
            sides={"idle": [idle]} | sides,
            side_unit="MiB",
        ),
    ]
