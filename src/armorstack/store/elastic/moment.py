"""One moment of an engine: a point in time, which both engines have under other names.

Invariant: a point that was opened is closed again; where that fails, the engine lets it go by
itself within a minute. Must not go here: questions.
"""

import contextlib
from collections.abc import Iterator

from armorstack.errors import StoreError
from armorstack.store.budget import Budget
from armorstack.store.elastic.inquiry import WHEREVER, Target, answered, ask
from armorstack.store.elastic.patience import patiently

KEEP_ALIVE = "1m"
_CLOSE_S = 5.0
_NO_INDEX = b"invalid id: [null]"
"""What OpenSearch says to a point in time over no index."""


@contextlib.contextmanager
def point_in_time(target: Target, budget: Budget) -> Iterator[str]:
    """The id of a point in time over all events; empty where there is no index yet."""
    is_open_search = target.engine.dialect.name == "opensearch"
    path = target.engine.dialect.pit_path
    params = {"keep_alive": KEEP_ALIVE, **WHEREVER}
    budget.check()
    answer = patiently(
        lambda: ask(
            target.engine, "POST", f"/{target.events()}{path}", None, params, budget.left_s() + 1
        ),
        budget,
    )
    found = {} if _NO_INDEX in answer.body else answered(answer, budget)
    pit = str(found.get("pit_id") or found.get("id") or "")
    try:
        yield pit
    finally:
        if pit:
            _close(target, pit, is_open_search)


def _close(target: Target, pit: str, is_open_search: bool) -> None:
    path = "/_search/point_in_time" if is_open_search else "/_pit"
    body = {"pit_id": [pit]} if is_open_search else {"id": pit}
    # Whoever asked has his answer; the engine forgets the point in a minute.
    with contextlib.suppress(StoreError):
        ask(target.engine, "DELETE", path, body, {}, _CLOSE_S)
