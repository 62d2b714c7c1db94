"""Where a value on a panel leads: a page of its own, or its events; span, zone and query kept.

Invariant: what a link shows is what the panel counted: the panel's own select goes along to the
events, as part of the query. On paper there are no links: all of them are empty.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.panels import Panel
from armorstack.core.query.asked import Asked
from armorstack.store.contract import Row
from armorstack.store.cursor import encode_id
from armorstack.web.charts.times import moment_of

EVENTS = "/events"
PAGES: Mapping[str, str] = {
    "events": EVENTS, "policy": "/policy", "pod": "/pod", "namespace": "/namespace",
    "node": "/node",
}  # fmt: skip


LISTS: Mapping[str, str] = {
    "policy": "/policies", "pod": "/pods", "namespace": "/namespaces", "node": "/nodes",
}  # fmt: skip


class Links(Struct, frozen=True):
    """Links from a page that asks this."""

    asked: Asked
    path: str = ""
    """The page itself; empty: this is paper."""

    def of(self, panel: Panel, values: Sequence[str]) -> str:
        """The page that this group of the panel leads to, by the values of all or the first of its
        fields; of an absent entity its events."""
        if panel.drill in ("", "events") or not values[-1]:
            return self.events(panel, values) if panel.drill else ""
        return self._url(self._picked(panel, values), PAGES[panel.drill])

    def events(self, panel: Panel, values: Sequence[str] = ()) -> str:
        """The events of this group; without values those of the whole panel."""
        return self._url(self._selected(panel, self._picked(panel, values)), EVENTS)

    def all_of(self, panel: Panel) -> str:
        """The list of everything of which the panel shows the largest; empty: there is none."""
        path = LISTS.get(panel.drill, "")
        return self._url(self.asked, path) if path else ""

    def pick(self, panel: Panel, field: str, value: str) -> str:
        """The panel's events with this value, which may be a range of numbers."""
        asked = self.asked.without_pick(field).with_pick(field, value)
        return self._url(self._selected(panel, asked), EVENTS)

    def page(self, asked: Asked) -> str:
        """This page, asked this instead."""
        return asked.url(self.path) if self.path else ""

    def span(self, start_us: int, end_us: int) -> str:
        """This page, narrowed to the span as far as it lies within what is asked."""
        start_us = max(start_us, self.asked.start_us or start_us)
        end_us = min(end_us, self.asked.end_us or end_us)
        if not self.path or start_us >= end_us:
            return ""
        return self.asked.at(moment_of(start_us), moment_of(end_us)).url(self.path)

    def event(self, row: Row) -> str:
        """The page of one event."""
        if not self.path:
            return ""
        plain = replace(self.asked, q="", picks=(), more=())
        return plain.url(f"{EVENTS}/{encode_id(row['id'])}", near=str(row["time"]))

    def _picked(self, panel: Panel, values: Sequence[str]) -> Asked:
        """An answer lies within what was picked, so its value may take the place of the pick."""
        asked = self.asked
        for field, value in zip(panel.fields, values, strict=False):
            asked = asked.without_pick(field).with_pick(field, value)
        return asked

    def _selected(self, panel: Panel, asked: Asked) -> Asked:
        return replace(asked, q=both(asked.q, panel.select))

    def _url(self, asked: Asked, path: str) -> str:
        return replace(asked, more=()).url(path) if self.path else ""


def both(one: str, other: str) -> str:
    """A query that is true where both are."""
    if not one or not other or one == other:
        return one or other
    return f"({one}) and ({other})"
