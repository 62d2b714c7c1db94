"""Panels: what a dashboard shows, said once as frozen structs.

The overview and the pages of policies, pods, namespaces and nodes are drawn from them, as is the
report; saved objects of Kibana and OpenSearch Dashboards are to be rendered from the same.
Invariant: a panel says what to count and how to draw it, never how a store counts or a page looks.
"""

from typing import Literal

from msgspec import Struct

Kind = Literal["count", "time", "bars", "table", "heatmap", "events", "seen"]
"""A number (with fields: how many groups) · counts over time, stacked · the top values as bars ·
groups with columns · two fields against each other · the newest events · the first and the last."""
Colours = Literal["series", "severity", "action"]
Drill = Literal["events", "policy", "pod", "namespace", "node", ""]


class Panel(Struct, frozen=True, kw_only=True):
    """One panel."""

    id: str
    """Stable: it stands in URLs and saved objects."""
    title: str
    kind: Kind
    fields: tuple[str, ...] = ()
    """The dimensions, by canonical names."""
    distinct: str = ""
    """Measure how many values this field has; empty: count events."""
    select: str = ""
    """A query of our language that narrows what is asked for."""
    size: int = 10
    """How many values, groups or events at most."""
    colours: Colours = "series"
    columns: int = 6
    """Width in twelfths of a page."""
    drill: Drill = "events"
    """The page that a value leads to; empty: none."""
    doc: str = ""
    """One sentence for who does not know the word in the title."""


class Board(Struct, frozen=True):
    """Panels that are shown together."""

    id: str
    title: str
    panels: tuple[Panel, ...]
