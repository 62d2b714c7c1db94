"""`armorstack query`: events that were stored, as a table or for programs; counts, groups, SQL."""

from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from armorstack.cli.interrupts import Interrupts
from armorstack.cli.options import with_options
from armorstack.cli.paint import COLOR, Paint, is_terminal, ready_output, say
from armorstack.cli.reading import (
    JSON_LINES,
    PLACE,
    WHICH,
    columns_of,
    complete_columns,
    complete_field,
    fields_of,
    place_of,
    question_of,
    reached,
    terminal_width,
)
from armorstack.cli.times import Span

EXAMPLES = """\b
Examples:
  armorstack query
  armorstack query 'severity>=7 and action:Block' --since 7d
  armorstack query --namespace shop --pod 'cart-*' -n 200
  armorstack query 'resource:*/shadow' --columns time,pod,process,resource
  armorstack query action:Block --json | jq -r .pod | sort | uniq -c
  armorstack query --top policy,action --since 30d
  armorstack query --fold --since 1h
  armorstack query --count operation:Network
  armorstack query --histogram --since 24h severity:8..
  armorstack query --file events.jsonl 'pod:web-*' --since all
  armorstack query --sql 'SELECT policy_name, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC'
  armorstack query --url https://armorstack.example --token-file token action:Block

On a terminal a table that fits it; elsewhere the same columns whole, with tabs between them and no
heads, or --json: one object a line. Newest first. Exit code 0, also when nothing was found; 1 when
something went wrong, 2 when the question is wrong."""

FOLD_FIELDS = ("namespace", "pod", "policy", "action", "operation", "process", "resource")

KINDS = (
    click.option("--count", "kind", flag_value="count", help="Only how many there are."),
    click.option("--histogram", "kind", flag_value="histogram", help="How many, over time."),
    click.option("--fold", "kind", flag_value="fold",
                 help="The same event again and again as one line, the most frequent first."),
    click.option("--top", multiple=True, metavar="FIELD", shell_complete=complete_field,
                 help="The most frequent values; of several fields: together."),
)  # fmt: skip
SQL = (
    click.option("--sql", metavar="SELECT", help="SQL over the view `events`; it only reads."),
    click.option("--csv", "as_csv", is_flag=True, help="Of --sql: CSV."),
    click.option("--memory", type=click.IntRange(16), default=512, metavar="MIB",
                 help="Of --sql: memory it may take; 512 MiB."),
    click.option("--timeout", type=Span(), default="5m", metavar="SPAN",
                 help="How long an answer may take; 5m."),
)  # fmt: skip
SHAPE = (
    click.option("-n", "--lines", "count", type=click.IntRange(1), default=50,
                 help="How many events or groups; 50."),
    click.option("--columns", metavar="NAMES", shell_complete=complete_columns,
                 help="Columns, with commas between them."),
    click.option("--file", type=click.File("rb"), metavar="PATH",
                 help="Event lines instead of the store; - is stdin."),
    JSON_LINES,
    COLOR,
)  # fmt: skip


@click.command("query", epilog=EXAMPLES)
@with_options(*WHICH, *SHAPE, *KINDS, *SQL, *PLACE)
def command(
    query: Sequence[str], since: str, until: str | None, zone: tzinfo, count: int,
    columns: str | None, as_json: bool, color: Any, kind: str | None, top: Sequence[str],
    file: IO[bytes] | None, sql: str | None, as_csv: bool, memory: int, timeout: int,
    config_file: Path | None, data_dir: str | None, url: str | None, token_file: Path | None,
    ca: str | None, **flags: Any,
) -> None:  # fmt: skip
    """Stored events that QUERY and flags mean; without any, the newest.

    QUERY is of the language in docs/query.md: severity>=7 and action:Block and pod:web-*
    """
    ready_output()
    place = place_of(config_file, data_dir, url, token_file, ca, file)
    seconds = timeout / 1e6
    if sql is not None:
        _only_sql(query, kind, top, flags)
        from armorstack.cli.sql import run

        run(place, sql, "json" if as_json else "csv" if as_csv else "", memory << 20, seconds)
        return
    if as_csv:
        raise click.UsageError("--csv goes with --sql; or see `armorstack export`")
    names = columns_of(columns) if columns else ()
    question = question_of(query, zone, flags, since, until)
    with Interrupts() as interrupts, reached(place) as reach:
        fresh = partial(interrupts.budget, seconds)
        view = _View(reach.store, question, zone, fresh, as_json, Paint(color))
        if kind == "count":
            view.count()
        elif kind == "histogram":
            view.histogram()
        elif kind == "fold" or top:
            view.groups(fields_of("--top", top) or FOLD_FIELDS, count)
        else:
            view.events(names, count)


class _View:
    """One question, and how its answer is shown."""

    def __init__(
        self, store: Any, question: Any, zone: tzinfo, fresh: Callable[[], Any], as_json: bool,
        paint: Paint,
    ) -> None:  # fmt: skip
        """`fresh` makes a budget."""
        self._store, self._question, self._zone = store, question, zone
        self._fresh, self._as_json, self._paint = fresh, as_json, paint

    def count(self) -> None:
        """How many."""
        from armorstack.cli.spool import print_json

        found = self._store.count(self._question, self._fresh())
        if self._as_json:
            print_json({"count": found})
        else:
            say(str(found))

    def histogram(self) -> None:
        """How many, over time."""
        from armorstack.cli.spool import print_json
        from armorstack.cli.time_line import as_object, rows

        found = self._store.histogram(self._question, self._fresh(), buckets=40)
        if self._as_json:
            print_json(as_object(found))
            return
        for line in rows(found, self._zone, terminal_width(), self._paint):
            say(line, self._paint)

    def groups(self, fields: Sequence[str], count: int) -> None:
        """The largest groups."""
        from armorstack.cli.groups import as_objects, rows
        from armorstack.cli.spool import print_json

        found = self._store.top(self._question, self._fresh(), fields=fields, size=count)
        if self._as_json:
            for each in as_objects(found, fields):
                print_json(each)
            return
        width = terminal_width() if is_terminal() else 0
        for line in rows(found, fields, self._zone, width, self._paint):
            say(line, self._paint)

    def events(self, names: Sequence[str], count: int) -> None:
        """The newest events."""
        from armorstack.cli import event_table as table
        from armorstack.store.event_json import SHOWN, columns_of
        from armorstack.store.paging import newest

        width = terminal_width() if is_terminal() else 0
        names = names or (SHOWN if self._as_json else table.columns_for(width))
        found: Iterator[Any] = newest(
            self._store, self._question, count, columns_of([*names, "message"]), self._fresh
        )
        if not width or self._as_json:
            for row in found:
                say(table.json_line(row, names) if self._as_json
                    else table.tabbed(row, names, self._zone))  # fmt: skip
            return
        for line in table.lines(list(found), names, self._zone, width, self._paint):
            say(line, self._paint)


def _only_sql(
    query: Sequence[str], kind: str | None, top: Sequence[str], flags: dict[str, Any]
) -> None:
    said = flags | {"log_filter": flags["log_filter"] != "all"}
    if query or kind or top or any(said.values()):
        raise click.UsageError("--sql says everything itself: leave query and filters out")
