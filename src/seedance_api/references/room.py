"""Room: how many files an account may have, and how many bytes of them; exact, whatever arrives at once."""

from collections.abc import Iterable, Sequence

from seedance_api.foundation.db import Connection
from seedance_api.foundation.errors import AppError
from seedance_api.references.queries import NewFile

_Place = tuple[str, bool]
"""Account and mode."""


async def without_room(connection: Connection, groups: Sequence[Sequence[NewFile]]) -> list[AppError | None]:
    """For each group of files that are written together or not at all, in turn, the refusal where they do not fit.

    Until the transaction ends nobody else adds files to these accounts.
    """
    places = sorted({(file.account_id, file.livemode) for files in groups for file in files if file.room})
    kept = await _kept(connection, places) if places else {}
    refusals: list[AppError | None] = []
    for files in groups:
        refusal = None
        if files and (room := files[0].room) is not None:
            place = files[0].account_id, files[0].livemode
            number, size = kept.get(place, (0, 0))
            number, size = number + len(files), size + _own_bytes(files)
            if number > room.files:
                refusal = _refusal(f"{room.files:,} files", files[0])
            elif size > room.bytes:
                refusal = _refusal(f"{room.bytes / 1e9:g} GB of files", files[0])
            else:
                kept[place] = number, size
        refusals.append(refusal)
    return refusals


def _own_bytes(files: Iterable[NewFile]) -> int:
    return sum({file.object_key: file.facts.bytes for file in files if file.shares is None}.values())


def _refusal(most: str, file: NewFile) -> AppError:
    which = "live" if file.livemode else "test"
    message = (
        f"With this the account would have more than the {most} that its {which} keys may have. Delete some; files "
        "that came inside a create go by themselves a day after their video has ended."
    )
    return AppError("too_many_files", message)


async def _kept(connection: Connection, places: Sequence[_Place]) -> dict[_Place, tuple[int, int]]:
    accounts, modes = [one for one, _ in places], [one for _, one in places]
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(place) FROM (
            SELECT DISTINCT hashtextextended(concat('files ', account_id, livemode), 0) AS place
            FROM unnest($1::text[], $2::bool[]) AS n (account_id, livemode) ORDER BY 1
        ) places
        """,
        accounts,
        modes,
    )
    # a statement of its own, that sees what was written while the lock was waited for
    found = await connection.fetch(
        """
        SELECT account_id, livemode, sum(number)::bigint AS number, sum(size)::bigint AS size FROM (
            SELECT account_id, livemode, count(*) AS number, max((facts ->> 'bytes')::bigint) AS size
            FROM unnest($1::text[], $2::bool[]) AS n (account_id, livemode) JOIN file USING (account_id, livemode)
            GROUP BY account_id, livemode, object_key
        ) objects GROUP BY 1, 2
        """,
        accounts,
        modes,
    )
    return {(one["account_id"], one["livemode"]): (one["number"], one["size"]) for one in found}
