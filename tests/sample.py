"""Sweeps: what never changes is tried in every run, of the rest a sample by the run's seed, and under `--soak` all."""

import random
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import hypothesis
import pytest

T = TypeVar("T")


class Sample:
    """How much of its cases a test tries in this run, and which."""

    def __init__(self, seed: str, *, soak: bool) -> None:
        self.chance = random.Random(seed)
        self._soak = soak

    def rounds(self, whole: int, sampled: int) -> int:
        """How many rounds of what is another each time."""
        return whole if self._soak else sampled

    def some(self, cases: Sequence[T], core: Collection[T], kind: Callable[[T], object]) -> list[T]:
        """The core, and one case of each kind."""
        if self._soak:
            return list(cases)
        kinds: dict[object, list[T]] = {}
        for case in cases:
            kinds.setdefault(kind(case), []).append(case)
        drawn = [self.chance.choice(alike) for alike in kinds.values()]
        return [case for case in cases if case in core or case in drawn]


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("sweeps")
    group.addoption("--seed", type=int, help="what the samples of sweeps are drawn by; another one in each run")
    group.addoption("--soak", action="store_true", help="try every sweep whole")


def configure(config: pytest.Config) -> None:
    """One seed for the run, for pytest's other processes and for Hypothesis."""
    config.addinivalue_line("markers", "sampled(by): in a run, one of each kind of the test's cases, by the run's seed")
    given: dict[str, int] = getattr(config, "workerinput", {})  # in a process of pytest-xdist
    if config.option.seed is None:
        config.option.seed = given.get("seed", random.SystemRandom().randrange(1_000_000))
    if getattr(config.option, "hypothesis_seed", "") is None:
        config.option.hypothesis_seed = config.option.seed
    hypothesis.settings.register_profile("suite", deadline=None)  # its 200 ms are over on a machine that is busy
    hypothesis.settings.register_profile("soak", deadline=None, max_examples=2000)
    hypothesis.settings.load_profile("soak" if config.option.soak else "suite")


def draw(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one of each kind of the cases that are marked `sampled`: its argument tells the kind of a case."""
    if config.option.soak:
        return
    kinds: dict[tuple[str, object], list[pytest.Item]] = {}
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark is not None and isinstance(item, pytest.Function):
            kind = mark.kwargs["by"](**item.callspec.params)
            kinds.setdefault((item.nodeid.partition("[")[0], kind), []).append(item)
    # by its place, which is the same in each of pytest's processes; how a kind is written is not
    kept = {random.Random(f"{config.option.seed} {place}").choice(kind) for place, kind in enumerate(kinds.values())}
    left = [item for kind in kinds.values() for item in kind if item not in kept]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


_SLOW = ("tests/faults/", "tests/documents/", "tests/journey/", "tests/security/", "tests/clients/", "tests/cli/")


def put_slow_first(items: list[pytest.Item]) -> None:
    """What takes seconds a test is begun before what takes none."""
    items.sort(key=lambda item: not item.nodeid.startswith(_SLOW))
