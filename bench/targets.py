"""What the figures must reach, in one place.

Source: the issues that asked for them. Ratios are held against the bare
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
    Target("overview_p95_ms", 300, "ms for the overview of 24 h, 95 %"),
    Target("events_p95_ms", 300, "ms for the events of 24 h, 95 %"),
    Target("overview_all_time_s", 3, "s for the overview of all time"),
    Target("events_all_time_s", 3, "s for the events of all time"),
    Target("worker_rss_mb", 1000, "MB of the worker with pages and exports"),
    Target("tail_worst_ms", 500, "ms from arrival to the live stream, worst"),
    Target("first_load_kib", 60, "KiB of the first page in all, packed"),
    Target("relay_null_bulk_ratio", 4.5, "relay to a null bulk server, in bare receives"),
    Target("null_bulk_peak_rss_mb", 250, "MB of receiver and worker towards it at 10,000 events/s"),
    Target("engine_cpu_ratio", 0.25, "our CPU in that of a real OpenSearch"),
    Target("engine_latency_p95_s", 2.0, "s from sending to found in OpenSearch, 95 %"),
    Target("policies_build_s", 10, "s of CPU to take in 2,000 policies and 5,000 pods"),
    Target("policies_pod_worst_ms", 50, "ms of CPU for a change of a pod, worst"),
    Target("policies_rss_mb", 200, "MB with 2,000 policies and 5,000 pods"),
    Target("events_lost", 0, "events lost at 20,000/s and by a store that stalls"),
)
