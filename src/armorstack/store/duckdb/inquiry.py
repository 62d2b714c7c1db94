"""One question on its way to DuckDB: a snapshot that is asked under a budget.

Invariant: nothing is asked of a snapshot but through here, so everything ends when its budget
does. Answers of a statement are small; what may be large is streamed.
"""

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.query.tree import Node
from armorstack.engines.duckdb.snapshot import Answer, Snapshot, View
from armorstack.store.budget import Budget
from armorstack.store.duckdb.partials import Partials
from armorstack.store.duckdb.where import Parameters, condition

COUNT = "sum(coalesce(fold_count, 1))::BIGINT"
"""Events as KubeArmor reported them: one that others were folded into counts as all of them."""


_WORD = re.compile(r"[a-z_]+")


class Inquiry:
    """A snapshot and the budget that it is asked under."""

    def __init__(
        self, snapshot: Snapshot, budget: Budget, namespaces: tuple[str, ...] | None = None,
        partials: Partials | None = None,
    ) -> None:  # fmt: skip
        """`namespaces` are those that the snapshot has, for telling counts of one from another's;
        `partials` are counts that were made before."""
        self._snapshot = snapshot
        self._budget = budget
        self.namespaces = namespaces
        self.partials = Partials() if partials is None else partials

    @property
    def view(self) -> View:
        """The pieces that the events lie in, whoever may see them."""
        return self._snapshot.view

    def answer(
        self, sql: str, parameters: Parameters, start_us: int | None = None,
        end_us: int | None = None, view: View | None = None,
    ) -> Answer:  # fmt: skip
        """The small answer over the events of this span, or of these pieces.

        Raises StoreError, QueryStopped.
        """
        with self._budget.running(self._snapshot.interrupt):
            return self._snapshot.answer(
                sql, parameters.values, start_us, end_us, view, _columns_in(sql)
            )

    def batches(
        self, sql: str, parameters: Parameters, start_us: int | None, end_us: int | None, view: View
    ) -> Iterator[pa.RecordBatch]:
        """The same in batches."""
        batches = self._snapshot.stream(
            sql, parameters.values, start_us, end_us, view, _columns_in(sql)
        )
        while True:
            with self._budget.running(self._snapshot.interrupt):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def over(self, tables: Mapping[str, pa.Table], sql: str, parameters: Parameters) -> Answer:
        """The answer over tables of our own."""
        with self._budget.running(self._snapshot.interrupt):
            return self._snapshot.answer_over(tables, sql, parameters.values)


def _columns_in(sql: str) -> frozenset[str]:
    """The columns that the statement may name; a table with few is soon made."""
    return frozenset(_WORD.findall(sql)).intersection(SCHEMA.names)


class Filter:
    """A condition as the WHERE of a statement."""

    def __init__(self, node: Node) -> None:
        self.parameters = Parameters()
        self.sql = condition(node, self.parameters)
