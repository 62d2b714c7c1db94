"""How figures look: a table for people, beside what they must reach."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.targets import TARGETS

CPU_ROWS: tuple[tuple[str, str], ...] = (
    ("bare receive", "bare_receive"),
    ("receive + spool", "receive_spool"),
    ("spool read", "spool_read"),
    ("decode, ids included", "decode"),
    ("ids alone", "ids"),
    ("ten selects, three filters", "rules"),
    ("store write, flush included", "store_write"),
    ("relay → DuckDB, both processes", "relay_duckdb"),
    ("relay → null bulk server, both processes", "relay_null_bulk"),
    ("relay → OpenSearch, both processes", "relay_engine"),
    ("OpenSearch itself", "engine"),
    ("bare receive at 10,000/s", "bare_receive_at_10000"),
    ("relay → DuckDB at 10,000/s", "relay_duckdb_at_10000"),
)
RATES = {
    "bare_receive": "source_events_per_s",
    "receive_spool": "receive_spool_events_per_s",
    "relay_duckdb": "relay_duckdb_events_per_s",
    "relay_null_bulk": "relay_null_bulk_events_per_s",
}
OTHER_ROWS: tuple[tuple[str, str, str], ...] = (
    ("peak RSS, receiver + worker, at 10,000/s", "peak_rss_mb", "{:.0f} MB"),
    ("  receiver", "receiver_peak_rss_mb", "{:.0f} MB"),
    ("  worker", "worker_peak_rss_mb", "{:.0f} MB"),
    ("  supervisor, not in the sum", "supervisor_peak_rss_mb", "{:.0f} MB"),
    ("bytes stored per event", "stored_bytes_per_event", "{:.1f} B"),
    ("from sending to searchable, median", "latency_median_s", "{:.2f} s"),
    ("from sending to searchable, worst", "latency_s", "{:.2f} s"),
    ("loading 500 filters", "load_500_filters_s", "{:.2f} s"),
    ("lost at 20,000 alerts/s", "lost_at_20000_per_s", "{:,}"),
    ("lost when the store stalls 1 s at 10,000/s", "lost_by_stall", "{:,}"),
    ("lost in all runs", "events_lost", "{:,}"),
    ("towards a null bulk server at 10,000/s", "null_bulk_peak_rss_mb", "{:.0f} MB"),
    ("from sending to found in OpenSearch, median", "engine_latency_median_s", "{:.2f} s"),
    ("from sending to found in OpenSearch, 95 %", "engine_latency_p95_s", "{:.2f} s"),
    ("from sending to found in OpenSearch, worst", "engine_latency_s", "{:.2f} s"),
    ("policies and pods taken in, CPU", "policies_build_s", "{:.2f} s"),
    ("documents of all policies, CPU", "policies_documents_s", "{:.2f} s"),
    ("which pods have a policy, CPU", "policies_coverage_s", "{:.3f} s"),
    ("a pod changes, median CPU", "policies_pod_change_ms", "{:.2f} ms"),
    ("a pod changes, worst", "policies_pod_worst_ms", "{:.2f} ms"),
    ("a policy changes, median CPU", "policies_change_ms", "{:.2f} ms"),
    ("a policy changes, worst", "policies_worst_ms", "{:.2f} ms"),
    ("memory that policies and pods take", "policies_held_mb", "{:.0f} MB"),
    ("peak RSS of a process with nothing else", "policies_rss_mb", "{:.0f} MB"),
    ("overview, 24 h, median", "overview_median_ms", "{:.0f} ms"),
    ("overview, 24 h, 95 %", "overview_p95_ms", "{:.0f} ms"),
    ("overview, all time", "overview_all_time_s", "{:.2f} s"),
    ("events, 24 h, median", "events_median_ms", "{:.0f} ms"),
    ("events, 24 h, 95 %", "events_p95_ms", "{:.0f} ms"),
    ("events, all time", "events_all_time_s", "{:.2f} s"),
    ("first load, page and all it names", "first_load_kib", "{:.1f} KiB"),
    ("arrival to live stream, 95 %", "tail_p95_ms", "{:.0f} ms"),
    ("arrival to live stream, worst", "tail_worst_ms", "{:.0f} ms"),
    ("export, CSV", "export_csv_s", "{:.0f} s"),
    ("export, Parquet", "export_parquet_s", "{:.0f} s"),
    ("worker's peak RSS before the exports", "worker_rss_before_export_mb", "{:.0f} MB"),
    ("worker's peak RSS", "worker_rss_mb", "{:.0f} MB"),
)


def show(figures: Mapping[str, Any], console: Console) -> None:
    """Print the tables."""
    if "bare_receive_cpu_us_per_event" in figures:
        console.print(_cpu(figures))
    console.print(_other(figures))
    console.print(_targets(figures))


def _cpu(figures: Mapping[str, Any]) -> Table:
    table = Table("stage", title="CPU per event", title_justify="left")
    for name in ("CPU µs/event", "× bare", "events/s"):
        table.add_column(name, justify="right")
    bare = figures["bare_receive_cpu_us_per_event"]
    for title, stage in CPU_ROWS:
        used = figures.get(f"{stage}_cpu_us_per_event")
        if used is not None:
            rate = f"{figures[RATES[stage]]:,.0f}" if stage in RATES else ""
            table.add_row(title, f"{used:.2f}", f"{used / bare:.2f}", rate)
    return table


def _other(figures: Mapping[str, Any]) -> Table:
    table = Table("figure", title="Memory, disk, time, loss", title_justify="left")
    table.add_column("", justify="right")
    for title, name, text in OTHER_ROWS:
        if figures.get(name) is not None:
            table.add_row(title, text.format(figures[name]))
    return table


def _targets(figures: Mapping[str, Any]) -> Table:
    table = Table("must reach", title="Targets", title_justify="left")
    for name in ("at most", "is", ""):
        table.add_column(name, justify="right")
    for target in TARGETS:
        value = figures.get(target.figure)
        if value is not None:
            verdict = "reached" if value <= target.limit else "MISSED"
            table.add_row(target.says, f"{target.limit:g}", f"{value:g}", verdict)
    return table
