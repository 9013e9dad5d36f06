"""The list call: filters, pages, and the window of seven days."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fakes.ark.errors import invalid
from fakes.ark.ledger import Ledger
from fakes.ark.tasks import Status, Task

_MOST = 500


@dataclass(slots=True)
class Query:
    """What a list call asks for."""

    page_num: int = 1
    page_size: int = 20
    status: str | None = None
    model: str | None = None
    service_tier: str = "default"
    task_ids: list[str] = field(default_factory=list[str])


def read(pairs: list[tuple[str, str]]) -> Query:
    """Read the query; what is unknown is ignored."""
    query = Query()
    for name, value in pairs:
        match name:
            case "page_num":
                query.page_num = _number(name, value)
            case "page_size":
                query.page_size = _number(name, value)
            case "filter.status":
                if value not in set(Status):
                    raise invalid(name, f"{value} is no status")
                query.status = value
            case "filter.model":
                query.model = value
            case "filter.service_tier":
                if value not in {"default", "flex"}:
                    raise invalid(name, "must be default or flex")
                query.service_tier = value
            case "filter.task_ids":
                query.task_ids.append(value)
            case _:
                pass
    return query


def _number(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= _MOST:
        raise invalid(name, f"must be within 1 and {_MOST}")
    return int(value)


def select(ledger: Ledger, account: str, query: Query) -> tuple[list[Task], int]:
    """The tasks of the page, the newest first, and how many there are on all pages."""
    found = _named(ledger, account, query.task_ids) if query.task_ids else ledger
    start = (query.page_num - 1) * query.page_size
    page, total = list[Task](), 0
    for task in itertools.filterfalse(lambda one: _is_hidden(one, account, query) or ledger.is_old(one), found):
        if start <= total < start + query.page_size:
            page.append(task)
        total += 1
    return page, total


def _named(ledger: Ledger, account: str, task_ids: Iterable[str]) -> Iterator[Task]:
    tasks = [task for task_id in dict.fromkeys(task_ids) if (task := ledger.find(account, task_id))]
    return iter(sorted(tasks, key=lambda task: task.created, reverse=True))


def _is_hidden(task: Task, account: str, query: Query) -> bool:
    return (
        task.account != account
        or task.order.service_tier != query.service_tier
        or (query.status is not None and task.status != query.status)
        or (query.model is not None and query.model not in {task.order.model_id, task.order.asked_model})
    )
