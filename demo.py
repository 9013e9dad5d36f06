"""`make demo`: start the service on its embedded defaults, make a first video through the API, save demo.mp4, stop."""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from seedance import Seedance, Video

PROMPT = "A lighthouse above a calm sea at dusk, the camera drifts closer, gulls in the last light"
OUTPUT = Path("demo.mp4")
say = Console(highlight=False)


def main() -> None:
    """The demonstration, step by step."""
    with tempfile.TemporaryDirectory(prefix="seedance-demo-") as name:
        folder = Path(name)
        picture = paint(folder / "lighthouse.png")
        say.print("[bold]1[/]  Starting the service: embedded PostgreSQL, a local folder, the sandbox provider")
        with service(folder / "data") as url:
            say.print(f"   It listens on {url}")
            say.print("[bold]2[/]  Making an account and a test key")
            key = operator(folder / "data", "key", "create", "--account", account(folder / "data"))["key"]
            with Seedance(api_key=key, base_url=url) as client:
                say.print("[bold]3[/]  Creating a video from a prompt and a picture")
                video = client.videos.create(PROMPT, images=[picture], resolution="720p", duration=5, seed=11)
                video = follow(client, video)
                say.print("[bold]4[/]  Downloading it")
                saved = client.videos.download(video, OUTPUT)
                found = client.verify(OUTPUT)
                if not (found.ours and found.integrity == "untouched"):
                    raise SystemExit(f"demo: {OUTPUT} is not marked: {found.message}")
        say.print("[bold]5[/]  Stopped the service")
    tokens = video.usage.total_tokens if video.usage else 0
    sound = "with sound" if video.generate_audio else "no sound"
    say.print(
        f"\n[green]{OUTPUT}[/]: {video.size}, {video.seconds} s, 24 fps, {sound},"
        f" {saved.bytes / 1e6:.1f} MB; {tokens:,} video tokens, for nothing: a test key uses the sandbox."
        f"\nIt carries Content Credentials, signed by {found.signed_by}, that say: {found.source_type}, {found.model}."
        "\nIt is a preview drawn on this machine's processor, not the work of an AI model. Next: make serve"
    )


@contextmanager
def service(data: Path) -> Generator[str]:
    """A running service on a free port; its address."""
    command = [sys.executable, "-m", "seedance_api", "serve", "--port", "0", "--data-dir", str(data), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"SEEDANCE_LOG_LEVEL": "warning"})
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("demo: the service did not start")
        yield json.loads(line)["url"]
    finally:
        process.terminate()
        process.wait(60)


def account(data: Path) -> str:
    """A new account's address."""
    return operator(data, "account", "create", "demo@example.org")["email"]


def operator(data: Path, *arguments: str) -> dict[str, Any]:
    """Run one of the operator's commands."""
    command = [sys.executable, "-m", "seedance_api", *arguments, "--data-dir", str(data), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def follow(client: Seedance, video: Video) -> Video:
    """Show the progress until the video is finished."""
    columns = (
        TextColumn("   {task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=say) as bar:
        task = bar.add_task(video.status, total=100)

        def show(now: Video) -> None:
            bar.update(task, completed=now.progress, description=now.status.replace("_", " "))

        return client.videos.wait(video, timeout=300, on_change=show)


def paint(path: Path) -> Path:
    """A picture to start from: dusk, a sea, a lighthouse."""
    width, height = 1280, 720
    sky = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(sky)
    for y in range(height):
        share = y / height
        glow = math.exp(-(((share - 0.6) * 5) ** 2))
        draw.line(
            [(0, y), (width, y)], fill=(int(28 + 200 * glow), int(38 + 90 * glow), int(84 + 40 * glow - 30 * share))
        )
    draw.ellipse((850, 330, 950, 430), fill=(255, 214, 150))
    sky = sky.filter(ImageFilter.GaussianBlur(6))
    draw = ImageDraw.Draw(sky)
    for y in range(432, height):
        shade = (y - 432) / (height - 432)
        draw.line([(0, y), (width, y)], fill=(int(70 - 50 * shade), int(66 - 36 * shade), int(96 - 40 * shade)))
    for step in range(26):
        half = 60 - step * 1.6 + 14 * math.sin(step * 1.7)
        draw.line([(900 - half, 440 + step * 9), (900 + half, 440 + step * 9)], fill=(238, 180, 130), width=3)
    draw.polygon([(0, 560), (180, 470), (420, 520), (560, 600), (640, 720), (0, 720)], fill=(20, 22, 34))
    draw.polygon([(262, 488), (318, 488), (308, 262), (272, 262)], fill=(226, 222, 214))
    draw.rectangle((264, 236, 316, 262), fill=(60, 50, 58))
    draw.rectangle((276, 210, 304, 236), fill=(255, 232, 170))
    draw.polygon([(270, 210), (310, 210), (290, 186)], fill=(150, 50, 48))
    sky.save(path)
    return path


if __name__ == "__main__":
    main()
