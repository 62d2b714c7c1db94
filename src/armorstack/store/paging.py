"""Events of a store one after another, page by page, in either direction.

Invariant: each page is asked with a budget of its own, and no event comes twice. Whole exports must
not go here: `EventStore.stream` gives those from one moment's view.
"""

from collections.abc import Callable, Iterator, Sequence

from armorstack.core.query.question import Question
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Row
from armorstack.store.cursor import ID_BYTES, Cursor

PAGE = 1000
_FIRST = Cursor(0, bytes(ID_BYTES))


def newest(
    store: EventStore, question: Question, count: int, columns: Sequence[str],
    fresh: Callable[[], Budget] = Budget,
) -> Iterator[Row]:  # fmt: skip
    """At most `count` events, newest first. `fresh` makes the budget of each page."""
    before: Cursor | None = None
    while count > 0:
        found = store.events(
            question, fresh(), size=min(PAGE, count), before=before, columns=columns
        )
        yield from found.rows
        count -= len(found.rows)
        before = found.older
        if before is None or not found.rows:
            return


def oldest(
    store: EventStore,
    question: Question,
    columns: Sequence[str],
    fresh: Callable[[], Budget] = Budget,
) -> Iterator[Row]:
    """Every event that is meant, oldest first, also those that come while this is read."""
    after = _FIRST
    while True:
        found = store.events(question, fresh(), size=PAGE, after=after, columns=columns)
        yield from reversed(found.rows)
        if not found.rows or found.newer is None:
            return
        after = found.newer
