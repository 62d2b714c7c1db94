"""What the figures must reach, in one place.

Source: the issues that asked for the main path and for filters. Ratios are held against the bare
receive of the same run, because machines differ.
"""

from msgspec import Struct

SOURCE_EVENTS_PER_S = 40_000


class Target(Struct, frozen=True):
    """One figure and its limit; the figure must not exceed it."""

    figure: str
    limit: float
    says: str


TARGETS: tuple[Target, ...] = (
    Target("receive_spool_ratio", 1.5, "receive + spool, in bare receives"),
    Target("relay_duckdb_ratio", 4.0, "relay to DuckDB, in bare receives"),
    Target("rules_ratio", 1.0, "ten selects and three filters, in bare receives"),
    Target("load_500_filters_s", 1.0, "s to load 500 filters"),
    Target("peak_rss_mb", 350, "MB of receiver and worker at 10,000 events/s"),
    Target("latency_s", 1.0, "s from sending to searchable, worst"),
    Target("stored_bytes_per_event", 80, "bytes stored per event"),
    Target("events_lost", 0, "events lost at 20,000/s and by a store that stalls"),
)
