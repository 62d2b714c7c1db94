"""What a tail tells, as lines: columns, or one object each.

Invariant: whatever happened is told: events and what is missing among them on standard output
where it can be told apart from events, else on standard error, as are remarks on the connection.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Protocol

import click
from msgspec.structs import asdict

from armorstack.cli import event_table as table
from armorstack.cli.human import human_span
from armorstack.cli.paint import Paint, is_terminal, say
from armorstack.cli.reading import remark, terminal_width
from armorstack.cli.spool import print_json
from armorstack.cli.zones import short_time
from armorstack.core.gap import Gap
from armorstack.core.text import printable
from armorstack.store.event_json import SHOWN, time_text
from armorstack.store.remote import Told


class Screen(Protocol):
    """Shows what a tail tells."""

    names: tuple[str, ...]

    def show(self, told: Told) -> None:
        """Print it."""


class Objects:
    """One JSON object a line: events, `{"gap": …}`, `{"lost": …}`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names) or SHOWN

    def show(self, told: Told) -> None:
        """Print it."""
        if told.row is not None:
            say(table.json_line(told.row, self.names))
        elif told.gap is not None:
            print_json({"gap": _as_object(told.gap)})
        elif told.kind == "lost":
            print_json({"lost": {"count": told.lost, "reason": told.reason}})
        else:
            _remark_connection(told)


class Columns:
    """A line per event: for a terminal with steady widths, else with tabs."""

    def __init__(self, names: Sequence[str], zone: tzinfo, paint: Paint) -> None:
        self._shown = tuple(names)
        self.names = tuple(names) or (*table.COLUMNS, "message")
        """What is asked for: the terminal may become wider."""
        self._zone, self._paint = zone, paint
        self._is_terminal = is_terminal()
        self._width = 0

    def show(self, told: Told) -> None:
        """Print it."""
        if told.row is not None:
            self._event(told.row)
        elif told.gap is not None:
            self._aside(gap_sentence(told.gap, self._zone))
        elif told.kind == "lost":
            count = "events" if told.lost is None else f"{told.lost:,} events"
            why = {"slow": "this reads too slowly", "missed": "they came while nobody listened"}
            reason = why.get(told.reason, told.reason)
            self._aside(f"{count} are not shown here, since {reason}; `armorstack query` has them")
        else:
            _remark_connection(told)

    def _event(self, row: Any) -> None:
        if not self._is_terminal:
            say(table.tabbed(row, self._shown or table.COLUMNS, self._zone))
            return
        width = terminal_width()
        names, show = self._shown or table.columns_for(width), table.time_for(width)
        layout = table.steady(names, width, show)
        if width != self._width:
            self._width = width
            say(table.heads(layout, self._paint), self._paint)
        values = table.cells(row, names, self._zone, show)
        say(table.line(layout, values, self._paint), self._paint)

    def _aside(self, sentence: str) -> None:
        text = f"-- {printable(sentence)} --"
        click.echo(self._paint(text, "yellow"), err=not self._is_terminal,
                   color=self._paint.colours)  # fmt: skip


def gap_sentence(gap: Gap, zone: tzinfo) -> str:
    """The gap in a line."""
    lost = "events may be missing" if gap.lost is None else f"{gap.lost:,} events lost"
    where = ", ".join(filter(None, (gap.source, gap.node and f"node {gap.node}")))
    length = human_span((gap.end_us - gap.start_us) / 1e6)
    return f"gap: {gap.reason}, {where}, {length} until {short_time(gap.end_us, zone)}: {lost}"


def _as_object(gap: Gap) -> dict[str, Any]:
    known = asdict(gap)
    times = {"start": time_text(known.pop("start_us")), "end": time_text(known.pop("end_us"))}
    return known | times


def _remark_connection(told: Told) -> None:
    if told.kind == "away":
        remark(f"{told.reason}; waiting")
