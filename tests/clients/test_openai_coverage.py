"""What the documents say of OpenAI's Videos API is so: every method of the installed client answers as they say."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import openai
import pytest
from openai import OpenAI
from openai.resources.videos import Videos
from openai.types.video_download_content_params import VideoDownloadContentParams

from seedance_api.api.openapi import document
from seedance_api.api.routes import ROUTES
from stage import Service

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")
ROOT = Path(__file__).parents[2]
SERVED = "served"
UNSERVED = {"method": "404 not_found", "variant": "400 invalid_request"}
"""What `docs/api.md` says is answered to a method, and to a variant of a download, that is not served."""

METHODS = {name for name, one in vars(Videos).items() if inspect.isfunction(one) and not name.startswith("_")}
VARIANTS = set(get_args(get_type_hints(VideoDownloadContentParams)["variant"]))
IN_WORDS = {
    "create": {"create", "create_and_poll"},
    "retrieve": {"retrieve", "poll"},
    "list": {"list"},
    "delete": {"delete"},
    "download": {"download_content", "video", "thumbnail"},
    "remixes": {"remix"},
    "edits": {"edit"},
    "extensions": {"extend"},
    "characters": {"create_character", "get_character"},
    "spritesheets": {"spritesheet"},
}
"""The words of the README and of the reference for the methods and variants."""


def said_in_the_guide() -> dict[str, str]:
    """What the table of `docs/api.md` says of each method and variant."""
    section = (ROOT / "docs/api.md").read_text().split("\n## OpenAI's client\n")[1]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    cells = [(cell, outcome) for line in lines for cell, outcome in zip(line, (True, False), strict=True)]
    names = [(name, served) for cell, served in cells for name in re.findall(r"`([\w.]+)`", cell)]
    told = {name.removeprefix("videos."): served for name, served in names}
    assert len(told) == len(names), "each stands once"
    return {name: SERVED if served else UNSERVED["variant" if name in VARIANTS else "method"]
            for name, served in told.items()}  # fmt: skip


def outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except openai.APIStatusError as error:
        return f"{error.status_code} {error.code}"
    return SERVED


def test_each_method_of_openais_client_answers_as_the_guide_says(service: Service) -> None:
    with OpenAI(api_key=service.key, base_url=f"{service.url}/v1", max_retries=0) as client:
        videos = client.videos
        wish: Any = {"prompt": "A lighthouse", "seconds": "4", "extra_body": {"resolution": "480p"}}
        made = videos.create_and_poll(**wish, poll_interval_ms=200)
        calls: dict[str, Callable[[], Any]] = {
            "create": lambda: client.post(f"/videos/{videos.create(**wish).id}/cancel", cast_to=object),
            "create_and_poll": lambda: made,
            "poll": lambda: videos.poll(made.id),
            "retrieve": lambda: videos.retrieve(made.id),
            "list": lambda: videos.list(limit=1),
            "download_content": lambda: videos.download_content(made.id),
            "remix": lambda: videos.remix(made.id, prompt="At night"),
            "edit": lambda: videos.edit(prompt="At night", video=b"a film"),
            "extend": lambda: videos.extend(prompt="At night", seconds="4", video=b"a film"),
            "create_character": lambda: videos.create_character(name="Ann", video=b"a film"),
            "get_character": lambda: videos.get_character("char_1"),
        }
        variants: Any = {name: lambda name=name: videos.download_content(made.id, variant=name) for name in VARIANTS}
        last = {"delete": lambda: videos.delete(made.id)}
        assert set(calls | last) == METHODS
        answered = {name: outcome(call) for name, call in (calls | variants | last).items()}
    assert answered == said_in_the_guide()


README = (ROOT / "README.md").read_text().split("\n\n")[1]


@pytest.mark.parametrize(
    "sentence", [README, document(tuple(ROUTES))["info"]["description"]], ids=["README.md", "/docs"]
)
def test_the_short_descriptions_say_the_same(sentence: str) -> None:
    found = re.search(r"OpenAI's Videos API\W+(?:it serves )?(.*?)[;,] (?:no|not) (.*?)[):]", sentence, re.DOTALL)
    assert found is not None
    words = [re.findall(r"\w+", part.replace(" and ", " ").replace(" or ", " ")) for part in found.groups()]
    served, unserved = ({name for word in half for name in IN_WORDS[word]} for half in words)
    guide = said_in_the_guide()
    assert served == {name for name, what in guide.items() if what == SERVED}
    assert unserved == set(guide) - served
