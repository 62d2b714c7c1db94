"""Tables of the status page: processes, sources, sinks, filters, nodes, dead letters, gaps.

Invariant: every cell is text that was made printable; a cell that is not as it should be says so
with a word, too, never by its look alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo

from msgspec import Struct

from armorstack import __version__
from armorstack.core.gap import Gap
from armorstack.health import SILENT_S, Health, is_live
from armorstack.state import ReceiverState, SinkState, SourceState, WorkerState
from armorstack.web.pages.told import SHORT, moment, size_of, span_of, told

SILENT_NODE_US = 3600 * 1_000_000


class Fact(Struct, frozen=True):
    """A name and what it is."""

    name: str
    value: str


class Cell(Struct, frozen=True):
    """One cell of a table."""

    text: str
    is_bad: bool = False
    is_number: bool = False


class Table(Struct, frozen=True):
    """A table with what to know about it."""

    id: str
    title: str
    doc: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""
    """What is said where there are no rows."""


class GapRow(Struct, frozen=True):
    """One gap."""

    start: str
    end: str
    length: str
    reason: str
    source: str
    where: str
    lost: str
    detail: str
    is_open: bool


def tables(
    health: Health, nodes: Sequence[tuple[str, str, int]], zone: tzinfo, now_us: int
) -> tuple[Table, ...]:
    """All of them, in the order of an event's way."""
    receiver = health.receiver
    sources = receiver.sources if receiver else ()
    return (
        Table(
            "sources", "Sources", "Where events come from.",
            ("Source", "State", "Last frame", "Reconnects", "Trouble"),
            tuple(_source(each, zone, now_us) for each in sources), "No receiver has reported yet.",
        ),
        Table(
            "spool", "Spool", "The buffer on disk between receiving and storing.",
            ("Waiting", "Of", "Oldest waits for", "Files", "State"),
            tuple(_spool(receiver, now_us)), "No receiver has reported yet.",
        ),
        Table(
            "sinks", "Sinks", "Where events go.",
            ("Sink", "State", "Lag", "Stored", "Duplicates", "Left out", "Removed"),
            tuple(map(_sink, health.worker.sinks)), "No sink is open yet.",
        ),
        Table(
            "filters", "Filters", "What filters let go of or changed since the worker began.",
            ("Filter", "Type", "Let go", "Changed"),
            tuple(
                (_cell(each.name), _cell(each.type), _number(each.dropped), _number(each.changed))
                for each in health.worker.filters
            ),
            "There are no filters: every event goes on.",
        ),
        Table(
            "letters", "Dead letters", "Frames that are no events, or that a sink refused.",
            ("Kind", "Since the start"),
            tuple(
                (_cell(kind), _number(count, is_bad=count > 0))
                for kind, count in health.worker.dead_letters.items()
            ),
            f"None since the start; {health.worker.letters_kept} are kept.",
        ),
        Table(
            "nodes", "Nodes", "When each node was heard last; the longest silent last. A silent "
            "node is no gap: it may have nothing to say.",
            ("Cluster", "Node", "Heard", "Silent for"),
            tuple(_node(*each, zone, now_us) for each in nodes), "No node was heard yet.",
        ),
        Table(
            "processes", "Processes", f"armorstack {__version__}.",
            ("Process", "State", "Running for", "Memory"),
            tuple(_processes(receiver, health.worker, now_us)),
        ),
    )  # fmt: skip


def gap_rows(
    gaps: Iterable[Gap], zone: tzinfo, *, is_open: bool = False, is_reduced: bool = False
) -> tuple[GapRow, ...]:
    """Gaps as rows, in their order; `is_reduced` leaves out what names a source or a node."""
    return tuple(_gap(gap, zone, is_open, is_reduced) for gap in gaps)


def _gap(gap: Gap, zone: tzinfo, is_open: bool, is_reduced: bool) -> GapRow:
    where = " ".join(each for each in (gap.node, gap.stream) if each)
    return GapRow(
        start=moment(gap.start_us, zone, digits=0),
        end="goes on" if is_open else moment(gap.end_us, zone, digits=0),
        length=span_of(gap.end_us - gap.start_us),
        reason=gap.reason,
        source="" if is_reduced else str(told(gap.source, SHORT)),
        where="" if is_reduced else str(told(where, SHORT)),
        lost="unknown" if gap.lost is None else f"{gap.lost:,}",
        detail="" if is_reduced else str(told(gap.detail, SHORT)),
        is_open=is_open,
    )


def _source(source: SourceState, zone: tzinfo, now_us: int) -> tuple[Cell, ...]:
    state, is_bad = _source_state(source, now_us)
    last = moment(source.last_frame_us, zone, digits=0) if source.last_frame_us else "never"
    trouble = " — ".join(each for each in (source.error, source.hint) if each)
    return (_cell(source.name), Cell(state, is_bad), Cell(last),
            _number(source.reconnects), _cell(trouble, is_bad=bool(trouble)))  # fmt: skip


def _source_state(source: SourceState, now_us: int) -> tuple[str, bool]:
    since = span_of(now_us - source.since_us) if source.since_us else ""
    if source.finished:
        return "finished", bool(source.error)
    if not source.connected:
        return f"not connected for {since}" if since else "never connected", True
    silent_us = now_us - max(source.last_frame_us, source.since_us)
    if silent_us > SILENT_S * 1_000_000:
        return f"connected, silent for {span_of(silent_us)}", True
    return f"connected for {since}" if since else "connected", False


def _spool(receiver: ReceiverState | None, now_us: int) -> Iterator[tuple[Cell, ...]]:
    if receiver is None:
        return
    spool = receiver.spool
    oldest = span_of(now_us - spool.oldest_us) if spool.oldest_us else "nothing waits"
    yield (
        Cell(size_of(spool.bytes)), Cell(size_of(spool.max_bytes) if spool.max_bytes else "-"),
        Cell(oldest), Cell(size_of(spool.disk_bytes)),
        _cell(f"takes nothing: {spool.full}" if spool.full else "takes frames",
              is_bad=bool(spool.full)),
    )  # fmt: skip


def _sink(sink: SinkState) -> tuple[Cell, ...]:
    state = f"waits: {sink.waits_for}" if sink.waits_for else "open" if sink.is_open else "closed"
    return (
        _cell(sink.name), _cell(state, is_bad=state != "open"),
        Cell(span_of(int(sink.lag_s * 1e6)), is_number=True), _number(sink.stored),
        _number(sink.duplicates), _number(sink.left_out + sink.passed_over),
        _number(sum(sink.removed.values())),
    )  # fmt: skip


def _node(
    cluster: str, node: str, heard_us: int, zone: tzinfo, now_us: int
) -> tuple[Cell, ...]:  # fmt: skip
    silent_us = max(0, now_us - heard_us)
    return (
        _cell(cluster or "-"), _cell(node), Cell(moment(heard_us, zone, digits=0)),
        Cell(span_of(silent_us), is_bad=silent_us > SILENT_NODE_US, is_number=True),
    )  # fmt: skip


def _processes(
    receiver: ReceiverState | None, worker: WorkerState, now_us: int
) -> Iterator[tuple[Cell, ...]]:
    for name, state in (("receiver", receiver), ("worker", worker)):
        if state is None:
            yield Cell(name), Cell("has not reported yet", is_bad=True), Cell("-"), Cell("-")
            continue
        lives = is_live(state, now_us)
        yield (
            Cell(name), Cell(state.phase if lives else "does not report", is_bad=not lives),
            Cell(span_of(now_us - state.started_us)), Cell(size_of(state.resident_bytes)),
        )  # fmt: skip


def _cell(text: str, *, is_bad: bool = False) -> Cell:
    return Cell(str(told(text, SHORT)), is_bad)


def _number(count: int, *, is_bad: bool = False) -> Cell:
    return Cell(f"{count:,}", is_bad, is_number=True)
