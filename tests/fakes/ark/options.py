"""How a fake behaves; what the command line and `FakeArk` set."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that can be set."""

    keys: tuple[str, ...] = ("fake-ark-key",)
    """Each key is an account of its own."""
    speed: float = 60.0
    """Queues, generations and `execution_expires_after` pass so many times as fast."""
    seconds: tuple[float, float] | None = None
    """How long a generation takes before `speed` is applied; by default what has been measured of each model."""
    instant: bool = False
    """Generations take no time at all."""
    seed: int = 1
    """The same creates in the same order take the same time, get the same seeds, and so on."""
    individual: bool = False
    """The lower limits of an individual account."""
    rpm: int | None = None
    """Creates a minute per model; 0 for no limit."""
    concurrency: int | None = None
    """Generations at a time per model; 0 for no limit."""
    most_queued: int = 0
    """`QuotaExceeded` beyond so many queued tasks of a model; 0 for no limit."""
    enforce_budgets: bool = True
    """Answer 429 over the budgets of list, get, delete and create."""
    retention_speed: float = 1.0
    """Records, media and links age so many times as fast. Their times on the wire are real, so this is apart."""
    fetch: bool = True
    """Download the references; otherwise every link is taken for a good one."""
    ack_seconds: float = 5.0
    resend_seconds: float = 1.0
    endpoints: dict[str, str] = field(default_factory=dict[str, str])
    """Model ids by endpoint ids; any other well-formed endpoint id stands for 2.0."""
    not_open: frozenset[str] = frozenset()
    """Model ids that are not activated."""
    most_tasks: int = 200_000
    """Beyond so many, the oldest finished ones are forgotten."""
    most_bodies: int = 2_000
    """How many calls are remembered with their bodies."""
    hevc: bool = False
    """1080p of 2.5 and 4k are HEVC in 10 bits, as they are in Ark; otherwise everything is H.264."""
    media_megabytes: int = 96
    """How much of rendered media is kept; the rest is rendered again when asked for."""

    @property
    def record_seconds(self) -> float:
        """How long a record is kept."""
        return 7 * 86_400 / self.retention_speed

    @property
    def media_seconds(self) -> float:
        """How long media, and the records of cancelled tasks, are kept."""
        return 86_400 / self.retention_speed
