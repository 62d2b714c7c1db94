"""What the rules do with one event, step by step: for `armorstack try-config`.

It runs the very filters that the worker runs, one event at a time, and looks at what each gives
back. Must not go here: reading events, showing what came out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pyarrow as pa
from msgspec import Struct

from armorstack.config import Config, Select, Sink
from armorstack.core.batch import SCHEMA
from armorstack.core.fields import FIELDS
from armorstack.core.filters.contract import Filter, Flow
from armorstack.core.filters.fold import Fold
from armorstack.core.gap import Gap
from armorstack.core.rules import compile_rules
from armorstack.core.select import compile_select

Outcome = Literal["dropped", "changed", "passed", "kept back"]
_NAMES = {field.column: field.name for field in FIELDS}


class Change(Struct, frozen=True):
    """One field that a filter gave another value."""

    field: str
    """KubeArmor's name, `tag`, or the name of a column of ours."""
    before: Any
    after: Any


class Step(Struct, frozen=True):
    """One filter that had something to do with the event."""

    filter: str
    type: str
    outcome: Outcome
    """`passed`: the event was meant, and let pass."""
    changes: tuple[Change, ...] = ()


class Route(Struct, frozen=True):
    """One sink that is offered the event."""

    sink: str
    matches: tuple[int, ...]
    """The matches that took it, counted from 1; none where no match names the sink."""
    taken: bool = True
    """Whether the sink's own select and least severity let it in."""


class Trial(Struct, frozen=True):
    """What became of one event."""

    steps: tuple[Step, ...]
    routes: tuple[Route, ...]
    row: Mapping[str, Any] | None
    """The event as it comes out; None: it does not, or only later, inside a folded one."""


def as_arrived(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows as if each had arrived when it happened: intervals go by arrival."""
    place = SCHEMA.get_field_index("received")
    return rows.set_column(place, SCHEMA.field(place), rows.column("time"))


class Trials:
    """Rules that are being tried."""

    def __init__(self, config: Config) -> None:
        """Raises `ConfigError`."""
        self._rules = compile_rules(config)
        self._own = {name: _own_test(f"$.sink.{name}", sink) for name, sink in config.sink.items()}

    @property
    def filters(self) -> tuple[str, ...]:
        """The filters' names, in their order."""
        return tuple(filter_.name for filter_ in self._rules.filters)

    def try_event(self, row: pa.RecordBatch) -> Trial:
        """Send one event (a batch of one row) through all filters and matches."""
        return self._try(Flow(row), 0)

    def finish(self) -> Iterator[Trial | Gap]:
        """What filters had kept back, each event from the filter behind it on, and their gaps."""
        for place, filter_ in enumerate(self._rules.filters):
            released = filter_.release(0, everything=True)
            yield from released.gaps
            for flow in released.flows:
                for index in range(len(flow.rows)):
                    one = pa.array([number == index for number in range(len(flow.rows))])
                    yield self._try(flow.only(one), place + 1)

    def _try(self, flow: Flow, first: int) -> Trial:
        steps = []
        arrived_us = flow.rows.column("received").cast(pa.int64())[0].as_py() or 0
        for place in range(first, len(self._rules.filters)):
            filter_ = self._rules.filters[place]
            if _is_meant(filter_, self._rules.types[place], flow):
                after = filter_.apply(flow, arrived_us)
                steps.append(_step(filter_, self._rules.types[place], flow, after))
                flow = after
            if not len(flow.rows):
                return Trial(tuple(steps), (), None)
        return Trial(tuple(steps), tuple(self._routes(flow)), _row(flow))

    def _routes(self, flow: Flow) -> Iterator[Route]:
        named = {name for _, names in self._rules.matches for name in names}
        took = [scope.mask(flow)[0].as_py() for scope, _ in self._rules.matches]
        for sink, own in self._own.items():
            matches = tuple(
                number
                for number, ((_, names), taken) in enumerate(
                    zip(self._rules.matches, took, strict=True), start=1
                )
                if taken and sink in names
            )
            if matches or sink not in named:
                yield Route(sink, matches, own(flow))


def _own_test(path: str, sink: Sink) -> Any:
    """Whether the sink itself wants an event, whatever the matches say."""
    select: Select = getattr(sink, "select", Select())
    least: int = getattr(sink, "min_severity", 0)
    selector = compile_select(select, f"{path}.select")

    def wants(flow: Flow) -> bool:
        severity = flow.columns.severity()[0].as_py() or 0
        return bool(selector.mask(flow.columns)[0].as_py() and severity >= least)

    return wants


def _is_meant(filter_: Filter, type_: str, flow: Flow) -> bool:
    """Whether the filter works on the event; `keep` works on those that are not selected, too."""
    if type_ == "keep":
        return bool(filter_.scope.tagged(flow)[0].as_py())
    return bool(filter_.scope.mask(flow)[0].as_py())


def _step(filter_: Filter, type_: str, before: Flow, after: Flow) -> Step:
    if not len(after.rows):
        outcome: Outcome = "kept back" if isinstance(filter_, Fold) else "dropped"
        return Step(filter_.name, type_, outcome)
    changes = tuple(_changes(before, after))
    return Step(filter_.name, type_, "changed" if changes else "passed", changes)


def _changes(before: Flow, after: Flow) -> Iterator[Change]:
    old, new = _row(before), _row(after)
    for name in SCHEMA.names:
        if old[name] != new[name]:
            yield Change(_NAMES.get(name, name), old[name], new[name])
    old_tag, new_tag = before.tags()[0].as_py(), after.tags()[0].as_py()
    if old_tag != new_tag:
        yield Change("tag", old_tag, new_tag)


def _row(flow: Flow) -> Mapping[str, Any]:
    row: Mapping[str, Any] = flow.rows.to_pylist()[0]
    return row
