"""Where a field of the query language lies in a stored document, and what its values are called.

Derived from the table of fields: a plain copy is searched at its ECS path, everything else at
`armorstack.exact`. Invariant: a path has exactly the values that `core/query/row_values.py` reads
from the columns. Must not go here: tests and counts.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from armorstack.core.ecs.exact import EXACT_TYPES, OBJECT
from armorstack.core.ecs.verdict import DATASETS
from armorstack.core.fields import FIELDS
from armorstack.core.query.names import QUERY_FIELDS, QueryField
from armorstack.errors import StoreError

TIME, RECEIVED = "event.sequence", f"{OBJECT}.received"
"""Microseconds since 1970 of event and arrival."""
COUNT, ID, DATE = "armorstack.count", "_id", "@timestamp"
NAMESPACE = "orchestrator.namespace"
LABELS_WRITTEN = f"{OBJECT}.labels"
LONG = f"{OBJECT}.long"
"""Columns whose value is not indexed."""
NO_NUMBER = -(1 << 62)
"""Stands for an absent number where values are counted."""

_OWN = {
    "time": TIME, "stream": "event.dataset", "from_source": "armorstack.source",
    "fold_count": COUNT, "id": ID, "done": "kubearmor.action",
    "intended": "kubearmor.intended_action", "atags": f"{OBJECT}.tag", "labels": f"{OBJECT}.label",
    "event_data": f"{OBJECT}.pair",
}  # fmt: skip
_COPIED = {field.column: field.ecs for field in FIELDS if field.ecs}
STREAMS = {dataset: stream for stream, dataset in DATASETS.items()}
"""event.dataset → stream."""


def path_of(column: str) -> str:
    """The path at which a column, or a derived one, is searched."""
    exact = f"{OBJECT}.{column}"
    return _OWN.get(column) or (exact if exact in EXACT_TYPES else _COPIED[column])


def paths_of(field: QueryField) -> list[str]:
    """The paths that may hold a value of the field."""
    return [path_of(column) for column in field.columns]


class Dimension(Struct, frozen=True):
    """A field by whose values events are counted."""

    column: str
    path: str
    is_number: bool
    read: Callable[[Any], str]
    """What a person calls a value that the engine gave; empty: there is none."""
    is_several: bool = False
    """Whether an event may have several values."""
    is_merged: bool = False
    """Whether several values of the engine are one of ours, so that counts may be too high."""

    @property
    def absent(self) -> Any:
        """What the engine is told to count events without a value as."""
        return NO_NUMBER if self.is_number else ""


def dimension(name: str) -> Dimension:
    """The field as something to count by; of several columns the first. Raises StoreError."""
    field = QUERY_FIELDS[name]
    if field.sort == "id":
        raise StoreError("a search engine does not count by id", hint="each event has its own")
    column = field.columns[0]
    path = path_of(column)
    if field.sort in ("number", "time"):
        return Dimension(column, path, True, _number)
    if field.sort == "map":
        return Dimension(column, path, False, _value, is_several=True, is_merged=True)
    several = field.sort in ("texts", "labels")
    return Dimension(column, path, False, _stream if name == "stream" else str, several)


def _number(key: Any) -> str:
    return "" if int(key) == NO_NUMBER else str(int(key))


def _value(pair: str) -> str:
    return pair.partition("=")[2]


def _stream(dataset: str) -> str:
    return STREAMS.get(dataset, "")
