"""Every counter that /metrics shows: what each is called, and where its value comes from.

Invariant: `METRICS` is complete, and docs/metrics.md lists the same names (a test compares them).
Values are taken from the two processes' states when somebody asks; events are counted by label
set in native code, batch by batch. What a person reads on the terminal must not go here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from armorstack import __version__
from armorstack.core.gap import Gap
from armorstack.core.text import printable
from armorstack.counting import EVENT_LABELS, EventCounts
from armorstack.open_gaps import REASONS
from armorstack.state import ReceiverState, SinkState, WorkerState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Definition(Struct, frozen=True):
    """One metric. A summary has two values, how many and their sum; the others have one."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    help: str
    labels: tuple[str, ...] = ()


Sample = tuple[str, tuple[str, ...], tuple[float, ...]]
"""Name without prefix, values of the labels, values."""

_C: Final = "counter"
_G: Final = "gauge"
_S: Final = "summary"

METRICS: tuple[Definition, ...] = (
    Definition("build_info", _G, "Always 1; the version is a label.", ("version",)),
    Definition("process_up", _G, "1 while the process reports itself.", ("process",)),
    Definition(
        "process_start_time_seconds", _G, "Unix time of the process's start.", ("process",)
    ),
    Definition("process_resident_bytes", _G, "Memory that the process holds.", ("process",)),
    Definition("received_frames_total", _C, "Frames that are durable in the spool."),
    Definition("received_bytes_total", _C, "Bytes of these frames."),
    Definition("dropped_frames_total", _C, "Frames that were received and lost.", ("reason",)),
    Definition("source_connected", _G, "1 while the source is connected.", ("source", "kind")),
    Definition("source_reconnects_total", _C, "Connections after the first.", ("source", "kind")),
    Definition(
        "source_last_frame_timestamp_seconds", _G,
        "Unix time of the source's newest frame; 0: none yet.", ("source", "kind"),
    ),
    Definition("spool_commit_seconds", _S, "Group commits to the spool and their time."),
    Definition(
        "spool_blocked_seconds_total", _C,
        "Time that sources waited because the spool was full or the disk too slow.",
    ),
    Definition("spool_bytes", _G, "Bytes of frames kept in the spool."),
    Definition("spool_max_bytes", _G, "Bytes that may be kept there."),
    Definition("spool_disk_bytes", _G, "Size of the spool's files."),
    Definition("spool_rows", _G, "Groups of frames kept in the spool."),
    Definition("spool_recoveries_total", _C, "Damaged spool files that were replaced."),
    Definition(
        "spool_oldest_age_seconds", _G,
        "Age of the oldest frame kept: a frame is kept until the sinks call it durable.",
    ),
    Definition("sink_open", _G, "1 while the sink takes events.", ("sink",)),
    Definition("sink_waiting", _G, "1 while the sink waits for its store.", ("sink",)),
    Definition("sink_stored_events_total", _C, "Events new to the store.", ("sink",)),
    Definition("sink_duplicate_events_total", _C, "Events that were there already.", ("sink",)),
    Definition("sink_retried_events_total", _C, "Events that had to be tried again.", ("sink",)),
    Definition("sink_write_seconds", _S, "Writes to the store and their time.", ("sink",)),
    Definition("sink_batch_events", _S, "Batches and the events in them.", ("sink",)),
    Definition("sink_decode_seconds", _S, "Decoded batches and their time.", ("sink",)),
    Definition(
        "sink_lag_seconds", _G,
        "From receiving to being in the store: of what waits, else of the last batch.", ("sink",),
    ),
    Definition(
        "sink_missed_total", _C,
        "Times that the spool had let go of rows before this sink took them.", ("sink", "reason"),
    ),
    Definition(
        "sink_missed_frames_total", _C,
        "Frames that the spool had let go of before this sink took them, where that is known.",
        ("sink", "reason"),
    ),
    Definition(
        "sink_removed_events_total", _C, "Events that retention removed.", ("sink", "reason")
    ),
    Definition(
        "sink_passed_over_events_total", _C,
        "Events that a sink which is not required never got, because it was behind.", ("sink",),
    ),
    Definition(
        "sink_left_out_events_total", _C,
        "Events that the sink's own select or least severity leaves out.", ("sink",),
    ),
    Definition(
        "filter_dropped_events_total", _C,
        "Events that did not go on, or that went on inside another one.", ("filter", "type"),
    ),
    Definition(
        "filter_changed_events_total", _C, "Events that went on with other values.",
        ("filter", "type"),
    ),
    Definition("unmatched_events_total", _C, "Events that no match gives to a sink."),
    Definition("dead_letters_total", _C, "Frames and events set aside.", ("error_type",)),
    Definition("dead_letters_kept", _G, "Dead letters that wait for a person."),
    Definition("dead_letters_dropped_total", _C, "Dead letters lost to the limit on their size."),
    Definition("skipped_lines_total", _C, "Lines that are no events.", ("kind",)),
    Definition("unknown_field_events_total", _C, "Events with fields beyond the field table."),
    Definition("gaps_total", _C, "Spans in which events were or may have been lost.", ("reason",)),
    Definition("gap_seconds_total", _C, "Length of these spans.", ("reason",)),
    Definition("gaps_open", _G, "Such spans that have not ended yet.", ("reason",)),
    Definition(
        "node_last_seen_timestamp_seconds", _G,
        "Unix time at which the node's newest event was received; the web.series_limit nodes "
        "heard last.", ("cluster", "node"),
    ),
    Definition(
        "http_denied_total", _C, "Requests for pages or API that were refused.", ("reason",)
    ),
    Definition(
        "events_total", _C,
        "Events that came through the filters, duplicates among them; beyond web.series_limit "
        "label sets all labels are `other`.", EVENT_LABELS,
    ),
    Definition("event_series", _G, "Label sets of armorstack_events_total."),
)  # fmt: skip

PREFIX = "armorstack_"
_FAMILIES = {_C: CounterMetricFamily, _G: GaugeMetricFamily, _S: SummaryMetricFamily}


class Memory(Struct, frozen=True):
    """What is known beyond the reports of the two processes."""

    open_gaps: tuple[Gap, ...] = ()
    nodes: tuple[tuple[str, str, int], ...] = ()
    """Cluster, node, and when its newest event was received, in microseconds since 1970."""
    denied: Mapping[str, int] = {}
    """Requests that were refused, by reason."""


NOTHING = Memory()


def render(
    receiver: ReceiverState | None,
    worker: WorkerState,
    events: EventCounts,
    now_us: int,
    memory: Memory = NOTHING,
) -> bytes:
    """The text that a Prometheus server reads."""
    samples = [("build_info", (__version__,), (1.0,)), *_of_worker(worker), *_of_events(events)]
    samples += _of_memory(memory)
    samples += [("process_up", ("worker",), (1.0,))]
    samples += [("process_up", ("receiver",), (float(receiver is not None),))]
    if receiver:
        samples += _of_receiver(receiver, now_us)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(samples))
    return generate_latest(registry)


class _Families(Collector):
    """Samples in the shape that prometheus_client prints."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_name: dict[str, list[Sample]] = {}
        for sample in samples:
            self._by_name.setdefault(sample[0], []).append(sample)

    def collect(self) -> Iterator[Metric]:
        for definition in METRICS:
            family = _FAMILIES[definition.kind](
                PREFIX + definition.name, definition.help, labels=definition.labels
            )
            for _, labels, values in self._by_name.get(definition.name, ()):
                family.add_metric([printable(label) for label in labels], *values)
            yield family


def _of_process(process: str, state: ReceiverState | WorkerState) -> Iterator[Sample]:
    yield "process_start_time_seconds", (process,), (state.started_us / 1e6,)
    yield "process_resident_bytes", (process,), (state.resident_bytes,)


def _of_receiver(state: ReceiverState, now_us: int) -> Iterator[Sample]:
    yield from _of_process("receiver", state)
    yield "received_frames_total", (), (state.received,)
    yield "received_bytes_total", (), (state.received_bytes,)
    yield from _by_reason("dropped_frames_total", state.dropped)
    yield "spool_commit_seconds", (), (state.commits, state.commit_s)
    yield "spool_blocked_seconds_total", (), (state.blocked_s,)
    yield "spool_bytes", (), (state.spool.bytes,)
    yield "spool_max_bytes", (), (state.spool.max_bytes,)
    yield "spool_disk_bytes", (), (state.spool.disk_bytes,)
    yield "spool_rows", (), (state.spool.rows,)
    yield "spool_recoveries_total", (), (state.spool.recoveries,)
    oldest = state.spool.oldest_us
    yield "spool_oldest_age_seconds", (), (max(0.0, (now_us - oldest) / 1e6) if oldest else 0.0,)
    for source in state.sources:
        labels = (source.name, source.kind)
        yield "source_connected", labels, (float(source.connected),)
        yield "source_reconnects_total", labels, (source.reconnects,)
        yield "source_last_frame_timestamp_seconds", labels, (source.last_frame_us / 1e6,)


def _of_worker(state: WorkerState) -> Iterator[Sample]:
    yield from _of_process("worker", state)
    for sink in state.sinks:
        yield from _of_sink(sink)
    yield from _by_reason("dead_letters_total", state.dead_letters)
    yield "dead_letters_kept", (), (state.letters_kept,)
    yield "dead_letters_dropped_total", (), (state.letters_dropped,)
    yield from _by_reason("skipped_lines_total", state.skipped)
    yield from _by_reason("gaps_total", state.gaps)
    yield from _by_reason("gap_seconds_total", state.gap_seconds)
    yield "unknown_field_events_total", (), (state.unknown,)
    yield "unmatched_events_total", (), (state.unmatched,)
    for each in state.filters:
        yield "filter_dropped_events_total", (each.name, each.type), (each.dropped,)
        yield "filter_changed_events_total", (each.name, each.type), (each.changed,)


def _of_sink(sink: SinkState) -> Iterator[Sample]:
    name = (sink.name,)
    yield "sink_open", name, (float(sink.is_open),)
    yield "sink_waiting", name, (float(bool(sink.waits_for)),)
    yield "sink_stored_events_total", name, (sink.stored,)
    yield "sink_duplicate_events_total", name, (sink.duplicates,)
    yield "sink_retried_events_total", name, (sink.retried,)
    yield "sink_write_seconds", name, (sink.writes, sink.write_s)
    yield "sink_batch_events", name, (sink.batches, sink.decoded)
    yield "sink_decode_seconds", name, (sink.batches, sink.decode_s)
    yield "sink_lag_seconds", name, (sink.lag_s,)
    yield "sink_passed_over_events_total", name, (sink.passed_over,)
    yield "sink_left_out_events_total", name, (sink.left_out,)
    for reason, count in sink.missed.items():
        yield "sink_missed_total", (sink.name, reason), (count,)
    for reason, count in sink.missed_frames.items():
        yield "sink_missed_frames_total", (sink.name, reason), (count,)
    for reason, count in sink.removed.items():
        yield "sink_removed_events_total", (sink.name, reason), (count,)


def _of_memory(memory: Memory) -> Iterator[Sample]:
    counts: dict[str, int] = dict.fromkeys(REASONS, 0)
    for gap in memory.open_gaps:
        counts[gap.reason] += 1
    yield from _by_reason("gaps_open", counts)
    for cluster, node, received_us in memory.nodes:
        yield "node_last_seen_timestamp_seconds", (cluster, node), (received_us / 1e6,)
    yield from _by_reason("http_denied_total", memory.denied)


def _of_events(events: EventCounts) -> Iterator[Sample]:
    series = events.series()
    yield "event_series", (), (len(series),)
    for labels, count in series.items():
        yield "events_total", labels, (count,)


def _by_reason(name: str, counts: Mapping[str, float]) -> Iterator[Sample]:
    for reason, count in counts.items():
        yield name, (reason,), (count,)
