"""What the books say of a live generation that is over."""

from security.attack import rows


class Outcome:
    """What the books say of a generation."""

    def __init__(self, url: str, video: str) -> None:
        (self.row,) = rows(url, "SELECT * FROM generation WHERE id = $1", video)
        (self.hold,) = rows(url, "SELECT * FROM hold WHERE generation_id = $1", video)
        self.attempts = rows(url, "SELECT * FROM attempt WHERE generation_id = $1 ORDER BY id", video)
        self.transfers = rows(url, "SELECT * FROM transfer WHERE generation_id = $1", video)

    @property
    def states(self) -> list[str]:
        """The states of its attempts."""
        return [one["state"] for one in self.attempts]

    def amounts(self, kind: str) -> list[int]:
        """The amounts of its transfers of a kind."""
        return [one["amount"] for one in self.transfers if one["kind"] == kind]


def paid(found: Outcome) -> None:
    """Completed and charged, once; the upstream's bill is in the books, once; nothing is on hold."""
    assert (found.row["state"], found.row["error_code"]) == ("completed", None), dict(found.row)
    assert found.states.count("succeeded") == 1, found.states
    assert not {"planned", "sent", "unknown", "acknowledged"} & set(found.states), found.states
    charged = found.hold["charged"]
    assert found.hold["state"] == "settled"
    assert found.amounts("charge") == [charged]
    assert charged > 0
    assert sum(found.amounts("release")) == found.hold["amount"] - charged
    assert len(found.amounts("upstream")) == 1


def unpaid(found: Outcome, *codes: str) -> None:
    """Failed for one of these reasons; everything that was on hold is back, and nothing was charged."""
    assert found.row["state"] == "failed", dict(found.row)
    assert found.row["error_code"] in codes, found.row["error_code"]
    assert not {"planned", "sent", "unknown", "acknowledged"} & set(found.states), found.states
    assert (found.hold["state"], found.hold["charged"]) == ("released", None)
    assert found.amounts("charge") == []
    assert found.amounts("release") == [found.hold["amount"]]
