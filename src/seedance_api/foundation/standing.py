"""How a database stands to this release: which migrations it lacks, has beyond ours, or has otherwise. Pure."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import msgspec

from seedance_api.foundation.schema import Difference

_MAX_NAMED = 10


class Migration(msgspec.Struct, frozen=True):
    """A numbered file. Its name without `.sql` is its identity, its digest says that nobody has edited it."""

    name: str
    sql: str
    digest: str


class Applied(msgspec.Struct, frozen=True):
    """What the database records. Digest and release are None where version 0.1.0 has applied it."""

    name: str
    digest: str | None
    release: str | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a database stands to this release."""

    pending: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    newer_release: str | None = None
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def conflict(self) -> str | None:
        """Why this release can do nothing with the database, and what to do about it; None when it can."""
        if self.newer:
            needed = f"Install version {self.newer_release} or later." if self.newer_release else "Install that one."
            return (
                f"The database was migrated by a newer release: {_named(self.newer)} is not known to this one, "
                f"version {this_release()}. {needed}"
            )
        if self.missing:
            return (
                f"The database has migrations that this installation lacks: {_named(self.missing)}. "
                "Install the release again, or the one that made the database."
            )
        if self.changed:
            return (
                f"Migrations were changed after they were applied: {_named(self.changed)}. "
                "Install the release again, or the one that made the database."
            )
        return None

    @property
    def breaks(self) -> str | None:
        """What of the schema is not as the code needs it; None when all is."""
        found = [str(difference) for difference in self.differences if difference.breaks]
        if not found:
            return None
        return (
            f"The database's schema is not the one of version {this_release()}: {_named(found)}. See docs/operate.md."
        )

    @property
    def remarks(self) -> str | None:
        """What differs and breaks nothing."""
        found = [str(difference) for difference in self.differences if not difference.breaks]
        return _named(found) if found else None


def judge(files: Sequence[Migration], applied: Mapping[str, Applied]) -> Standing:
    """What is to be applied, and what does not fit."""
    known = {file.name for file in files}
    last = max(known, default="")
    newer = sorted(name for name in applied if name not in known and name > last)
    return Standing(
        pending=tuple(file.name for file in files if file.name not in applied),
        newer=tuple(newer),
        newer_release=applied[newer[-1]].release if newer else None,
        missing=tuple(sorted(name for name in applied if name not in known and name <= last)),
        changed=tuple(
            file.name for file in files if file.name in applied and applied[file.name].digest not in {None, file.digest}
        ),
    )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return "; ".join(names[:_MAX_NAMED]) + more


def this_release() -> str:
    """The version of this release."""
    return version("seedanceapi")
