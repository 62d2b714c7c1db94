"""The rules of one run, compiled: filters in their order, then which sink takes what.

Each sink's loop has rules of its own, since some filters remember. What they remember follows from
the spool alone, so that all sinks see the same events.

Invariant: every row goes on, is counted by the filter that let it go, or is kept back by one that
holds its place in the spool.
"""

from collections.abc import Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from armorstack.config import Config, Select, SetFilter, sinks_of
from armorstack.core.batch import SCHEMA, Rejected
from armorstack.core.filter_counts import FilterCounts
from armorstack.core.filters import BUILDERS, TAG_FIELD
from armorstack.core.filters.contract import Filter, Flow, Scope
from armorstack.core.filters.fold import Fold
from armorstack.core.filters.redact import Redact
from armorstack.core.filters.redact_frame import Redactor, in_one_go, redact_frame
from armorstack.core.filters.throttle import Throttle
from armorstack.core.gap import Gap
from armorstack.core.globs import any_of
from armorstack.core.presets import expand_placed
from armorstack.core.select import compile_select
from armorstack.core.tags import STREAM_TAGS, matching

REMEMBERING = (Fold, Throttle)
_EMPTY = pa.RecordBatch.from_pylist([], SCHEMA)


class Passed(Struct, frozen=True):
    """What came through the filters."""

    rows: pa.RecordBatch
    """All of it, whoever takes it."""
    own: pa.RecordBatch
    """What this sink takes of it."""
    gaps: tuple[Gap, ...]
    held_from: int | None
    """The spool position that must not be passed, since rows behind it are kept back."""
    unmatched: int = 0
    """Rows that no sink takes."""


class Rules:
    """Filters and matches for one sink; used from one thread."""

    def __init__(
        self,
        filters: Sequence[tuple[str, Filter]],
        matches: Sequence[tuple[Scope, tuple[str, ...]]],
        sinks: Sequence[str],
        sink: str,
    ) -> None:
        """`filters`: type and filter; `matches`: scope and the sinks it names, of these `sinks`;
        `sink`: the one whose rules these are."""
        self.filters = tuple(filter_ for _, filter_ in filters)
        self.types = tuple(type_ for type_, _ in filters)
        """The type of each filter."""
        self.matches = tuple(matches)
        self._routes: dict[str, list[Scope]] = {}
        for scope, names in matches:
            for name in names:
                self._routes.setdefault(name, []).append(scope)
        self._sink = sink
        self._all_named = all(name in self._routes for name in sinks)
        self._arrived_us = 0

    def apply(self, rows: pa.RecordBatch, before: int, now_us: int = 0) -> Passed:
        """Take rows that lay behind the position `before`; without rows: only what is due.

        `now_us`: the clock, given where nothing waits to be read, so that time goes on.
        """
        arrived_us = now_us
        if len(rows):
            arrived_us = pc.max(rows.column("received").cast(pa.int64())).as_py() or 0
        self._arrived_us = max(self._arrived_us, arrived_us)
        return self._pass(Flow(rows, before=before), everything=False)

    def finish(self) -> Passed:
        """All that is kept back, now."""
        return self._pass(Flow(_EMPTY), everything=True)

    def apply_alone(self, rows: pa.RecordBatch) -> Passed:
        """The same for rows out of their order, such as replayed dead letters: filters that
        remember are left out."""
        flow = Flow(rows)
        for filter_ in self.filters:
            if not isinstance(filter_, REMEMBERING):
                flow = filter_.apply(flow, self._arrived_us)
        return Passed(flow.rows, self._own(flow), (), None)

    def redact(self, letter: Rejected) -> Rejected:
        """A frame that becomes a dead letter, without what is redacted from events.

        What it is about cannot be known, so that every pattern counts, whatever its select.
        """
        for filter_ in self.filters:
            if isinstance(filter_, Redact):
                letter = in_one_go(partial(_redacted, letter), filter_.patterns.texts)
        return letter

    def sinks(self, flow: Flow) -> dict[str, pa.BooleanArray]:
        """Which rows go to each sink that a match names."""
        return {
            name: any_of([scope.mask(flow) for scope in scopes])
            for name, scopes in self._routes.items()
        }

    def counts(self) -> tuple[FilterCounts, ...]:
        """What each filter has done; any thread may ask."""
        return tuple(
            FilterCounts(each.name, type_, each.dropped, each.changed)
            for type_, each in zip(self.types, self.filters, strict=True)
        )

    def _pass(self, flow: Flow, *, everything: bool) -> Passed:
        """Each filter in turn takes what comes from above it, and what it then releases."""
        flows, gaps = [flow], list[Gap]()
        for filter_ in self.filters:
            flows = [filter_.apply(each, self._arrived_us) for each in flows if len(each.rows)]
            released = filter_.release(self._arrived_us, everything=everything)
            # What was kept back came before the rows at hand.
            flows = [*released.flows, *flows]
            gaps += released.gaps
        held = [p for filter_ in self.filters if (p := filter_.held_from()) is not None]
        return Passed(
            _joined([each.rows for each in flows]),
            _joined([self._own(each) for each in flows]),
            tuple(gaps),
            min(held, default=None),
            sum(map(self._unmatched, flows)),
        )

    def _own(self, flow: Flow) -> pa.RecordBatch:
        scopes = self._routes.get(self._sink)
        if scopes is None or not len(flow.rows):
            return flow.rows
        return flow.only(any_of([scope.mask(flow) for scope in scopes])).rows

    def _unmatched(self, flow: Flow) -> int:
        """Rows that no sink takes; there are none while one sink takes everything."""
        if not self._all_named or not len(flow.rows):
            return 0
        taken: int = any_of(list(self.sinks(flow).values())).true_count
        return len(flow.rows) - taken


def compile_rules(config: Config, sink: str = "") -> Rules:
    """The rules for one sink (empty: none in particular). Raises `ConfigError` with the path."""
    placed = list(expand_placed(config.filter))
    tags = dict.fromkeys(STREAM_TAGS)
    for _, settings in placed:
        if isinstance(settings, SetFilter) and TAG_FIELD in settings.fields:
            tags[settings.fields[TAG_FIELD]] = None
    known = tuple(tags)
    filters = []
    for path, settings in placed:
        scope = _scope(path, settings.tag, settings.select, known)
        type_ = str(settings.__struct_config__.tag)
        filters.append((type_, BUILDERS[type(settings)](settings, scope, path)))
    matches = [
        (_scope(f"$.match[{index}]", match.tag, match.select, known), sinks_of(match))
        for index, match in enumerate(config.match)
    ]
    return Rules(filters, matches, tuple(config.sink), sink)


def _scope(path: str, tag: str, select: Select, known: tuple[str, ...]) -> Scope:
    found = matching(f"{path}.tag", tag, known)
    tags = None if len(found) == len(known) else found
    return Scope(tags, compile_select(select, f"{path}.select"))


def _redacted(letter: Rejected, redact: Redactor) -> Rejected:
    frame = redact_frame(letter.frame, letter.encoding, letter.stream, redact)
    return replace(letter, frame=frame, reason=redact(letter.reason))


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    full = [each for each in batches if len(each)]
    if len(full) < 2:
        return full[0] if full else _EMPTY
    return pa.concat_batches(full)
