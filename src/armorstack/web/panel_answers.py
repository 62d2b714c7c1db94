"""What the panels of one board ask a store, each question once.

Invariant: all panels share the budget, and panels that count single values under the same select
share one pass over the events. Must not go here: how an answer looks.
"""

from collections.abc import Sequence

from armorstack.core.panels import Board, Panel
from armorstack.core.query.asked import Asked
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.core.query.tree import Exists, Match, Node, all_of
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Facet, Histogram, Page, Seen, Top
from armorstack.web.charts.events import COLUMNS

BUCKETS = 72
MOST_CELLS = 200


class Answers:
    """The answers to one board's panels. Methods raise what `EventStore` raises."""

    def __init__(self, board: Board, asked: Asked, store: EventStore, budget: Budget) -> None:
        self._board, self._asked, self._store, self._budget = board, asked, store, budget
        self._facets: dict[str, dict[str, Facet]] = {}
        self._counts: dict[str, int] = {}

    def question(self, select: str = "", *more: Node) -> Question:
        """What is asked, narrowed by a query of our language; picks count as any other condition,
        since a panel is no facet."""
        asked = self._asked.question
        where = all_of([asked.tree(), parse(select, 0), *more])
        return Question(where, (), asked.start_us, asked.end_us)

    def count(self, select: str) -> int:
        """How many events there are."""
        if select not in self._counts:
            self._counts[select] = self._store.count(self.question(select), self._budget)
        return self._counts[select]

    def groups_count(self, panel: Panel) -> int:
        """How many groups the panel's fields make; one without a last value is none."""
        question = self.question(panel.select, Exists(panel.fields[-1]))
        return self._store.top(question, self._budget, fields=panel.fields, size=1).distinct

    def facet(self, panel: Panel) -> Facet:
        """The values of the panel's only field."""
        if panel.select not in self._facets:
            self._facets[panel.select] = self._all_facets(panel.select)
        return self._facets[panel.select][panel.fields[0]]

    def of_value(self, select: str, field: str, value: str) -> int:
        """How many events have this value; it costs nothing where a panel shows it."""
        for facet in self._facets.get(select, {}).values():
            for each in facet.values if facet.field == field else ():
                if each.value == value:
                    return each.count
        among = self.question(select, Match(field, (value,), exact=True))
        return self._store.count(among, self._budget)

    def groups(self, panel: Panel, size: int = 0) -> Top:
        """The largest groups of the panel's fields."""
        question = self.question(panel.select)
        return self._store.top(
            question, self._budget, fields=panel.fields, size=size or panel.size
        )  # fmt: skip

    def histogram(self, panel: Panel) -> Histogram:
        """Counts over time by the panel's field."""
        return self._store.histogram(
            self.question(panel.select), self._budget, by=next(iter(panel.fields), ""),
            buckets=BUCKETS, size=panel.size,
        )  # fmt: skip

    def split(self, panel: Panel, by: str, values: Sequence[str], size: int) -> Top:
        """Groups of the panel's fields and one more, of these values of its last field."""
        among = Match(panel.fields[-1], tuple(values), exact=True)
        return self._store.top(
            self.question(panel.select, among), self._budget, fields=(*panel.fields, by), size=size
        )  # fmt: skip

    def trends(self, panel: Panel, values: Sequence[str], buckets: int) -> Histogram:
        """How these values of the panel's last field went over time."""
        field = panel.fields[-1]
        question = self.question(panel.select, Match(field, tuple(values), exact=True))
        return self._store.histogram(
            question, self._budget, by=field, buckets=buckets, size=len(values)
        )  # fmt: skip

    def events(self, panel: Panel) -> Page:
        """The newest events."""
        question = self.question(panel.select)
        return self._store.events(question, self._budget, size=panel.size, columns=COLUMNS)

    def seen(self, panel: Panel) -> Seen:
        """The first and the last event."""
        return self._store.seen(self.question(panel.select), self._budget)

    def _all_facets(self, select: str) -> dict[str, Facet]:
        """Of every panel with this select, so that none of them reads the events again."""
        sharing = [
            panel
            for panel in self._board.panels
            if panel.kind == "bars" and panel.select == select and len(panel.fields) == 1
        ]
        fields = list(dict.fromkeys(panel.fields[0] for panel in sharing))
        # One more than is shown: an absent value is told apart.
        size = max(panel.size for panel in sharing) + 1
        found = self._store.facets(
            self.question(select), self._budget, fields=fields, size=size
        )  # fmt: skip
        return {facet.field: facet for facet in found}
