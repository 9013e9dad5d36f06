"""Look how many tasks stand: in one call of the list for up to 500, and by id for those that it lacks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from seedance_api.providers.ark.note import Note, read_note
from seedance_api.providers.ark.read import as_check
from seedance_api.providers.ark.wire import PAGE_SIZE, Gone, Seen, Trouble, Wire
from seedance_api.providers.provider import Check, Lost, Operation, Unseen

AT_ONCE = 8
_MIN_IDS = 25
_FEW = 2
"""So many are asked about by id at once: that is allowed twenty times a second, the list once."""
_TOO_LONG = frozenset({400, 413, 414, 431})
_REFUSED = frozenset({400, 403})
_MAX_TROUBLES = 8


class Looker:
    """Looks at tasks. It learns how long an address the vendor takes, and whether the key is for single models only."""

    def __init__(self, wire: Wire, settle_seconds: float) -> None:
        self._wire, self._settle_seconds = wire, settle_seconds
        self._max_ids = PAGE_SIZE
        self._by_model = False

    async def look(self, operations: Sequence[Operation]) -> list[Check]:
        """How each stands, in the order given."""
        notes = [read_note(operation) for operation in operations]
        wanted = {note.id: note for note in notes if note is not None}
        checks: dict[str, Check] = {}
        if len(wanted) > _FEW:
            for (tier, model), group in self._groups(wanted.values()).items():
                checks |= await self._list(group, tier, model)
        missing = [note for note in wanted.values() if note.id not in checks]
        checks |= await self._get(missing)
        return [Lost() if note is None else checks[note.id] for note in notes]

    def _groups(self, notes: Iterable[Note]) -> Mapping[tuple[str, str | None], list[Note]]:
        groups: dict[tuple[str, str | None], list[Note]] = {}
        for note in notes:
            groups.setdefault((note.tier, note.model if self._by_model else None), []).append(note)
        return groups

    async def _list(self, notes: Sequence[Note], tier: str, model: str | None) -> Mapping[str, Check]:
        """What the list says; it says nothing of those that are left out."""
        checks: dict[str, Check] = {}
        waiting = list(notes)
        while waiting:
            now, waiting = waiting[: self._max_ids], waiting[self._max_ids :]
            ids = [note.id for note in now]
            page = await self._wire.list(tier=tier, model=model, ids=ids)
            if not isinstance(page, Trouble):
                checks |= {task.id: as_check(task) for task in page.tasks if task.id in ids}
            elif page.status in _REFUSED and model is None:
                self._by_model = True  # a key for single models must name one (82379/1521675); this time, ask by id
            elif page.status in _TOO_LONG and len(ids) > _MIN_IDS:
                self._max_ids = max(_MIN_IDS, len(ids) // 2)
                waiting = [*now, *waiting]
            elif page.status not in _REFUSED:
                checks |= dict.fromkeys(ids, Unseen(page.reason))
        return checks

    async def _get(self, notes: Sequence[Note]) -> Mapping[str, Check]:
        places = asyncio.Semaphore(AT_ONCE)
        troubles = 0

        async def check(note: Note) -> Check:
            nonlocal troubles
            async with places:
                if troubles >= _MAX_TROUBLES:
                    return Unseen("the provider does not answer")
                seen = await self._wire.get(note.id)
            if isinstance(seen, Trouble):
                troubles += 1
            return _as_check(seen, note, self._settle_seconds)

        checks = await asyncio.gather(*(check(note) for note in notes))
        return {note.id: check for note, check in zip(notes, checks, strict=True)}


def _as_check(seen: Seen | Gone | Trouble, note: Note, settle_seconds: float) -> Check:
    match seen:
        case Seen(task):
            return as_check(task)
        case Gone(now):
            return Unseen("the provider does not show the task yet") if note.may_appear(now, settle_seconds) else Lost()
        case Trouble(reason):
            return Unseen(reason)
